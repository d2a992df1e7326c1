/**
 * The index as the ledger keeps it from reading to reading: columns instead of an object per entry
 * (about 100 bytes each, all told), and for each directory which entries lie directly in it.
 * In: a Git directory; out: entries by position, in Git's order. gitformat-index.
 */
import type { Stats } from 'node:fs';
import { readIndex } from '../checkout/index-reader.ts';
import type { CacheTree } from '../checkout/cache-tree.ts';
import { MODE } from '../checkout/index-entry.ts';
import type { IndexEntry } from '../checkout/index-entry.ts';
import { ENTRY_FLAG, IndexColumns } from './index-columns.ts';
import { displayPath, isUtf8 } from './byte-path.ts';
import type { BytePath } from './byte-path.ts';
import { Doubt } from './doubt.ts';
import type { Pace } from './pace.ts';
import type { StagedIndex } from './staged.ts';

export interface TrackedDirectory {
  /** Entries directly in it, in Git's order. */
  readonly positions: readonly number[];
  /** Names of the directories directly in it that hold entries. */
  readonly children: readonly BytePath[];
}

/** @throws AgentError (INDEX_INVALID) for what Git could not read either. */
export async function readTrackedIndex(gitdir: BytePath, pace: Pace): Promise<TrackedIndex> {
  if (!isUtf8(gitdir)) throw new Doubt('the path of the Git directory is not UTF-8');
  const columns = new IndexColumns();
  const onEntry = (entry: IndexEntry): void => {
    columns.add(entry);
  };
  const { entries, cacheTree, mtimeNs } = readIndex(displayPath(gitdir), { onEntry });
  for (const entry of entries) columns.add(entry);
  await pace.rest();
  const index = new TrackedIndex(columns, cacheTree, mtimeNs);
  await pace.rest();
  return index;
}

export class TrackedIndex implements StagedIndex {
  readonly count: number;
  /** Of the index file: an entry that is not older may hide a later change of the same size. */
  readonly mtimeMs: number;
  /** Paths in conflict. */
  readonly conflicts = new Set<BytePath>();
  readonly submodules: number[] = [];
  /** Directory (empty for the root, no slash at the end) → oid of its tree, where it is known. */
  readonly cachedTrees: ReadonlyMap<BytePath, string>;
  readonly #columns: IndexColumns;
  readonly #directories = new Map<BytePath, { positions: number[]; children: BytePath[] }>();

  constructor(columns: IndexColumns, cacheTree: CacheTree | null, mtimeNs: bigint) {
    this.#columns = columns;
    this.count = columns.count;
    this.mtimeMs = Number(mtimeNs / 1_000_000_000n) * 1e3 + Number(mtimeNs % 1_000_000_000n) / 1e6;
    this.#fillDirectories();
    this.cachedTrees = cacheTree === null ? new Map() : collectTrees(cacheTree);
  }

  path(position: number): BytePath {
    return this.#columns.path(position);
  }

  /** The path without its directory, whose length with the slash is given. */
  name(position: number, prefixLength: number): BytePath {
    return this.#columns.path(position, prefixLength);
  }

  oid(position: number): string {
    return this.#columns.oid(position);
  }

  mode(position: number): number {
    return this.#columns.modes[position]!;
  }

  stage(position: number): number {
    return this.#columns.flags[position]! & ENTRY_FLAG.stage;
  }

  isSkipWorktree(position: number): boolean {
    return (this.#columns.flags[position]! & ENTRY_FLAG.skipWorktree) !== 0;
  }

  isIntentToAdd(position: number): boolean {
    return (this.#columns.flags[position]! & ENTRY_FLAG.intentToAdd) !== 0;
  }

  /** The low 32 bits, as Git keeps them. */
  size(position: number): number {
    return this.#columns.sizes[position]!;
  }

  /** Whether these are the times, size and inode that Git saw. */
  hasStats(position: number, { mtimeMs, ctimeMs, size, ino }: Stats): boolean {
    const { mtimesMs, ctimesMs, sizes, inodes } = this.#columns;
    return (
      mtimesMs[position] === mtimeMs &&
      ctimesMs[position] === ctimeMs &&
      sizes[position] === size % 2 ** 32 &&
      inodes[position] === ino % 2 ** 32
    );
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
    const positions = this.#directories.get(prefix)?.positions ?? [];
    let low = 0;
    let high = positions.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.name(positions[middle]!, prefix.length) < name) low = middle + 1;
      else high = middle;
    }
    const found = positions[low];
    return found !== undefined && this.name(found, prefix.length) === name;
  }

  comparePath(position: number, other: TrackedIndex, at: number): number {
    return this.#columns.comparePath(position, other.#columns, at);
  }

  /** Whether an entry of the same path says the same of its file. */
  isSameEntry(position: number, other: TrackedIndex, at: number): boolean {
    return this.#columns.isSame(position, other.#columns, at);
  }

  #fillDirectories(): void {
    const root = this.#directory('');
    let prefix = '';
    let directory = root;
    for (let position = 0; position < this.count; position++) {
      if (this.stage(position) !== 0) this.conflicts.add(this.path(position));
      else if (this.mode(position) === MODE.gitlink) this.submodules.push(position);
      const found = this.#columns.directoryOf(position);
      if (found !== prefix) {
        prefix = found;
        directory = this.#directory(found);
      }
      directory.positions.push(position);
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

function collectTrees(root: CacheTree): Map<BytePath, string> {
  const trees = new Map<BytePath, string>();
  const pending = [{ node: root, path: '' }];
  for (let item = pending.pop(); item !== undefined; item = pending.pop()) {
    const { node, path: at } = item;
    if (node.oid !== null) trees.set(at, node.oid);
    for (const child of node.children) {
      const name = child.name.toString('latin1');
      pending.push({ node: child, path: at === '' ? name : `${at}/${name}` });
    }
  }
  return trees;
}
