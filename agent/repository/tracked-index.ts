/**
 * The index as the ledger keeps it from reading to reading: a table instead of an object per entry
 * (about 100 bytes each, all told), and for each directory which entries lie directly in it.
 * In: a Git directory; out: entries by position, in Git's order. gitformat-index.
 */
import { statSync } from 'node:fs';
import type { Stats } from 'node:fs';
import { readIndex } from '../checkout/index-reader.ts';
import type { CacheTree } from '../checkout/cache-tree.ts';
import { MODE } from '../checkout/index-entry.ts';
import type { IndexEntry } from '../checkout/index-entry.ts';
import { IndexTable } from './index-table.ts';
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
  const { entries, cacheTree, mtimeNs } = readIndex(directory, { onEntry });
  entries.forEach(onEntry);
  table.mtimeMs = Number(mtimeNs / 1_000_000_000n) * 1e3 + Number(mtimeNs % 1_000_000_000n) / 1e6;
  await pace.rest();
  const index = new TrackedIndex(table, cacheTree);
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
  /** Directories of a sparse index that are one entry each; their paths end in a slash. */
  readonly sparse: number[] = [];
  /** Directory (empty for the root, no slash at the end) → oid of its tree, where it is known. */
  readonly cachedTrees: ReadonlyMap<BytePath, string>;
  readonly #table: IndexTable;
  readonly #directories = new Map<BytePath, { positions: number[]; children: BytePath[] }>();

  constructor(table: IndexTable, cacheTree: CacheTree | null) {
    this.#table = table;
    this.count = table.count;
    this.mtimeMs = table.mtimeMs;
    this.#fillDirectories();
    this.cachedTrees = cacheTree === null ? new Map() : collectTrees(cacheTree);
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

  #fillDirectories(): void {
    const root = this.#directory('');
    let prefix = '';
    let directory = root;
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
