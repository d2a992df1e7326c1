/**
 * The index as the ledger keeps it from reading to reading: a table instead of an object per entry
 * (about 100 bytes each, all told), and for each directory which entries lie directly in it.
 * In: a Git directory; out: entries by position, in Git's order. gitformat-index.
 */
import { statSync } from 'node:fs';
import type { Stats } from 'node:fs';
import { readIndexInSteps } from '../checkout/index-reader.ts';
import { MODE } from '../checkout/index-entry.ts';
import type { IndexEntry } from '../checkout/index-entry.ts';
import { IndexTable } from './index-table.ts';
import { CachedTrees } from './cached-trees.ts';
import { displayPath, isUtf8 } from './byte-path.ts';
import type { BytePath } from './byte-path.ts';
import { Doubt } from './doubt.ts';
import type { Pace } from './pace.ts';
import { expandSparse } from './sparse-directories.ts';
import type { SparseContext } from './sparse-directories.ts';
import type { StagedIndex } from './staged.ts';

export interface TrackedDirectory {
  /** Entries directly in it, in Git's order. */
  readonly positions: readonly number[];
  /** Names of the directories directly in it that hold entries. */
  readonly children: readonly BytePath[];
}

const NO_TREES = new CachedTrees(undefined);
/** Entries between two rests. */
const STRIDE = 1024;

/** @throws AgentError (INDEX_INVALID) for what Git could not read either. */
export async function readTrackedIndex(
  gitdir: BytePath,
  pace: Pace,
  sparse: SparseContext,
): Promise<TrackedIndex> {
  if (!isUtf8(gitdir)) throw new Doubt('the path of the Git directory is not UTF-8');
  const directory = displayPath(gitdir);
  const fileBytes = statSync(`${directory}/index`, { throwIfNoEntry: false })?.size ?? 0;
  const table = new IndexTable(fileBytes);
  const onEntry = (entry: IndexEntry): void => {
    if (entry.mode !== MODE.directory) table.add(entry);
    else for (const one of expandSparse(sparse, entry)) table.add(one);
  };
  let cachedTrees = NO_TREES;
  const onCacheTree = (bytes: Buffer): void => {
    cachedTrees = new CachedTrees(bytes);
  };
  const steps = readIndexInSteps(directory, { onEntry, onCacheTree });
  const { entries, mtimeNs } = await runSteps(steps, pace);
  entries.forEach(onEntry);
  table.mtimeMs = Number(mtimeNs / 1_000_000_000n) * 1e3 + Number(mtimeNs % 1_000_000_000n) / 1e6;
  const index = new TrackedIndex(table, cachedTrees);
  await runSteps(index.fillDirectories(), pace);
  return index;
}

/** Gives the event loop a turn between two of them once one is due. */
async function runSteps<T>(steps: Generator<undefined, T, undefined>, pace: Pace): Promise<T> {
  for (;;) {
    const { done, value } = steps.next();
    if (done === true) return value;
    if (pace.due) await pace.rest();
  }
}

export class TrackedIndex implements StagedIndex {
  readonly count: number;
  /** Of the index file: an entry that is not older may hide a later change of the same size. */
  readonly mtimeMs: number;
  /** Paths in conflict. */
  readonly conflicts = new Set<BytePath>();
  readonly submodules: number[] = [];
  /** Directories of a sparse index that are one entry each; their paths end in a slash. */
  readonly sparse: number[] = [];
  readonly cachedTrees: CachedTrees;
  readonly #table: IndexTable;
  readonly #directories = new Map<BytePath, { positions: number[]; children: BytePath[] }>();

  constructor(table: IndexTable, cachedTrees: CachedTrees) {
    this.#table = table;
    this.count = table.count;
    this.mtimeMs = table.mtimeMs;
    this.cachedTrees = cachedTrees;
  }

  path(position: number): BytePath {
    return this.#table.path(position);
  }

  /** The path without its directory, whose length with the slash is given. */
  name(position: number, prefixLength: number): BytePath {
    return this.#table.path(position, prefixLength);
  }

  oid(position: number): string {
    return this.#table.oid(position);
  }

  mode(position: number): number {
    return this.#table.mode(position);
  }

  stage(position: number): number {
    return this.#table.stage(position);
  }

  isSkipWorktree(position: number): boolean {
    return this.#table.isSkipWorktree(position);
  }

  isIntentToAdd(position: number): boolean {
    return this.#table.isIntentToAdd(position);
  }

  /** The low 32 bits, as Git keeps them. */
  size(position: number): number {
    return this.#table.size(position);
  }

  /** Whether these are the times, size and inode that Git saw. */
  hasStats(position: number, stats: Stats): boolean {
    return this.#table.hasStats(position, stats);
  }

  /** Order of the path after `prefixLength` bytes against `name`, by bytes. */
  compareName(position: number, prefixLength: number, name: BytePath): number {
    return this.#table.compareName(position, prefixLength, name);
  }

  /** @param prefix empty for the root, else with a slash at the end; undefined for one without entries. */
  directory(prefix: BytePath): TrackedDirectory | undefined {
    return this.#directories.get(prefix);
  }

  get prefixes(): Iterable<BytePath> {
    return this.#directories.keys();
  }

  /** Whether that file is in the index. */
  has(prefix: BytePath, name: BytePath): boolean {
    return this.find(prefix, name) !== undefined;
  }

  attributesOid(prefix: BytePath): string | undefined {
    const position = this.find(prefix, '.gitattributes');
    return position === undefined ? undefined : this.oid(position);
  }

  /** Position of that file's entry, the first one of a conflict. */
  find(prefix: BytePath, name: BytePath): number | undefined {
    const positions = this.#directories.get(prefix)?.positions ?? [];
    let low = 0;
    let high = positions.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.compareName(positions[middle]!, prefix.length, name) < 0) low = middle + 1;
      else high = middle;
    }
    const found = positions[low];
    const isIt = found !== undefined && this.compareName(found, prefix.length, name) === 0;
    return isIt ? found : undefined;
  }

  comparePath(position: number, other: TrackedIndex, at: number): number {
    return this.#table.comparePath(position, other.#table, at);
  }

  /** Whether an entry of the same path says the same of its file. */
  isSameEntry(position: number, other: TrackedIndex, at: number): boolean {
    return this.#table.isSame(position, other.#table, at);
  }

  /** To be run to its end before anything is asked; it may be interrupted at each step. */
  *fillDirectories(): Generator<undefined, void, undefined> {
    let prefix = '';
    let directory = this.#directory(prefix);
    for (let position = 0; position < this.count; position++) {
      if (this.stage(position) !== 0) this.conflicts.add(this.path(position));
      else {
        const mode = this.mode(position);
        if (mode === MODE.gitlink) this.submodules.push(position);
        else if (mode === MODE.directory) this.sparse.push(position);
      }
      if (position === 0 || !this.#table.isBesideLast(position, prefix.length)) {
        prefix = this.#table.directoryOf(position);
        directory = this.#directory(prefix);
      }
      directory.positions.push(position);
      if (position % STRIDE === 0) yield;
    }
  }

  #directory(prefix: BytePath): { positions: number[]; children: BytePath[] } {
    const known = this.#directories.get(prefix);
    if (known !== undefined) return known;
    const directory = { positions: [], children: [] };
    this.#directories.set(prefix, directory);
    if (prefix !== '') {
      const above = prefix.lastIndexOf('/', prefix.length - 2) + 1;
      this.#directory(prefix.slice(0, above)).children.push(prefix.slice(above, -1));
    }
    return directory;
  }
}
