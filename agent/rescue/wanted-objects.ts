/**
 * Roots in; a table of every object that they lead to and that the remote does not certainly have
 * out, and what the table builds on. Objects named somewhere and found nowhere are told, and what
 * leads to them still comes along. Contents are read one at a time and not kept.
 */
import { EMPTY_BLOB_OID, EMPTY_TREE_OID } from '../checkout/well-known-objects.ts';
import { createHash } from 'node:crypto';
import { OBJECT_TYPE } from '../pack/entry-header.ts';
import type { GitObject, ObjectStore } from '../pack/object-store.ts';
import { ObjectTable } from '../pack/object-table.ts';
import type { CommitSource } from '../repository/commits.ts';
import { doubtOf } from '../repository/doubt.ts';
import type { Pace } from '../repository/pace.ts';
import { findUnpushed } from '../repository/reachability.ts';
import type { BytePath } from '../repository/byte-path.ts';
import { lfsOidOf } from './lfs-objects.ts';
import { linksOf, treeOf, treeOfAll } from './links.ts';
import type { Link } from './links.ts';
import type { Root } from './object-roots.ts';

export interface WantedContext {
  readonly store: ObjectStore;
  readonly commits: CommitSource;
  /** Commits that the remote certainly has, and with them all that they lead to. */
  readonly certain: ReadonlySet<string>;
  /** Tag objects that the remote certainly has. */
  readonly certainTags: ReadonlySet<string>;
  /** Objects that turned out to be unreadable. */
  readonly broken: ReadonlySet<string>;
  /** History ends at these. */
  readonly shallow: ReadonlySet<string>;
  readonly pace: Pace;
}

export interface WantedObjects {
  readonly table: ObjectTable;
  readonly commitCount: number;
  /** Names for the bundle: of what is in the table, and of own refs that the remote has. */
  readonly refs: ReadonlyMap<BytePath, string>;
  /** What the table's objects and the own refs build on. */
  readonly prerequisites: ReadonlySet<string>;
  readonly missing: ReadonlySet<string>;
  /** Objects of the table that no store has: the tree that holds together what no ref leads to. */
  readonly made: ReadonlyMap<string, GitObject>;
  /** SHA-256 oids of Git LFS pointers among the blobs. */
  readonly lfsOids: ReadonlySet<string>;
}

const NOTHING = Buffer.alloc(0);
/** Trees of so many commits are known before the walk: enough for every line of work. */
const EDGE_LIMIT = 256;

export async function findWanted(
  context: WantedContext,
  roots: readonly Root[],
): Promise<WantedObjects> {
  const walk = new WantedWalk(context);
  await walk.decide(roots);
  for (const root of roots) await walk.take(root);
  walk.nameLoose();
  return walk;
}

class WantedWalk implements WantedObjects {
  readonly table = new ObjectTable();
  readonly refs = new Map<BytePath, string>();
  readonly prerequisites = new Set<string>();
  readonly missing = new Set<string>();
  readonly lfsOids = new Set<string>();
  readonly made = new Map<string, GitObject>();
  commitCount = 0;
  readonly #context: WantedContext;
  /** Trees and blobs of what the wanted commits build on. */
  readonly #known = new ObjectTable();
  /** undefined: everything is wanted. */
  #unpushed: ReadonlyMap<string, unknown> | undefined;
  #unnamed = 0;
  /** Blobs and trees of the index that nothing else leads to. */
  readonly #loose: Link[] = [];

  constructor(context: WantedContext) {
    this.#context = context;
  }

