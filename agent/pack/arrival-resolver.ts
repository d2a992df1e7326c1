/**
 * The kernel of one thread, with all that it needs: entries in, by a window of the pack or by a queue;
 * objects out, named in the entry table. Here is what the kernel leaves to TypeScript: SHA-1, reading the pack's file, and what is wrong with a delta.
 */
import { PackError } from '../errors.ts';
import { DeltaFault, DeltaHeader, applyDelta, asDeltaError } from './delta.ts';
import { EntryReader } from './entry-reader.ts';
import { addressesOf, type EntryRingMemory } from './entry-ring.ts';
import { createInflater } from './inflate.ts';
import { instantiateKernel, type Kernel } from './kernel.ts';
import type { CheckoutImports } from './kernel-imports.ts';
import { checkoutImports, type KernelHost } from './kernel-host.ts';
import { hashPiece } from './object-hash.ts';
import type { Links } from './object-links.ts';
import { takeMemory } from './pack-memory.ts';
import { setUp, type ResolverStart } from './resolver-start.ts';
import { Wasi } from './wasi.ts';

/** What the kernel comes back with: agent/kernel/resolver.ts, agent/kernel/entry-ring.ts. */
const DONE = 0;
const WRONG_DELTA = 1;
const OVER_LIMIT = 2;
const MESSAGE = -2;
const END = -3;

export class ArrivalResolver implements KernelHost {
  readonly kernel: Kernel;
  #checkout: CheckoutImports | undefined;
  readonly #start: ResolverStart;
  #bytes: Buffer;
  readonly #inflater = createInflater();
  readonly #reader: EntryReader;
  readonly #wasi: Wasi;

  constructor(start: ResolverStart) {
    this.#start = start;
    const { columns, fd, module, memory } = start;
    this.#bytes = Buffer.from(memory.buffer);
    // A base is never the last row, so that the end of the last one is not asked for.
    this.#reader = new EntryReader(fd, columns, 0, this.#inflater);
    this.#wasi = new Wasi(start.directory, memory);
    this.kernel = instantiateKernel(module, memory, {
      ...checkoutImports(this, this.#wasi.functions),
      objects: {
        hash: (from, end, to) => {
          hashPiece(this.#bytes, from >>> 0, end >>> 0, to >>> 0);
        },
      },
      resolver: {
        readStored: (row, to, limit) => this.#reader.readStored(row, this.#bytes, to >>> 0, limit),
        readEntry: (row, to) => {
          this.#reader.read(row, this.#bytes, to >>> 0);
        },
      },
    });
    setUp(this.kernel, start);
  }

  get memory(): WebAssembly.Memory {
    return this.#start.memory;
  }

  get checkout(): CheckoutImports | undefined {
    return this.#checkout;
  }

  /** What it is about stands in memory that was taken since. */
  set checkout(checkout: CheckoutImports | undefined) {
    this.#checkout = checkout;
    this.see();
  }

  take(bytes: number): Buffer {
    return takeMemory(this.#start.memory, bytes);
  }

  /** All of the kernel's memory, so that an address is an index. */
  get bytes(): Buffer {
    return this.#bytes;
  }

  /** Looks at the memory again, which has grown. */
  see(): void {
    this.#bytes = Buffer.from(this.#start.memory.buffer);
  }

  /** Bytes of content made so far. */
  get expandedBytes(): number {
    return this.kernel.madeBytes.value;
  }

  /** What the objects made here lead to. Throws PACK_LIMIT. */
  get links(): Links | null {
    if (this.#start.linkSeeds === null) return null;
    const { kernel } = this;
    const places = kernel.linkPlaces();
    if (kernel.linksFailed.value !== 0)
      throw new PackError('PACK_LIMIT', 'no memory for the links of the history');
    const { buffer } = this.#start.memory;
    return {
      words: new Int32Array(buffer, kernel.linkWords() >>> 0, 2 * places),
      namedBy: new Int32Array(buffer, kernel.linkNamedBy() >>> 0, places),
    };
  }

  /** Takes what comes by a queue until there is a message, which `onMessage` is called for, or its end. */
  takeEntries(ring: EntryRingMemory, onMessage: () => void): void {
    const [control, bytes, units] = addressesOf(ring);
    while (true) {
      const code = this.kernel.takeEntries(control, bytes, units);
      if (code === END) return;
      if (code !== MESSAGE) this.requireDone(code);
      onMessage();
      this.kernel.releaseMessage(control, units);
    }
  }

  /** Plans the trees that are wanted, of the rows [from, end) that have their names; the last one ends at `endOffset`. */
  planArrived(from: number, end: number, endOffset: number): void {
    this.#reader.endOffset = endOffset;
    this.requireDone(this.kernel.planArrived(from, end));
  }

  /**
   * Gives the rows [from, end) to the files that miss their contents; the last row there is ends at
   * `endOffset`. Returns how many there were. Throws PackError, and what writing a file throws.
   */
  takeLate(from: number, end: number, endOffset: number): number {
    const { lateCount } = this.kernel;
    const before = lateCount.value;
    this.#reader.endOffset = endOffset;
    this.requireDone(this.kernel.takeLate(from, end));
    return lateCount.value - before;
  }

  /** Throws what the kernel did not return DONE for. */
  requireDone(code: number): void {
    if (code === DONE) return;
    const row = this.kernel.faultRow.value;
    const offset = this.#start.columns.offsets[row]!;
    if (code === OVER_LIMIT) {
      const limit = this.#start.limits.expandedBytes;
      const message = `entry at ${offset}: the pack expands to over ${limit} bytes`;
      throw new PackError('PACK_LIMIT', message, { data: { offset, limit } });
    }
    if (code !== WRONG_DELTA) throw new TypeError(`expected a code of the kernel, got ${code}`);
    this.#refuseDelta(offset);
  }

  /** The same delta once more, for its fault. */
  #refuseDelta(offset: number): never {
    const { faultBase, faultBaseSize, faultDelta, faultDeltaSize } = this.kernel;
    const bytes = this.#bytes;
    const [base, from] = [faultBase.value >>> 0, faultDelta.value >>> 0];
    const baseSize = faultBaseSize.value;
    const end = from + faultDeltaSize.value;
    try {
      const header = new DeltaHeader();
      header.parse(bytes, from, end);
      const { position, resultSize } = header;
      if (header.baseSize !== baseSize) {
        throw new DeltaFault(`made for a base of ${header.baseSize} bytes, got ${baseSize}`);
      }
      const result = Buffer.allocUnsafe(resultSize);
      applyDelta(bytes, base, baseSize, bytes, position, end, result, 0, resultSize);
    } catch (error) {
      throw asDeltaError(error, offset);
    }
    throw new TypeError(`the kernel refused the delta at ${offset}, which is well`);
  }

  [Symbol.dispose](): void {
    this.#inflater.close();
    this.#wasi[Symbol.dispose]();
  }
}
