/**
 * Entries in, one by one as the pack brings them; their oids and types in the entry table out. An
 * object that is stored whole is named and kept, a delta is applied to its base at once: to the kept
 * content, or to one made again from the file. Where there is none (a ref-delta, a base too large to
 * be kept) it stays as it is: resolve-deltas.ts takes it when the pack is complete.
 */
import { PackError } from '../errors.ts';
import { ContentRing } from './content-ring.ts';
import { DeltaFault, DeltaHeader, applyDelta, sameBeginOf } from './delta.ts';
import { OBJECT_TYPE } from './entry-header.ts';
import { EntryReader } from './entry-reader.ts';
import { NO_BASE, type EntryColumns } from './entry-table.ts';
import { createInflater } from './inflate.ts';
import type { PackLimits } from './limits.ts';
import type { LinkCollector } from './object-links.ts';
import { hashObject } from './object-hash.ts';

/** In place of where a content begins. */
const NOWHERE = -1;

/** Sees objects while their contents are at hand. */
export interface ContentTap {
  /** The object at `row` is content[start, start + size), during the call. */
  take(row: number, type: number, content: Buffer, start: number, size: number): void;
}

export class ArrivalResolver {
  /** Bytes of content made so far. */
  expandedBytes = 0;
  /** Objects that have a name by now. */
  resolvedCount = 0;
  tap: ContentTap | undefined;
  /** What the objects made here lead to. */
  readonly links: LinkCollector | undefined;
  readonly #columns: EntryColumns;
  readonly #limits: PackLimits;
  readonly #ring: ContentRing;
  readonly #inflater = createInflater();
  readonly #reader: EntryReader;
  #delta = Buffer.allocUnsafeSlow(16 * 1024);
  readonly #header = new DeltaHeader();
  /** Of what was made last: so many bytes at its begin and end are its base's. */
  #sameBegin = 0;
  #sameEnd = 0;

  /** @param fd the pack file; an entry is in it before it comes here. */
  constructor(
    columns: EntryColumns,
    fd: number,
    limits: PackLimits,
    ringBytes: number,
    links: LinkCollector | undefined,
  ) {
    this.links = links;
    const rows = columns.offsets.length;
    this.#columns = columns;
    this.#limits = limits;
    this.#ring = new ContentRing(ringBytes, rows);
    // A base is never the last row, so that the end of the last one is not asked for.
    this.#reader = new EntryReader(fd, columns, rows, 0, this.#inflater);
  }

  /** Takes what the pack stores at `row`, inflated: source[start, …), HEADROOM before it. */
  take(row: number, isDelta: boolean, source: Buffer, start: number, size: number): void {
    if (isDelta) this.#takeDelta(row, source, start, size);
    else this.#takeWhole(row, source, start, size);
  }

