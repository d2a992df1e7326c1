/**
 * What the kernel knows of a worktree that is planned (agent/kernel/nodes.ts), as TypeScript sees it: a
 * node for each file and directory, by its number. The memory is shared with all threads of a pack,
 * and committed by the system as it is written.
 */
import { randomBytes } from 'node:crypto';
import type { KernelHost } from '../pack/kernel-host.ts';
import { FIXED_BYTES, IndexEntry, MODE, OID_BYTES } from './index-entry.ts';
import { checkoutTime } from './worktree-files.ts';

/** Addresses for so long a path each, on average. */
const PATH_BYTES = 64;
/** Of it: two cells, an oid. */
const CONTROL_BYTES = 64;

/** Where a file stands; of a directory, 1 is that it was made. */
export const STATE = { missing: 0, claimed: 1, written: 2, lfsPointer: 3 } as const;
const MADE = 1;
/** No node. */
export const NONE = -1;
/** The worktree itself. */
export const ROOT = 0;

/** In a directory's place of stat data: agent/kernel/nodes.ts, checkout.ts. */
const FIRST_AT = 0;
const COUNT_AT = 4;
const BELOW_AT = 16;
const BITS_AT = 20;
const CHANGED = 2;
const INVALID = 4;
const OID_AT = 40;

/** All that a thread gets to see: addresses, and where the files go. */
export interface NodeMemory {
  readonly worktree: string;
  readonly mtimeSec: number;
  /** See setNodes() in agent/kernel/nodes.ts. */
  readonly addresses: readonly [number, number, number, number, number, number];
  /** Most nodes, and bytes of all of them. */
  readonly capacity: number;
  readonly byteLimit: number;
  /** Two odd numbers that nobody can guess: who makes oids that collide must not slow a lookup. */
  readonly seeds: readonly [number, number];
}

/** Throws PACK_LIMIT. */
export function createNodeMemory(worktree: string, capacity: number, host: KernelHost): NodeMemory {
  const byteLimit = capacity * (FIXED_BYTES + PATH_BYTES) + PATH_BYTES ** 3;
  const take = (bytes: number): number => host.take(bytes).byteOffset;
  return {
    worktree,
    mtimeSec: checkoutTime(),
    addresses: [
      take(CONTROL_BYTES),
      take(byteLimit),
      take((capacity + 1) * 4),
      take(capacity * 4),
      take(capacity * 4),
      take(capacity),
    ],
    capacity,
    byteLimit,
    seeds: [randomBytes(4).readUInt32LE() | 1, randomBytes(4).readUInt32LE() | 1],
  };
}

/** A file that is planned, and its number. */
class NodeEntry extends IndexEntry {
  readonly node: number;

  constructor(bytes: Buffer, start: number, end: number, node: number) {
    super(bytes, start, bytes, start + FIXED_BYTES, end);
    this.node = node;
  }
}

export class NodeTable {
  readonly #bytes: Buffer;
  readonly #starts: Uint32Array;
  readonly #parents: Int32Array;
  readonly #states: Uint8Array;

  /** Tells the kernel, too. */
  constructor({ addresses, capacity, byteLimit, seeds }: NodeMemory, host: KernelHost) {
    const { buffer } = host.memory;
    const [, bytes, starts, parents, , states] = addresses;
    this.#bytes = Buffer.from(buffer, bytes, byteLimit);
    this.#starts = new Uint32Array(buffer, starts, capacity + 1);
    this.#parents = new Int32Array(buffer, parents, capacity);
    this.#states = new Uint8Array(buffer, states, capacity);
    host.kernel.setNodes(...addresses, ...seeds);
  }

  /** A view on the node; of a directory's, the path ends in a slash. */
  entry(node: number): IndexEntry {
    return new NodeEntry(this.#bytes, this.#starts[node]!, this.#starts[node + 1]!, node);
  }

  /** Raw bytes of its path, without a slash at the end; a view. */
  path(node: number): Buffer {
    const end = this.#starts[node + 1]!;
    const slash = node !== ROOT && this.isDirectory(node) ? 1 : 0;
    return this.#bytes.subarray(this.#starts[node]! + FIXED_BYTES, end - slash);
  }

  /** The last component of the path. */
  name(node: number): Buffer {
    const path = this.path(node);
    const parent = this.#parents[node]!;
    return parent === NONE ? path : path.subarray(this.prefixBytes(parent));
  }

  /** Of a directory: what its path takes of the path of whatever is in it. */
  prefixBytes(node: number): number {
    return this.#starts[node + 1]! - this.#starts[node]! - FIXED_BYTES;
  }

  parent(node: number): number {
    return this.#parents[node]!;
  }

  isDirectory(node: number): boolean {
    return this.entry(node).mode === MODE.directory;
  }

  oid(node: number): string {
    const at = this.#starts[node]! + OID_AT;
    return this.#bytes.toString('hex', at, at + OID_BYTES);
  }

  setOid(node: number, oid: string): void {
    this.#bytes.write(oid, this.#starts[node]! + OID_AT, OID_BYTES, 'hex');
  }

  /** Of a directory whose tree is known: its entries are the nodes [first, first + count). */
  tree(node: number): { readonly first: number; readonly count: number } {
    const at = this.#starts[node]!;
    const bytes = this.#bytes;
    return { first: bytes.readInt32LE(at + FIRST_AT), count: bytes.readInt32LE(at + COUNT_AT) };
  }

  /** Of a directory, once all nodes have their order: files below it, in all levels. */
  filesBelow(node: number): number {
    return this.#bytes.readInt32LE(this.#starts[node]! + BELOW_AT);
  }

  /** The same: whether git would write another tree for it. */
  isChanged(node: number): boolean {
    return this.#hasBit(node, CHANGED);
  }

  setChanged(node: number): void {
    this.#setBit(node, CHANGED);
  }

  /** The same: whether there is no such tree. */
  isInvalid(node: number): boolean {
    return this.#hasBit(node, INVALID);
  }

  setInvalid(node: number): void {
    this.#setBit(node, INVALID);
  }

  #hasBit(node: number, bit: number): boolean {
    return (this.#bytes.readUInt32LE(this.#starts[node]! + BITS_AT) & bit) !== 0;
  }

  #setBit(node: number, bit: number): void {
    const at = this.#starts[node]! + BITS_AT;
    this.#bytes.writeUInt32LE(this.#bytes.readUInt32LE(at) | bit, at);
  }

  /** A value of STATE: of an entry of another table, that it is missing. */
  stateOf(entry: IndexEntry): number {
    return entry instanceof NodeEntry ? this.#states[entry.node]! : STATE.missing;
  }

  isMade(node: number): boolean {
    return this.#states[node] === MADE;
  }

  /** The file is gone again. */
  setMissing(entry: IndexEntry): void {
    if (entry instanceof NodeEntry) this.#states[entry.node] = STATE.missing;
  }

  setMade(node: number): void {
    this.#states[node] = MADE;
  }

  /** Files among the first `count` nodes that nobody has begun yet. */
  missingAmong(count: number): number {
    let missing = 0;
    for (let node = 0; node < count; node++) {
      if (this.#states[node] !== STATE.missing) continue;
      const { mode } = this.entry(node);
      if (mode === MODE.regular || mode === MODE.executable) missing++;
    }
    return missing;
  }
}
