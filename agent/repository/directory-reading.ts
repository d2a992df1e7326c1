/**
 * One directory of a worktree in, what its own entries contribute to the ledger out: names that
 * `git status` lists with a Y (index against file, racy-git) or with a `?` (dir.c), what is ignored,
 * and which directories below are to be entered. Nothing above or below is looked at.
 */
import { lstatSync } from 'node:fs';
import type { Dirent, Stats } from 'node:fs';
import { MODE } from '../checkout/index-entry.ts';
import { errnoOf } from '../errors.ts';
import { fsPath } from './byte-path.ts';
import type { BytePath } from './byte-path.ts';
import { emptyReading, NONE, NOTHING } from './empty-reading.ts';
import { isChangedByStats, isDeleted } from './entry-stats.ts';
import type { TypeTrust } from './entry-stats.ts';
import type { FileContent } from './file-content.ts';
import { isIgnored, parseRules, readDirectoryRules } from './ignore-rules.ts';
import type { IgnoreRules } from './ignore-rules.ts';
import { isRealDirectory, listDirectory } from './listing.ts';
import type { Pace } from './pace.ts';
import { findGitdir, statOrUndefined } from './repository.ts';
import type { Repository } from './repository.ts';
import type { TrackedIndex } from './tracked-index.ts';

export interface DirectoryReading {
  /** False for a directory of the index that is not there, or no directory. */
  readonly present: boolean;
  /** Below an ignored directory: only what the index has counts. */
  readonly hidden: boolean;
  /** What holds for the entries of this directory. */
  readonly rules: IgnoreRules | undefined;
  readonly unstaged: ReadonlySet<BytePath>;
  readonly untracked: ReadonlySet<BytePath>;
  readonly untrackedBytes: number;
  /** Repositories in it that the index does not have. */
  readonly nested: readonly BytePath[];
  readonly ignoredFiles: number;
  readonly ignoredBytes: number;
  readonly ignoredDirectories: readonly BytePath[];
  /** Names of directories to enter; `hiddenChildren` are those that are ignored but hold entries. */
  readonly children: readonly BytePath[];
  readonly hiddenChildren: readonly BytePath[];
  /** Names of directories of the index that are not there. */
  readonly missingChildren: readonly BytePath[];
  /** A `.git` that is no repository yet. */
  readonly unfinishedGit: boolean;
  /** Newest change of a file counted here (ctime, milliseconds since the epoch). */
  readonly changedAtMs: number;
}

export interface DirectoryContext {
  readonly repository: Repository;
  readonly index: TrackedIndex;
  readonly content: FileContent;
  readonly trust: TypeTrust;
  readonly pace: Pace;
}

export interface DirectoryPlace {
  /** Empty for the root, else with a slash at the end. */
  readonly prefix: BytePath;
  /** Of the directory above. */
  readonly above: IgnoreRules | undefined;
  readonly hidden: boolean;
  /** Just listed as a directory by the one above, or the root. */
  readonly isListed: boolean;
}

/** Vanished or turned into something else between two looks: that is a change. */
const RACED = new Set(['ENOENT', 'ENOTDIR', 'ELOOP', 'ENXIO', 'EINVAL', 'EISDIR']);
const NO_POSITIONS: readonly number[] = [];

/** @returns undefined when the directory is gone. Errors of the file system pass through. */
export async function readDirectory(
  context: DirectoryContext,
  place: DirectoryPlace,
): Promise<DirectoryReading | undefined> {
  const path = `${context.repository.worktree}/${place.prefix}`;
  // A link that came in its place is not followed; who comes from above has just listed it.
  if (!place.isListed && !isRealDirectory(path.slice(0, -1))) return undefined;
  const listed = listDirectory(path);
  return listed === undefined ? undefined : await new DirectoryLook(context, place).read(listed);
}

/** What the index has in a directory that is not there: all of it is deleted. */
export function readMissing(
  index: TrackedIndex,
  { prefix, above, hidden }: Omit<DirectoryPlace, 'isListed'>,
): DirectoryReading {
  const unstaged = new Set<BytePath>();
  const directory = index.directory(prefix);
  for (const position of directory?.positions ?? []) {
    if (isDeleted(index, position)) unstaged.add(index.name(position, prefix.length));
  }
  const missingChildren = directory?.children ?? NONE;
  return { ...emptyReading(hidden, above), present: false, unstaged, missingChildren };
}

class DirectoryLook {
  readonly #context: DirectoryContext;
  readonly #place: DirectoryPlace;
  readonly #base: BytePath;
  readonly #found: ReturnType<typeof emptyReading>;

  constructor(context: DirectoryContext, place: DirectoryPlace) {
    this.#context = context;
    this.#place = place;
    this.#base = `${context.repository.worktree}/${place.prefix}`;
    this.#found = emptyReading(place.hidden, place.above);
  }

