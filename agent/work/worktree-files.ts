/**
 * All directories of one worktree as they were last read, and the sums over them. Told which are
 * dirty, it reads those again and puts their new contribution in the place of the old one; what is
 * below a directory is read again only when rules for it changed, or when it is another directory.
 */
import { DirectoryTable } from './directory-table.ts';
import { displayPath } from '../repository/byte-path.ts';
import type { BytePath } from '../repository/byte-path.ts';
import { readDirectory, readMissing } from '../repository/directory-reading.ts';
import type {
  DirectoryContext,
  DirectoryPlace,
  DirectoryReading,
} from '../repository/directory-reading.ts';
import { isSystemError } from '../repository/doubt.ts';
import { isIgnored, sameRules } from '../repository/ignore-rules.ts';
import type { IgnoreRules } from '../repository/ignore-rules.ts';
import { isSameReading } from '../repository/same-reading.ts';
import { Doubt } from '../repository/doubt.ts';
import { DirtyDirectories } from './dirty-directories.ts';
import type { Extent } from './dirty-directories.ts';
import { warmUp } from './warm-up.ts';
import { parentOf } from '../repository/tracked-changes.ts';
import type { TrackedIndex } from '../repository/tracked-index.ts';

export interface FilesContext extends DirectoryContext {
  /** Rules for the whole worktree. */
  readonly sharedRules: IgnoreRules | undefined;
  readonly watch: DirectoryWatches;
}

export interface DirectoryWatches {
  /** Called before a directory is read, so that no change falls between the two. */
  open(prefix: BytePath): void;
  close(prefix: BytePath): void;
  /** Something is another there than when it was last read. */
  prefer(prefix: BytePath): void;
}

/** Directories are named by their prefix: empty for the root, else with a slash at the end. */
export class WorktreeFiles {
  readonly #readings = new DirectoryTable();
  readonly #dirty = new DirtyDirectories();
  readonly #doubts = new Map<BytePath, string>();

  constructor() {
    this.mark('', 'below');
  }

  get readings(): DirectoryTable {
    return this.#readings;
  }

  get doubts(): Iterable<string> {
    return this.#doubts.values();
  }

