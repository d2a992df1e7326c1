/**
 * The trees of one commit in, in whatever order they turn up; everything that checkout is to create
 * out: index entries without stat data, in index order, the directories that hold them, parents
 * first, and the finished cache tree. Nothing is written here; every name passes path-safety.ts,
 * every tree tree.ts. Walks, never recurses.
 */
import { CheckoutError } from '../errors.ts';
import type { ObjectType } from './blob-source.ts';
import type { CacheTree } from './cache-tree.ts';
import { isCanonical, treeOidOf } from './canonical-tree.ts';
import { MODE } from './index-entry.ts';
import type { IndexEntry } from './index-entry.ts';
import { MAX_PATH_BYTES, verifyName } from './path-safety.ts';
import { canonicalMode, parseTree, printable } from './tree.ts';
import type { TreeEntry } from './tree.ts';
import { EMPTY_TREE_OID } from './well-known-objects.ts';

export interface Plan {
  readonly entries: IndexEntry[];
  /** Without any entry below, a directory is left out. */
  readonly directories: Directory[];
  readonly cacheTree: CacheTree;
}

export interface Directory {
  /** Relative, without a trailing slash; empty for the root. */
  readonly path: Buffer;
  /** Its number among all that were ever seen, parents before children; the root is 0. */
  readonly index: number;
  readonly parent: Directory | null;
}

export interface PlanLimits {
  /** Most entries of all trees together: a few small trees can name each other 10^10 times. */
  readonly limitEntries: number;
  /** Bytes that the worktree's own path takes from PATH_MAX. */
  readonly worktreeBytes: number;
}

/** Where the planned entries are kept. */
export interface EntryKeeper {
  /** @param prefix the directory's path with a slash, empty for the root. */
  add(mode: number, oid: string, directory: Directory, prefix: Buffer, name: Buffer): IndexEntry;
}

const NO_BYTES = Buffer.alloc(0);
const SLASH = Buffer.from('/');

/** A place in the worktree where a tree belongs. */
interface TreePlace {
  readonly oid: string;
  readonly name: Buffer;
  /** Path with a trailing slash; empty for the root. */
  readonly prefix: Buffer;
  readonly directory: Directory;
  /** What the tree holds, in its order; null until it is known. */
  children: (TreePlace | IndexEntry)[] | null;
  isCanonical: boolean;
}

/** Throws TREE_INVALID, TREE_PATH_REFUSED, PACK_LIMIT. */
export class TreePlanner {
  readonly #limits: PlanLimits;
  readonly #keeper: EntryKeeper;
  readonly #root: TreePlace;
  /** Places whose tree is still to come. */
  readonly #wanted = new Map<string, TreePlace[]>();
  #seen = 0;
  #directories = 0;

  constructor(treeOid: string, limits: PlanLimits, keeper: EntryKeeper) {
    this.#limits = limits;
    this.#keeper = keeper;
    this.#root = this.#open(treeOid, NO_BYTES, null);
  }