  /** Tells the wanted commits from the others, and learns the trees of those they build on. */
  async decide(roots: readonly Root[]): Promise<void> {
    const { certain, commits, pace } = this.#context;
    if (certain.size === 0) return;
    const tips = new Set<string>();
    for (const { oid } of roots) {
      const commit = this.#commitOf(oid);
      if (commit !== null) tips.add(commit);
      if (pace.due) await pace.rest();
    }
    try {
      this.#unpushed = await findUnpushed(commits, tips, certain, pace);
    } catch (error) {
      // A history with a hole: what the remote has cannot be told, so all that is here comes along.
      if (doubtOf(error) === undefined) throw error;
      return;
    }
    const edges = new Set<string>();
    for (const oid of this.#unpushed.keys()) {
      for (const parent of commits.read(oid).parents) {
        if (!this.#unpushed.has(parent)) edges.add(parent);
      }
    }
    for (const edge of edges) this.prerequisites.add(edge);
    // An index without a commit of its own builds on HEAD.
    const heads = roots.filter(({ own }) => own).map(({ oid }) => this.#commitOf(oid));
    for (const head of heads.slice(0, 4)) if (head !== null && this.#has(head)) edges.add(head);
    for (const edge of [...edges].slice(0, EDGE_LIMIT)) await this.#learnTree(edge);
  }

  async take({ oid, ref, own }: Root): Promise<void> {
    if (this.table.has(oid) || this.#known.has(oid)) {
      if (ref !== null) this.refs.set(ref, oid);
      return;
    }
    const header = this.#header(oid);
    if (header === undefined) {
      this.#miss(oid);
      return;
    }
    if (this.#isTheRemotes(oid, header.type)) {
      if (!own) return;
      this.prerequisites.add(oid);
      if (ref !== null && header.type === 'commit') this.refs.set(ref, oid);
      return;
    }
    await this.#takeAll(oid, header.type);
    if (ref !== null) this.refs.set(ref, oid);
    else if (header.type === 'commit' || header.type === 'tag') {
      const kind = own ? 'state' : 'reflog';
      this.refs.set(`refs/rescue/${kind}/${this.#unnamed++}`, oid);
    } else if (this.table.has(oid)) {
      this.#loose.push([oid, header.type]);
    }
  }

  /** Git takes nothing out of a bundle but what a ref leads to: they become entries of one tree. */
  nameLoose(): void {
    if (this.#loose.length === 0) return;
    const content = treeOfAll(this.#loose);
    const oid = createHash('sha1').update(`tree ${content.length}\0`).update(content).digest('hex');
    this.table.add(oid, OBJECT_TYPE.tree, content.length);
    this.made.set(oid, { type: 'tree', content });
    this.refs.set('refs/rescue/index', oid);
  }

  #isTheRemotes(oid: string, type: string): boolean {
    if (type === 'commit') return this.#unpushed?.has(oid) === false;
    return type === 'tag' && this.#context.certainTags.has(oid);
  }

  #has(commit: string): boolean {
    return this.#unpushed?.has(commit) === false;
  }

  /** Adds everything that `oid` leads to, each object once. */
  async #takeAll(oid: string, type: string): Promise<void> {
    const { pace } = this.#context;
    const pending: Link[] = [[oid, type]];
    for (let item = pending.pop(); item !== undefined; item = pending.pop()) {
      if (pace.due) await pace.rest();
      const [each, kind] = item;
      if (this.table.has(each) || this.#known.has(each)) continue;
      if (this.#isTheRemotes(each, kind)) continue;
      if (kind === 'blob') this.#takeBlob(each);
      else this.#takeNode(each, pending);
    }
  }

  #takeNode(oid: string, pending: Link[]): void {
    const object = this.#read(oid);
    if (object === undefined) {
      this.#miss(oid);
      return;
    }
    const { type, content } = object;
    this.table.add(oid, OBJECT_TYPE[type], content.length);
    if (type === 'commit') this.commitCount++;
    for (const link of linksOf(type, content, this.#context.shallow.has(oid))) pending.push(link);
  }

  #takeBlob(oid: string): void {
    const header = this.#header(oid);
    if (header === undefined) {
      this.#miss(oid);
      return;
    }
    this.table.add(oid, OBJECT_TYPE[header.type], header.size);
    const lfsOid = lfsOidOf(header.size, () => this.#read(oid)?.content);
    if (lfsOid !== undefined) this.lfsOids.add(lfsOid);
  }

  async #learnTree(commit: string): Promise<void> {
    const { pace } = this.#context;
    const tree = treeOf(this.#read(commit)?.content ?? NOTHING);
    const pending: Link[] = tree === undefined ? [] : [[tree, 'tree']];
    for (let item = pending.pop(); item !== undefined; item = pending.pop()) {
      if (pace.due) await pace.rest();
      const [oid, type] = item;
      if (this.#known.add(oid) === -1 || type !== 'tree') continue;
      for (const link of linksOf('tree', this.#read(oid)?.content ?? NOTHING, false)) {
        pending.push(link);
      }
    }
  }

  /** Git knows these two without having them. */
  #miss(oid: string): void {
    if (oid !== EMPTY_BLOB_OID && oid !== EMPTY_TREE_OID) this.missing.add(oid);
  }

  #commitOf(oid: string): string | null {
    if (this.#header(oid) === undefined) return null;
    return orUndefined(() => this.#context.commits.peel(oid)) ?? null;
  }

  /** A damaged object counts as missing: there is nothing to take. */
  #header(oid: string): ReturnType<ObjectStore['header']> {
    return this.#context.broken.has(oid)
      ? undefined
      : orUndefined(() => this.#context.store.header(oid));
  }

  #read(oid: string): ReturnType<ObjectStore['read']> {
    return this.#context.broken.has(oid)
      ? undefined
      : orUndefined(() => this.#context.store.read(oid));
  }
}

function orUndefined<T>(read: () => T): T | undefined {
  try {
    return read();
  } catch (error) {
    if (doubtOf(error) === undefined) throw error;
    return undefined;
  }
}