  async read(listed: readonly Dirent[]): Promise<DirectoryReading> {
    const { index, pace } = this.#context;
    const { prefix, hidden } = this.#place;
    const found = this.#found;
    const directory = index.directory(prefix);
    const positions = directory?.positions ?? NO_POSITIONS;
    let next = 0;
    const missing = new Set(directory?.children);
    if (!hidden) found.rules = this.#readRules(listed);
    // Both sides are in the order of their bytes.
    for (const entry of listed) {
      const { name } = entry;
      if (name === '.git') {
        found.unfinishedGit = prefix !== '';
        continue;
      }
      let position: number | undefined;
      for (let order = -1; next < positions.length && order <= 0;) {
        order = index.compareName(positions[next]!, prefix.length, name);
        if (order < 0) this.#addDeleted(positions[next]!);
        else if (order === 0) position = positions[next];
        if (order <= 0) next++;
      }
      if (position !== undefined) {
        const changed = this.#isChanged(position, name);
        if (changed ?? (await this.#isOtherContent(position, name))) this.#addUnstaged(name);
      }
      if (entry.isDirectory()) {
        const isSubmodule = position !== undefined && index.mode(position) === MODE.gitlink;
        if (!isSubmodule) this.#addDirectory(name, missing.delete(name));
      } else if (position === undefined && (entry.isFile() || entry.isSymbolicLink())) {
        this.#addFile(name);
      }
      if (pace.due) await pace.rest();
    }
    for (; next < positions.length; next++) this.#addDeleted(positions[next]!);
    if (missing.size > 0) found.missingChildren = [...missing];
    return found;
  }

  /** Those of a file that a sparse checkout left out stand in the index. */
  #readRules(listed: readonly Dirent[]): IgnoreRules | undefined {
    const { index, content, repository } = this.#context;
    const { prefix, above } = this.#place;
    if (listed.some(({ name }) => name === '.gitignore')) {
      return readDirectoryRules(repository, prefix, above);
    }
    const position = index.find(prefix, '.gitignore');
    if (position === undefined || !index.isSkipWorktree(position)) return above;
    const text = content.readBlob(index.oid(position)).toString('latin1');
    return parseRules(text, prefix.length, above);
  }

  #addDeleted(position: number): void {
    const { index } = this.#context;
    if (!isDeleted(index, position)) return;
    this.#addUnstaged(index.name(position, this.#place.prefix.length));
  }

  #addUnstaged(name: BytePath): void {
    if (this.#found.unstaged === NOTHING) this.#found.unstaged = new Set();
    (this.#found.unstaged as Set<BytePath>).add(name);
  }

  #addDirectory(name: BytePath, hasEntries: boolean): void {
    const { prefix, hidden } = this.#place;
    const found = this.#found;
    if (hidden || isIgnored(found.rules, prefix + name, name, true)) {
      if (hasEntries) found.hiddenChildren = [...found.hiddenChildren, name];
      else found.ignoredDirectories = [...found.ignoredDirectories, name];
    } else if (!hasEntries && findGitdir(this.#base + name) !== undefined) {
      found.nested = [...found.nested, name];
    } else {
      if (found.children === NONE) found.children = [];
      (found.children as BytePath[]).push(name);
    }
  }

  #addFile(name: BytePath): void {
    const { prefix, hidden } = this.#place;
    const found = this.#found;
    const stats = this.#lstat(name);
    if (stats === undefined) return;
    if (hidden || isIgnored(found.rules, prefix + name, name, false)) {
      found.ignoredFiles++;
      found.ignoredBytes += stats.size;
      return;
    }
    found.changedAtMs = Math.max(found.changedAtMs, stats.ctimeMs);
    found.untrackedBytes += stats.size;
    if (found.untracked === NOTHING) found.untracked = new Set();
    (found.untracked as Set<BytePath>).add(name);
  }

  /**
   * Y of git status; undefined when the content has to tell. Files that Git was told not to look at
   * are looked at all the same.
   */
  #isChanged(position: number, name: BytePath): boolean | undefined {
    const { index, trust } = this.#context;
    const found = this.#found;
    if (index.stage(position) !== 0 || index.mode(position) === MODE.directory) return false;
    if (index.isIntentToAdd(position)) return true;
    const stats = this.#lstat(name);
    if (stats === undefined) return isDeleted(index, position);
    found.changedAtMs = Math.max(found.changedAtMs, stats.ctimeMs);
    return isChangedByStats(index, position, stats, trust);
  }

  async #isOtherContent(position: number, name: BytePath): Promise<boolean> {
    const { index, content } = this.#context;
    const stats = this.#lstat(name);
    if (stats === undefined) return isDeleted(index, position);
    try {
      return !(await content.isBlob(this.#place.prefix + name, stats, index.oid(position)));
    } catch (error) {
      if (RACED.has(errnoOf(error) ?? '')) return true;
      throw error;
    }
  }

  #lstat(name: BytePath): Stats | undefined {
    const path = fsPath(this.#base + name);
    return statOrUndefined(() => lstatSync(path, { throwIfNoEntry: false }));
  }
}