  /** A tree that is wanted, and where, for messages; undefined when nothing is missing. */
  get nextWanted(): { readonly oid: string; readonly path: Buffer } | undefined {
    for (const [oid, [place]] of this.#wanted) return { oid, path: place!.prefix };
    return undefined;
  }

  wants(oid: string): boolean {
    return this.#wanted.has(oid);
  }

  get wantedOids(): string[] {
    return [...this.#wanted.keys()];
  }

  /** Takes a tree that is wanted. The content is the caller's again afterwards. */
  add(oid: string, content: Buffer): void {
    const places = this.#wanted.get(oid) ?? [];
    this.#wanted.delete(oid);
    const entries = parseTree(content);
    const canonical = isCanonical(entries, content.length);
    for (const place of places) {
      place.children = entries.map((entry) => this.#take(place, entry));
      place.isCanonical = canonical;
    }
  }

  /** The plan; nothing is wanted any more. @param has whether there is a tree of that oid. */
  finish(has: (oid: string) => boolean): Plan {
    return assemble(this.#root, (oid) => oid === EMPTY_TREE_OID || has(oid));
  }

  #take(parent: TreePlace, { mode: storedMode, name, oid }: TreeEntry): TreePlace | IndexEntry {
    if (++this.#seen > this.#limits.limitEntries) {
      const { limitEntries } = this.#limits;
      throw new CheckoutError('PACK_LIMIT', `more than ${limitEntries} files and directories`);
    }
    const mode = canonicalMode({ mode: storedMode, name, oid });
    verifyName(name, mode);
    const { prefix, directory } = parent;
    const pathBytes = prefix.length + name.length;
    // PATH_MAX bounds the depth as well: 4,095 bytes are 2,048 components at most.
    if (pathBytes + this.#limits.worktreeBytes > MAX_PATH_BYTES) {
      const path = printable(Buffer.concat([prefix, name]));
      throw new CheckoutError(
        'TREE_PATH_REFUSED',
        `tree path ${path}: ${pathBytes} bytes below the worktree, too long for a file`,
      );
    }
    if (mode === MODE.directory) return this.#open(oid, name, parent);
    return this.#keeper.add(mode, oid, directory, prefix, name);
  }

  #open(oid: string, name: Buffer, parent: TreePlace | null): TreePlace {
    const prefix = parent === null ? NO_BYTES : Buffer.concat([parent.prefix, name, SLASH]);
    const path = prefix.subarray(0, -1);
    const directory = { path, index: this.#directories++, parent: parent?.directory ?? null };
    const place = {
      ...{ oid, name: Buffer.from(name), prefix, directory },
      ...{ children: null, isCanonical: true },
    };
    if (oid === EMPTY_TREE_OID) return { ...place, children: [] };
    const places = this.#wanted.get(oid);
    if (places === undefined) this.#wanted.set(oid, [place]);
    else places.push(place);
    return place;
  }
}

interface OpenNode {
  readonly place: TreePlace;
  readonly node: CacheTree & {
    entryCount: number;
    oid: string | null;
    readonly children: CacheTree[];
  };
  readonly firstEntry: number;
  /** Git would write it with another oid. */
  changed: boolean;
  next: number;
  planned: boolean;
}

/** Depth first, so that entries come in index order: a tree sorts as its paths do. */
function assemble(root: TreePlace, has: (oid: string) => boolean): Plan {
  const entries: IndexEntry[] = [];
  const directories: Directory[] = [];
  const top = enter(root, 0);
  top.planned = true;
  const open = [top];
  for (let tree = open.at(-1); tree !== undefined; tree = open.at(-1)) {
    const child = tree.place.children?.[tree.next++];
    if (child === undefined) {
      tree.node.entryCount = entries.length - tree.firstEntry;
      open.pop();
      close(tree, open.at(-1), has);
    } else if ('children' in child) {
      const inner = enter(child, entries.length);
      tree.node.children.push(inner.node);
      open.push(inner);
    } else {
      // Only the last few open trees can be without their directory.
      let first = open.length;
      while (!open[first - 1]!.planned) first--;
      for (const each of open.slice(first)) {
        each.planned = true;
        directories.push(each.place.directory);
      }
      entries.push(child);
    }
  }
  return { entries, directories, cacheTree: top.node };
}

function enter(place: TreePlace, firstEntry: number): OpenNode {
  const node = { name: place.name, entryCount: 0, oid: place.oid, children: [] };
  return { place, node, firstEntry, changed: !place.isCanonical, next: 0, planned: false };
}

/** An index knows no empty directory, and a tree only as git itself would write it. */
function close(
  { place, node, changed }: OpenNode,
  parent: OpenNode | undefined,
  has: (oid: string) => boolean,
): void {
  if (node.entryCount === 0 && parent !== undefined) {
    parent.node.children.pop();
    parent.changed = true;
    return;
  }
  if (!changed) return;
  const oid = rewrittenOid(place, node.children);
  node.oid = oid !== null && has(oid) ? oid : null;
  if (node.oid === null) node.entryCount = -1;
  if (parent !== undefined && node.oid !== place.oid) parent.changed = true;
}

/** null when git would have to write a tree below it first. */
function rewrittenOid({ children, prefix }: TreePlace, nodes: readonly CacheTree[]): string | null {
  const entries: TreeEntry[] = [];
  let next = 0;
  for (const child of children ?? []) {
    if (!('children' in child)) {
      const { mode, oid, path } = child;
      entries.push({ mode, name: path.subarray(prefix.length), oid });
    } else if (nodes[next]?.name === child.name) {
      const { name, oid } = nodes[next++]!;
      if (oid === null) return null;
      entries.push({ mode: MODE.directory, name, oid });
    }
  }
  return treeOidOf(entries);
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