  #takeWhole(row: number, source: Buffer, start: number, size: number): void {
    const { types, oids } = this.#columns;
    const type = types[row]!;
    hashObject(type, source, start, size, oids, row);
    this.resolvedCount++;
    this.links?.take(row, type, source, start, size);
    this.tap?.take(row, type, source, start, size);
    const ring = this.#ring;
    if (!ring.admits(size)) return;
    const kept = ring.reserve(size);
    source.copy(ring.bytes, kept, start, start + size);
    ring.keep(row, kept);
  }

  #takeDelta(row: number, delta: Buffer, start: number, size: number): void {
    const { types, oids, bases, offsets } = this.#columns;
    const base = bases[row]!;
    const baseStart = base < 0 ? NOWHERE : this.#contentOf(base);
    if (baseStart === NOWHERE) return;
    try {
      const made = this.#apply(row, baseStart, delta, start, start + size);
      if (made === NOWHERE) return;
      const { bytes } = this.#ring;
      const resultSize = this.#ring.sizeAt(made);
      const type = types[base]!;
      hashObject(type, bytes, made, resultSize, oids, row);
      types[row] = type;
      this.resolvedCount++;
      this.links?.take(row, type, bytes, made, resultSize, this.#sameBegin, this.#sameEnd);
      this.tap?.take(row, type, bytes, made, resultSize);
    } catch (error) {
      throw asDeltaError(error, offsets[row]!);
    }
  }

  /** Where in the ring a row's content begins, made again if need be; or NOWHERE. */
  #contentOf(row: number): number {
    const ring = this.#ring;
    let start = ring.find(row);
    if (start !== NOWHERE) return start;
    const { types, bases } = this.#columns;
    const chain: number[] = [];
    for (let at = row; start === NOWHERE; start = ring.find(at)) {
      if (types[at]! >= OBJECT_TYPE.ofsDelta) return NOWHERE;
      chain.push(at);
      at = bases[at]!;
      if (at === NO_BASE) break;
    }
    if (start === NOWHERE) start = this.#readWhole(chain.pop()!);
    for (let step = chain.pop(); step !== undefined && start !== NOWHERE; step = chain.pop()) {
      start = this.#applyStored(step, start);
    }
    return start;
  }

  #readWhole(row: number): number {
    const size = this.#columns.sizes[row]!;
    if (!this.#ring.admits(size)) return NOWHERE;
    const start = this.#ring.reserve(size);
    this.#reader.read(row, this.#ring.bytes, start);
    this.#ring.keep(row, start);
    this.#account(row, size);
    return start;
  }

  #applyStored(row: number, baseStart: number): number {
    const size = this.#columns.sizes[row]!;
    if (this.#delta.length <= size) this.#delta = Buffer.allocUnsafeSlow(size * 2);
    this.#reader.read(row, this.#delta, 0);
    return this.#apply(row, baseStart, this.#delta, 0, size);
  }

  /** Makes the content of `row` in the ring from its base there; NOWHERE when it is too large. */
  #apply(row: number, baseStart: number, delta: Buffer, start: number, end: number): number {
    const ring = this.#ring;
    const header = this.#header;
    header.parse(delta, start, end);
    const { baseSize, resultSize, position } = header;
    const found = ring.sizeAt(baseStart);
    if (found !== baseSize) {
      throw new DeltaFault(`made for a base of ${baseSize} bytes, got ${found}`);
    }
    const deltaSize = end - position;
    // Who takes what is left over refuses it.
    if (Math.max(baseSize, resultSize) > this.#limits.deltaObjectBytes) return NOWHERE;
    if (!ring.admits(resultSize + deltaSize)) return NOWHERE;
    const made = ring.reserve(resultSize, deltaSize);
    const { bytes } = ring;
    // One copy more, so that all others are within one buffer.
    const from = made + resultSize;
    delta.copy(bytes, from, position, end);
    const to = from + deltaSize;
    this.#sameEnd = applyDelta(
      bytes,
      baseStart,
      baseSize,
      bytes,
      from,
      to,
      bytes,
      made,
      resultSize,
    );
    this.#sameBegin = sameBeginOf(bytes, from);
    ring.keep(row, made);
    this.#account(row, resultSize);
    return made;
  }

  [Symbol.dispose](): void {
    this.#inflater.close();
  }

  #account(row: number, size: number): void {
    this.expandedBytes += size;
    if (this.expandedBytes <= this.#limits.expandedBytes) return;
    const offset = this.#columns.offsets[row]!;
    const limit = this.#limits.expandedBytes;
    throw new PackError(
      'PACK_LIMIT',
      `entry at ${offset}: the pack expands to over ${limit} bytes`,
      {
        data: { offset, limit },
      },
    );
  }
}

/** What is wrong with a delta's instructions, as an error that says where it stands. */
export function asDeltaError(error: unknown, offset: number): unknown {
  if (!(error instanceof DeltaFault)) return error;
  return new PackError('PACK_DELTA_INVALID', `delta at ${offset}: ${error.message}`, {
    cause: error,
    data: { offset },
  });
}