  /** An entry of that directory has changed; null when the system does not say which. */
  note(prefix: BytePath, name: BytePath | null): void {
    this.mark(prefix);
    if (name === null) return;
    const child = `${prefix}${name}/`;
    // It may be another directory now, or be one no longer.
    if (this.#readings.has(child)) this.mark(child, 'anew');
    if (name === '.git' && prefix !== '') this.mark(parentOf(prefix));
    if (name === '.gitattributes') this.mark(prefix, 'below');
  }

  /** To be read again. */
  mark(prefix: BytePath, extent: Extent = 'own'): void {
    this.#dirty.mark(prefix, extent);
  }

  /** Whether that entry is a directory which was read. */
  isHolding(prefix: BytePath, name: BytePath): boolean {
    return this.#readings.has(`${prefix}${name}/`);
  }

  /** Whether a change of this entry is nobody's work: ignored, and not in the index. */
  isIgnored(index: TrackedIndex, prefix: BytePath, name: BytePath, directory: boolean): boolean {
    const reading = this.#readings.get(prefix);
    if (reading?.present !== true) return false;
    if (index.directory(`${prefix}${name}/`) !== undefined || index.has(prefix, name)) return false;
    // As a sparse index has it.
    if (index.has(prefix, `${name}/`)) return false;
    return reading.hidden || isIgnored(reading.rules, prefix + name, name, directory);
  }

  /** Reads what is dirty. What becomes dirty in the meantime stays so. */
  async update(context: FilesContext): Promise<void> {
    for (const prefix of this.#doubts.keys()) this.mark(prefix);
    const dirty = this.#dirty.take();
    try {
      warmUp(context, this.#expected(context, dirty));
      await this.#visitEach(context, dirty);
    } catch (error) {
      this.#dirty.putBack(dirty);
      throw error;
    }
  }

  /** The directories with entries that will be read for sure, about in that order. */
  #expected({ index }: FilesContext, dirty: ReadonlyMap<BytePath, Extent>): BytePath[] {
    if ((dirty.get('') ?? 'own') !== 'own') return [...index.prefixes];
    return [...dirty.keys()].filter((prefix) => this.#nearest(prefix) === prefix);
  }

  async #visitEach(context: FilesContext, dirty: ReadonlyMap<BytePath, Extent>): Promise<void> {
    const done = new Set<BytePath>();
    for (const [prefix, wanted] of dirty) {
      const nearest = this.#nearest(prefix);
      const extent = nearest === prefix ? wanted : 'own';
      if (!done.has(nearest) || extent !== 'own') await this.#visit(context, nearest, extent, done);
    }
  }

  /** The directory itself, or the first one above it that was there. */
  #nearest(prefix: BytePath): BytePath {
    let at = prefix;
    while (at !== '' && this.#readings.get(at)?.present !== true) at = parentOf(at);
    return at;
  }

  #placeOf(context: FilesContext, prefix: BytePath): DirectoryPlace {
    if (prefix === '') return { prefix, above: context.sharedRules, hidden: false, isListed: true };
    const above = this.#readings.get(parentOf(prefix))?.rules;
    const hidden = this.#readings.get(prefix)?.hidden ?? false;
    return { prefix, above, hidden, isListed: false };
  }

  async #visit(
    context: FilesContext,
    from: BytePath,
    extent: Extent,
    done: Set<BytePath>,
  ): Promise<void> {
    const pending = [this.#placeOf(context, from)];
    for (let place = pending.pop(); place !== undefined; place = pending.pop()) {
      const { prefix } = place;
      const before = this.#readings.get(prefix);
      if (extent === 'anew') unwatch(context, prefix, before);
      context.watch.open(prefix);
      const reading = await this.#read(context, place);
      if (reading === undefined) {
        if (prefix === '') throw new Doubt('the directory is gone');
        this.mark(parentOf(prefix));
        this.#dropBelow(context, prefix);
        continue;
      }
      done.add(prefix);
      const isSame = before !== undefined && isSameReading(before, reading);
      if (before?.present === true && !isSame) context.watch.prefer(prefix);
      // What is the same stays, so that no garbage gets old.
      if (!isSame) this.#readings.set(prefix, reading);
      if (reading.unfinishedGit) context.watch.open(`${prefix}.git/`);
      const deep =
        extent !== 'own' || before === undefined || !sameRules(before.rules, reading.rules);
      this.#dropGone(context, prefix, before, reading);
      for (const name of reading.missingChildren)
        this.#addMissing(context, `${prefix}${name}/`, reading);
      // The last one pushed is the next one read.
      for (const [names, hidden] of [
        [reading.hiddenChildren, true],
        [reading.children, false],
      ] as const) {
        for (const name of names.toReversed()) {
          const child = `${prefix}${name}/`;
          const known = this.#readings.get(child);
          if (!deep && known?.present === true && known.hidden === hidden) continue;
          pending.push({ prefix: child, above: reading.rules, hidden, isListed: true });
        }
      }
      if (context.pace.due) await context.pace.rest();
    }
  }

  async #read(context: FilesContext, place: DirectoryPlace): Promise<DirectoryReading | undefined> {
    this.#doubts.delete(place.prefix);
    try {
      return await readDirectory(context, place);
    } catch (error) {
      if (!isSystemError(error)) throw error;
      const name = displayPath(place.prefix);
      this.#doubts.set(place.prefix, `the directory ${name} cannot be read (${error.message})`);
      return { ...readMissing(context.index, place), present: true, missingChildren: [] };
    }
  }

  #addMissing(context: FilesContext, from: BytePath, above: DirectoryReading): void {
    const pending = [from];
    for (let prefix = pending.pop(); prefix !== undefined; prefix = pending.pop()) {
      this.#dropBelow(context, prefix);
      const place = { prefix, above: above.rules, hidden: above.hidden };
      const reading = readMissing(context.index, place);
      this.#readings.set(prefix, reading);
      for (const name of reading.missingChildren) pending.push(`${prefix}${name}/`);
    }
  }

  #dropGone(
    context: FilesContext,
    prefix: BytePath,
    before: DirectoryReading | undefined,
    now: DirectoryReading,
  ): void {
    if (before === undefined) return;
    const kept = new Set([...now.children, ...now.hiddenChildren, ...now.missingChildren]);
    for (const name of [...before.children, ...before.hiddenChildren, ...before.missingChildren]) {
      if (!kept.has(name)) this.#dropBelow(context, `${prefix}${name}/`);
    }
  }

  /** The directory and all below are no longer part of the worktree, or are read anew. */
  #dropBelow(context: FilesContext, from: BytePath): void {
    for (const [prefix, reading] of this.#below(from)) {
      this.#doubts.delete(prefix);
      unwatch(context, prefix, reading);
      this.#readings.delete(prefix);
    }
  }

  /** The directory and all below, as they were last read. */
  *#below(from: BytePath): Generator<[BytePath, DirectoryReading | undefined]> {
    const pending = [from];
    for (let prefix = pending.pop(); prefix !== undefined; prefix = pending.pop()) {
      const reading = this.#readings.get(prefix);
      if (reading !== undefined) {
        const { children, hiddenChildren, missingChildren } = reading;
        for (const names of [children, hiddenChildren, missingChildren]) {
          for (const name of names) pending.push(`${prefix}${name}/`);
        }
      }
      yield [prefix, reading];
    }
  }
}

function unwatch(
  { watch }: FilesContext,
  prefix: BytePath,
  reading: DirectoryReading | undefined,
): void {
  watch.close(prefix);
  if (reading?.unfinishedGit === true) watch.close(`${prefix}.git/`);
}
