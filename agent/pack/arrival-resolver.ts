/**
 * The kernel of one thread, with all that it needs: entries in, by a window of the pack or by a queue;
 * objects out, named in the entry table. Here is what the kernel leaves to
 * TypeScript: SHA-1, reading the pack's file, and what is wrong with a delta.
 */
import { randomInt } from 'node:crypto';
import { PackError } from '../errors.ts';
import { DeltaFault, DeltaHeader, applyDelta, asDeltaError } from './delta.ts';
import { EntryReader } from './entry-reader.ts';
import { addressesOf, type EntryRingMemory } from './entry-ring.ts';
import type { EntryColumns } from './entry-table.ts';
import { createInflater } from './inflate.ts';
import { KERNEL_PAGE_BYTES, instantiateKernel, type Kernel } from './kernel.ts';
import type { CheckoutImports } from './kernel-imports.ts';
import { checkoutImports, type KernelHost } from './kernel-host.ts';
import type { PackLimits, PackTuning } from './limits.ts';
import { HEADROOM, SLACK, hashPiece } from './object-hash.ts';
import type { Links } from './object-links.ts';
import { takeMemory, type PackMemory } from './pack-memory.ts';
import { Wasi } from './wasi.ts';

/** What the kernel comes back with: agent/kernel/resolver.ts, agent/kernel/entry-ring.ts. */
const DONE = 0;
const WRONG_DELTA = 1;
const OVER_LIMIT = 2;
const MESSAGE = -2;
const END = -3;

const CONTENT_RING_UNIT = 64;
/** At least, for the kernel's tables for inflating and CRC-32: a page each. */
const SCRATCH_BYTES = KERNEL_PAGE_BYTES;

/** Addresses of what one thread has for itself. */
interface Places {
  readonly inflate: number;
  readonly crc: number;
  /** The contents of the objects made last, and where each row's is. */
  readonly contents: number;
  readonly contentBytes: number;
  readonly contentOfRow: number;
  /** HEADROOM, room for one entry, SLACK. */
  readonly scratch: number;
  readonly scratchBytes: number;
  readonly chain: number;
  readonly chainRows: number;
}

/** All that a resolver needs; a message to a thread. */
export interface ResolverStart {
  readonly module: WebAssembly.Module;
  readonly memory: WebAssembly.Memory;
  readonly columns: EntryColumns;
  /** The pack file: an entry is in it before it comes here; a descriptor serves all threads of a process. */
  readonly fd: number;
  readonly limits: PackLimits;
  /** Where a checkout writes files; null: there is none. */
  readonly directory: string | null;
  readonly places: Places;
  /** Of the tables of links, the same ones for a whole pack (link-check.ts); null: none are collected. */
  readonly linkSeeds: readonly [number, number] | null;
}

/** Not to be guessed: who makes oids that collide must not slow a lookup. */
export function makeLinkSeeds(): readonly [number, number] {
  return [randomInt(2 ** 32), randomInt(2 ** 32)];
}

/** Takes the memory of one resolver. Throws PACK_LIMIT. */
export function prepareResolver(
  memory: PackMemory,
  { contentRingBytes, streamBytes }: PackTuning,
  given: Omit<ResolverStart, 'memory' | 'places'>,
): ResolverStart {
  const { limits, columns } = given;
  const take = (bytes: number): number => memory.take(bytes).byteOffset;
  const contentBytes = Math.ceil(contentRingBytes / CONTENT_RING_UNIT) * CONTENT_RING_UNIT;
  const chainRows = limits.chainDepth + 1;
  const places = {
    inflate: take(SCRATCH_BYTES),
    crc: take(SCRATCH_BYTES),
    contents: take(contentBytes),
    contentBytes,
    contentOfRow: take(columns.offsets.length * 4),
    scratch: take(HEADROOM + streamBytes + SLACK),
    scratchBytes: streamBytes,
    chain: take(chainRows * 4),
    chainRows,
  };
  return { ...given, memory: memory.memory, places };
}

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
    const rows = columns.offsets.length;
    // A base is never the last row, so that the end of the last one is not asked for.
    this.#reader = new EntryReader(fd, columns, rows, 0, this.#inflater);
    this.#wasi = new Wasi(start.directory, memory);
    this.kernel = instantiateKernel(module, memory, {
      ...checkoutImports(this, this.#wasi.functions),
      objects: {
        hash: (from, end, to) => {
          hashPiece(this.#bytes, from >>> 0, end >>> 0, to >>> 0);
        },
      },
      resolver: {
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

function setUp(kernel: Kernel, { columns, limits, places, linkSeeds }: ResolverStart): void {
  const { offsets, sizes, crcs, bases, types, headerLengths, depths, oids } = columns;
  const inOrder = [offsets, sizes, crcs, bases, types, headerLengths, depths, oids] as const;
  const [o, s, c, b, t, h, d, i] = inOrder.map(({ byteOffset }) => byteOffset);
  kernel.setTable(o!, s!, c!, b!, t!, h!, d!, i!);
  kernel.initInflate(places.inflate);
  kernel.initCrc32(places.crc);
  const { contents, contentBytes, contentOfRow, scratch, chain, chainRows } = places;
  kernel.setContentRing(contents, contentBytes, contentOfRow, offsets.length);
  const { deltaObjectBytes, expandedBytes } = limits;
  const stored = scratch + HEADROOM;
  kernel.setResolver(
    deltaObjectBytes,
    expandedBytes,
    stored,
    places.scratchBytes,
    chain,
    chainRows,
  );
  kernel.setCollects(linkSeeds === null ? 0 : 1);
  if (linkSeeds !== null) kernel.initLinks(...linkSeeds);
}
