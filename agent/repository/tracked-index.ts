/**
 * The index as the ledger keeps it from reading to reading: columns instead of an object per entry
 * (about 100 bytes each, all told), and for each directory which entries lie directly in it.
 * In: a Git directory; out: entries by position, in Git's order. gitformat-index.
 */
import { readIndex } from '../checkout/index-reader.ts';
import type { CacheTree } from '../checkout/cache-tree.ts';
import { MODE } from '../checkout/index-entry.ts';
import type { IndexEntry } from '../checkout/index-entry.ts';
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

const OID_BYTES = 20;
const FLAG = { stage: 3, skipWorktree: 4, intentToAdd: 8 } as const;
const SLASH = 47;

/** @throws AgentError (INDEX_INVALID) for what Git could not read either. */
export async function readTrackedIndex(gitdir: BytePath, pace: Pace): Promise<TrackedIndex> {
  if (!isUtf8(gitdir)) throw new Doubt('the path of the Git directory is not UTF-8');
  const { entries, cacheTree, mtimeNs } = readIndex(displayPath(gitdir));
  await pace.rest();
  const index = new TrackedIndex(entries, cacheTree, mtimeNs);
  await pace.rest();
  return index;
}

export class TrackedIndex implements StagedIndex {
  readonly count: number;
  /** Of the index file: an entry that is not older may hide a later change of the same size. */
  readonly mtimeMs: number;
  readonly modes: Uint32Array;
  /** The low 32 bits, as Git keeps them. */
  readonly sizes: Uint32Array;
  readonly inodes: Uint32Array;
  /** As node:fs computes them, so that equal times are equal numbers. */
  readonly mtimesMs: Float64Array;
  readonly ctimesMs: Float64Array;
  /** Paths in conflict. */
  readonly conflicts = new Set<BytePath>();
  readonly submodules: number[] = [];
  /** Directory (empty for the root, no slash at the end) → oid of its tree, where it is known. */
  readonly cachedTrees: ReadonlyMap<BytePath, string>;
  readonly #flags: Uint8Array;
  readonly #oids: Buffer;
  readonly #paths: Buffer;
  readonly #pathAt: Uint32Array;
  readonly #directories = new Map<BytePath, { positions: number[]; children: BytePath[] }>();

  constructor(entries: readonly IndexEntry[], cacheTree: CacheTree | null, mtimeNs: bigint) {
    const count = entries.length;
    this.count = count;
    this.mtimeMs = Number(mtimeNs / 1_000_000_000n) * 1e3 + Number(mtimeNs % 1_000_000_000n) / 1e6;
    this.modes = new Uint32Array(count);
    this.sizes = new Uint32Array(count);
    this.inodes = new Uint32Array(count);
    this.mtimesMs = new Float64Array(count);
    this.ctimesMs = new Float64Array(count);
    this.#flags = new Uint8Array(count);
    this.#oids = Buffer.allocUnsafeSlow(count * OID_BYTES);
    this.#pathAt = new Uint32Array(count + 1);
    this.#paths = Buffer.allocUnsafeSlow(entries.reduce((sum, entry) => sum + entry.pathBytes, 0));
    for (const [position, entry] of entries.entries()) this.#take(position, entry);
    this.#fillDirectories();
    this.cachedTrees = cacheTree === null ? new Map() : collectTrees(cacheTree);
  }

  path(position: number): BytePath {
    return this.#paths.toString('latin1', this.#pathAt[position], this.#pathAt[position + 1]);
  }

  /** The path without its directory, whose length with the slash is given. */
  name(position: number, prefixLength: number): BytePath {
    const start = this.#pathAt[position]! + prefixLength;
    return this.#paths.toString('latin1', start, this.#pathAt[position + 1]);
  }

  oid(position: number): string {
    return this.#oids.toString('hex', position * OID_BYTES, (position + 1) * OID_BYTES);
  }

  mode(position: number): number {
    return this.modes[position]!;
  }

  stage(position: number): number {
    return this.#flags[position]! & FLAG.stage;
  }

  isSkipWorktree(position: number): boolean {
    return (this.#flags[position]! & FLAG.skipWorktree) !== 0;
  }

  isIntentToAdd(position: number): boolean {
    return (this.#flags[position]! & FLAG.intentToAdd) !== 0;
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

  comparePath(position: number, other: TrackedIndex, otherPosition: number): number {
    return (
      other.#paths.compare(
        this.#paths,
        this.#pathAt[position],
        this.#pathAt[position + 1],
        other.#pathAt[otherPosition],
        other.#pathAt[otherPosition + 1],
      ) * -1
    );
  }

  /** Whether an entry of the same path says the same of its file. */
  isSameEntry(position: number, other: TrackedIndex, at: number): boolean {
    return (
      this.mtimesMs[position] === other.mtimesMs[at] &&
      this.ctimesMs[position] === other.ctimesMs[at] &&
      this.sizes[position] === other.sizes[at] &&
      this.inodes[position] === other.inodes[at] &&
      this.modes[position] === other.modes[at] &&
      this.#flags[position] === other.#flags[at] &&
      this.#oids.compare(
        other.#oids,
        at * OID_BYTES,
        (at + 1) * OID_BYTES,
        position * OID_BYTES,
        (position + 1) * OID_BYTES,
      ) === 0
    );
  }

  #take(position: number, entry: IndexEntry): void {
    const { mode, stage } = entry;
    this.modes[position] = mode;
    this.sizes[position] = entry.size;
    this.inodes[position] = entry.ino;
    this.mtimesMs[position] = entry.mtimeSec * 1e3 + entry.mtimeNsec / 1e6;
    this.ctimesMs[position] = entry.ctimeSec * 1e3 + entry.ctimeNsec / 1e6;
    this.#flags[position] =
      stage |
      (entry.skipWorktree ? FLAG.skipWorktree : 0) |
      (entry.intentToAdd ? FLAG.intentToAdd : 0);
    this.#oids.write(entry.oid, position * OID_BYTES, OID_BYTES, 'hex');
    this.#pathAt[position + 1] = entry.copyPathTo(this.#paths, this.#pathAt[position]!);
    if (stage !== 0) this.conflicts.add(this.path(position));
    else if (mode === MODE.gitlink) this.submodules.push(position);
  }

  #fillDirectories(): void {
    const root = this.#directory('');
    let prefix = '';
    let directory = root;
    for (let position = 0; position < this.count; position++) {
      const start = this.#pathAt[position]!;
      const end = this.#pathAt[position + 1]!;
      // A sparse index names a whole directory with its slash.
      const slash = this.#paths.lastIndexOf(SLASH, end - 2);
      const found = slash < start ? '' : this.#paths.toString('latin1', start, slash + 1);
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
