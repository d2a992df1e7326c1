/**
 * The trees of one commit in, in whatever order they turn up; everything that checkout is to create
 * out: entries without stat data, in index order, the directories that hold them, parents first, and the
 * finished cache tree. The kernel reads trees and keeps what they hold (agent/kernel/plan.ts);
 * what it refuses is read again here, and said: every name passes path-safety.ts, every tree tree.ts.
 * Nothing is written here. Walks, never recurses.
 */
import { CheckoutError } from '../errors.ts';
import type { KernelHost } from '../pack/kernel-host.ts';
import type { ObjectType } from './blob-source.ts';
import { rewriteTrees } from './planned-trees.ts';
import type { EarlyFiles } from './early-files.ts';
import { MODE, OID_BYTES } from './index-entry.ts';
import { NONE, ROOT, type NodeMemory, type NodeTable } from './node-table.ts';
import { MAX_PATH_BYTES, verifyName } from './path-safety.ts';
import { PlannedFiles } from './planned-files.ts';
import { canonicalMode, parseTree, printable } from './tree.ts';
import { EMPTY_TREE_OID } from './well-known-objects.ts';

/** What agent/kernel/plan.ts returns. */
const PLANNED = 0;
const TREE_REFUSED = 1;

/** Throws TREE_INVALID, TREE_PATH_REFUSED, PACK_LIMIT. */
export class TreePlanner {
  readonly #given: NodeMemory;
  readonly #host: KernelHost;
  readonly #files: EarlyFiles;
  readonly #nodes: NodeTable;
  /** Bytes that the worktree's own path takes from PATH_MAX. */
  readonly #worktreeBytes: number;

  /** @param files of this thread: what the kernel asks for names, and lends room to. */
  constructor(treeOid: string, given: NodeMemory, host: KernelHost, files: EarlyFiles) {
    this.#given = given;
    this.#host = host;
    this.#files = files;
    this.#nodes = files.nodes;
    this.#worktreeBytes = Buffer.byteLength(given.worktree) + 1;
    const room = files.roomFor(OID_BYTES);
    room.write(treeOid, 'hex');
    const { capacity, byteLimit } = given;
    const { byteOffset } = room;
    const code = host.kernel.beginPlan(byteOffset, capacity, byteLimit, this.#worktreeBytes);
    if (code !== PLANNED) this.#refuseSize();
    this.#nodes.setMade(ROOT);
  }

  get isComplete(): boolean {
    return this.#host.kernel.wantedTrees.value === 0;
  }

  /** A place whose tree is wanted, of those from `from` on; undefined when none is. */
  nextWanted(from: number): { readonly node: number; readonly oid: string } | undefined {
    const node = this.#host.kernel.nextWanted(from);
    return node === NONE ? undefined : { node, oid: this.#nodes.entry(node).oid };
  }

  /** The path of a directory, with a slash at its end but for the root's. */
  pathOf(node: number): Buffer {
    return this.#nodes.entry(node).path;
  }

  /** Takes the tree that is wanted at the node. The content is the caller's again afterwards. */
  add(node: number, oid: string, content: Buffer): void {
    const room = this.#files.roomFor(OID_BYTES + content.length);
    room.write(oid, 'hex');
    content.copy(room, OID_BYTES);
    const { byteOffset } = room;
    const { kernel } = this.#host;
    const code = kernel.planTree(byteOffset, byteOffset + OID_BYTES, content.length);
    if (code === TREE_REFUSED) this.#refuseTree(node, content);
    if (code !== PLANNED) this.#refuseSize();
  }

  get fileCount(): number {
    return this.#nodes.missingAmong(this.#host.kernel.nodeCount.value);
  }

  /** All that was planned; nothing is wanted any more. @param has whether there is a tree of that oid. */
  finish(has: (oid: string) => boolean): PlannedFiles {
    const files = new PlannedFiles(this.#nodes, this.#host);
    rewriteTrees(files, (oid) => oid === EMPTY_TREE_OID || has(oid));
    return files;
  }

  /** The same tree once more, for what is wrong with it, at one of its places. */
  #refuseTree(node: number, content: Buffer): never {
    for (const entry of parseTree(content)) {
      verifyName(entry.name, canonicalMode(entry));
      for (const place of this.#placesOf(node)) this.#requireLength(place, entry.name);
    }
    throw new TypeError(
      `the kernel refused the tree of ${printable(this.pathOf(node))}, which is well`,
    );
  }

  /** All nodes of the same tree. */
  #placesOf(node: number): number[] {
    const { oid } = this.#nodes.entry(node);
    const count = this.#host.kernel.nodeCount.value;
    const places: number[] = [];
    for (let at = 0; at < count; at++) {
      const entry = this.#nodes.entry(at);
      if (entry.mode === MODE.directory && entry.oid === oid) places.push(at);
    }
    return places;
  }

  /** PATH_MAX bounds the depth as well: 4,095 bytes are 2,048 components at most. */
  #requireLength(directory: number, name: Buffer): void {
    const pathBytes = this.#nodes.prefixBytes(directory) + name.length;
    if (pathBytes + this.#worktreeBytes <= MAX_PATH_BYTES) return;
    const path = printable(Buffer.concat([this.pathOf(directory), name]));
    throw new CheckoutError(
      'TREE_PATH_REFUSED',
      `tree path ${path}: ${pathBytes} bytes below the worktree, too long for a file`,
    );
  }

  #refuseSize(): never {
    const { capacity, byteLimit } = this.#given;
    throw new CheckoutError(
      'PACK_LIMIT',
      `more than ${capacity - 1} files and directories, or ${byteLimit} bytes of their paths`,
    );
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
