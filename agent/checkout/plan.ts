/**
 * A tree's oid in, everything that checkout is to create out: index entries without stat data, in
 * index order, the directories that hold them, parents first, and the finished cache tree. Nothing
 * is written here; every name passes path-safety.ts, every tree tree.ts. Walks, never recurses.
 */
import { CheckoutError } from '../errors.ts';
import type { BlobSource, ObjectType } from './blob-source.ts';
import type { CacheTree } from './cache-tree.ts';
import { createEntry, EntryArena, MODE } from './index-entry.ts';
import type { IndexEntry } from './index-entry.ts';
import type { Pace } from './pace.ts';
import { MAX_PATH_BYTES, verifyName } from './path-safety.ts';
import { canonicalMode, parseTree, printable } from './tree.ts';
import type { TreeEntry } from './tree.ts';

export interface Plan {
  readonly entries: IndexEntry[];
  /** Relative paths without a trailing slash. A directory without any entry below is left out. */
  readonly directories: Buffer[];
  readonly cacheTree: CacheTree;
}

export interface PlanLimits {
  /** Most entries of all trees together: a few small trees can name each other 10^10 times. */
  readonly limitEntries: number;
  /** Bytes that the worktree's own path takes from PATH_MAX. */
  readonly worktreeBytes: number;
}

/** git knows this object without having it. */
const EMPTY_TREE_OID = '4b825dc642cb6eb9a060e54bf8d69288fbee4904';
const NO_BYTES = Buffer.alloc(0);
const SLASH = Buffer.from('/');

interface OpenTree {
  readonly node: { name: Buffer; entryCount: number; oid: string; children: CacheTree[] };
  readonly treeEntries: readonly TreeEntry[];
  next: number;
  /** Path with a trailing slash; empty for the root. */
  readonly prefix: Buffer;
  readonly firstEntry: number;
  planned: boolean;
}

/** Throws TREE_INVALID, TREE_PATH_REFUSED, OBJECT_MISSING, OBJECT_INVALID, PACK_LIMIT. */
export async function planCheckout(
  store: BlobSource,
  treeOid: string,
  limits: PlanLimits,
  pace: Pace,
): Promise<Plan> {
  const walk = new TreeWalk(store, treeOid, limits);
  while (walk.step()) if (pace.due) await pace.turn();
  return walk.plan;
}

class TreeWalk {
  readonly plan: Plan;
  readonly #store: BlobSource;
  readonly #limits: PlanLimits;
  readonly #arena = new EntryArena();
  readonly #open: OpenTree[] = [];
  #seen = 0;

  constructor(store: BlobSource, treeOid: string, limits: PlanLimits) {
    this.#store = store;
    this.#limits = limits;
    const root = this.#enter(treeOid, NO_BYTES, NO_BYTES);
    root.planned = true;
    this.plan = { entries: [], directories: [], cacheTree: root.node };
  }

  /** Takes the next entry of the innermost open tree. @returns false when all is done. */
  step(): boolean {
    const tree = this.#open.at(-1);
    if (tree === undefined) return false;
    const treeEntry = tree.treeEntries[tree.next++];
    if (treeEntry === undefined) this.#leave(tree);
    else this.#take(tree, treeEntry);
    return true;
  }

  #take(tree: OpenTree, treeEntry: TreeEntry): void {
    const { name, oid } = treeEntry;
    if (++this.#seen > this.#limits.limitEntries) {
      const { limitEntries } = this.#limits;
      throw new CheckoutError('PACK_LIMIT', `more than ${limitEntries} files and directories`);
    }
    const mode = canonicalMode(treeEntry);
    verifyName(name, mode);
    const pathBytes = tree.prefix.length + name.length;
    // PATH_MAX bounds the depth as well: 4,095 bytes are 2,048 components at most.
    if (pathBytes + this.#limits.worktreeBytes > MAX_PATH_BYTES) {
      const path = printable(Buffer.concat([tree.prefix, name]));
      throw new CheckoutError(
        'TREE_PATH_REFUSED',
        `tree path ${path}: ${pathBytes} bytes below the worktree, too long for a file`,
      );
    }
    if (mode === MODE.directory) {
      const child = this.#enter(oid, name, Buffer.concat([tree.prefix, name, SLASH]));
      tree.node.children.push(child.node);
      return;
    }
    this.#planDirectories();
    this.plan.entries.push(createEntry(this.#arena, mode, oid, tree.prefix, name));
  }

  #enter(oid: string, name: Buffer, prefix: Buffer): OpenTree {
    const tree = {
      node: { name: Buffer.from(name), entryCount: 0, oid, children: [] },
      treeEntries: parseTree(this.#readTree(oid, prefix)),
      next: 0,
      prefix,
      firstEntry: this.#open.length === 0 ? 0 : this.plan.entries.length,
      planned: false,
    };
    this.#open.push(tree);
    return tree;
  }

  #leave(tree: OpenTree): void {
    tree.node.entryCount = this.plan.entries.length - tree.firstEntry;
    this.#open.pop();
  }

  /** Only the last few open trees can be without their directory: parents come before children. */
  #planDirectories(): void {
    let first = this.#open.length;
    while (first > 0 && !this.#open[first - 1]!.planned) first--;
    for (; first < this.#open.length; first++) {
      const tree = this.#open[first]!;
      tree.planned = true;
      this.plan.directories.push(tree.prefix.subarray(0, -1));
    }
  }

  #readTree(oid: string, prefix: Buffer): Buffer {
    if (oid === EMPTY_TREE_OID) return NO_BYTES;
    const object = this.#store.read(oid);
    requireType(object, 'tree', oid, prefix);
    return object.content;
  }
}

/** OBJECT_MISSING or OBJECT_INVALID unless `object` is there and of the type that its place needs. */
export function requireType<T extends { readonly type: ObjectType }>(
  object: T | undefined,
  type: ObjectType,
  oid: string,
  path: Buffer,
): asserts object is T {
  const where = path.length === 0 ? 'the root' : printable(path);
  if (object === undefined) {
    throw new CheckoutError('OBJECT_MISSING', `${type} ${oid} of ${where} is missing`);
  }
  if (object.type !== type) {
    throw new CheckoutError(
      'OBJECT_INVALID',
      `expected a ${type} for ${where}, got ${oid}, a ${object.type}`,
    );
  }
}
