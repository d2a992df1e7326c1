/**
 * All trees of a checkout known: what it is to create, by the index's order, and what of it is there already
 * (agent/kernel/checkout.ts). Out, too: the entries of the index, in pieces.
 */
import type { KernelHost } from '../pack/kernel-host.ts';
import type { IndexEntry } from './index-entry.ts';
import type { NodeTable } from './node-table.ts';

/** What is written at once; an entry takes 4,168 bytes at most. */
const PIECE_BYTES = 2 ** 20;

export interface WrittenFiles {
  readonly files: number;
  /** Of their contents. */
  readonly bytes: number;
  readonly lfsPointers: number;
}

export class PlannedFiles {
  /** Files, symlinks and gitlinks. */
  readonly count: number;
  /** Nodes, parents first. Without any entry below, a directory is left out, and so is the root. */
  readonly directories: Int32Array;
  /** Directories for which git would write another tree. */
  readonly changedCount: number;
  readonly nodes: NodeTable;
  readonly #host: KernelHost;
  /** Of an array of nodes. */
  readonly #files: number;
  readonly #order: Int32Array;
  readonly #directories: number;

  /** Throws PACK_LIMIT. */
  constructor(nodes: NodeTable, host: KernelHost) {
    const { kernel, memory } = host;
    const bytes = kernel.nodeCount.value * 4;
    this.nodes = nodes;
    this.#host = host;
    this.#files = host.take(bytes).byteOffset;
    this.#directories = host.take(bytes).byteOffset;
    kernel.orderNodes(this.#files, this.#directories);
    this.count = kernel.fileCount.value;
    this.changedCount = kernel.changedCount.value;
    this.#order = new Int32Array(memory.buffer, this.#files, this.count);
    const count = kernel.directoryCount.value;
    this.directories = new Int32Array(memory.buffer, this.#directories, count);
  }

  /** One view for each: for who needs all. */
  get entries(): IndexEntry[] {
    return Array.from(this.#order, (node) => this.nodes.entry(node));
  }

  /** Those called .gitattributes. */
  get attributeFiles(): IndexEntry[] {
    const { kernel } = this.#host;
    return [...this.#each((from) => kernel.nextAttributes(this.#files, from))];
  }

  /** Those that are not written, symlinks and gitlinks among them. */
  get left(): IndexEntry[] {
    const { kernel } = this.#host;
    return [...this.#each((from) => kernel.nextLeft(this.#files, from))];
  }

  /** Of those that are written. */
  countWritten(): WrittenFiles {
    const { kernel } = this.#host;
    kernel.countWritten(this.#files);
    return {
      files: kernel.writtenCount.value,
      bytes: kernel.writtenBytes.value,
      lfsPointers: kernel.pointerCount.value,
    };
  }

  /** The entries of the index; each piece is lent until the next. */
  *encoded(): Generator<Buffer> {
    const { kernel } = this.#host;
    const piece = this.#host.take(PIECE_BYTES);
    const to = piece.byteOffset;
    for (let from = 0; from < this.count;) {
      from = kernel.encodeEntries(this.#files, from, to, to + PIECE_BYTES);
      yield piece.subarray(0, (kernel.encodedEnd.value >>> 0) - to);
    }
  }

  /** The TREE extension of the index. */
  encodedTrees(): Buffer {
    const { kernel } = this.#host;
    const count = this.directories.length;
    const bytes = this.#host.take(kernel.cacheTreeLimit(this.#directories, count));
    const { byteOffset: scratch } = this.#host.take((count + 1) * 2 * 4);
    const { byteOffset: to } = bytes;
    return bytes.subarray(0, (kernel.encodeCacheTree(scratch, to) >>> 0) - to);
  }

  *#each(next: (from: number) => number): Generator<IndexEntry> {
    for (let at = next(0); at < this.count; at = next(at + 1)) {
      yield this.nodes.entry(this.#order[at]!);
    }
  }
}
