/**
 * The pack's bytes in, in windows; the entry table out. Each entry is parsed, inflated and CRC-32'd
 * as it passes, and objects stored whole are named. The end of an entry is known only by inflating
 * it, so that an entry cut off by the window's end is tried again when the window has moved on; one
 * that does not fit a window, or is larger than `streamBytes`, goes through piece by piece.
 * Format: gitformat-pack.
 */
import type { Hash } from 'node:crypto';
import zlib from 'node:zlib';
import { PackError } from '../errors.ts';
import { DeltaArena } from './delta-arena.ts';
import { EntryHeader, OBJECT_TYPE, OID_BYTES } from './entry-header.ts';
import { BASE_BY_OID, EntryTable, NO_BASE } from './entry-table.ts';
import { createInflater } from './inflate.ts';
import { InflateFault, NEEDS_INPUT, type Inflater } from './inflater.ts';
import type { PackLimits, PackTuning } from './limits.ts';
import { HEADROOM, beginObjectHash, hashObject } from './object-hash.ts';

const PACK_HEADER_BYTES = 12;

export class EntryScanner {
  readonly table = new EntryTable();
  /** Small deltas, inflated. */
  readonly arena: DeltaArena;
  /** What the pack's header claims. */
  totalObjects = -1;
  /** Bytes that inflating made so far. */
  expandedBytes = 0;
  readonly #inflater: Inflater = createInflater();
  readonly #limits: PackLimits;
  readonly #streamBytes: number;
  readonly #content: Buffer;
  readonly #header = new EntryHeader();
  /** Place in the pack of the first byte that was not taken yet. */
  #offset = 0;
  /** The entry that goes through in pieces: its row, and its hash unless it is a delta. */
  #streamedRow = -1;
  #streamedHash: Hash | undefined;

  constructor(limits: PackLimits, tuning: PackTuning) {
    this.#limits = limits;
    this.#streamBytes = tuning.streamBytes;
    this.arena = new DeltaArena(tuning.deltaArenaBytes);
    this.#content = Buffer.allocUnsafeSlow(HEADROOM + tuning.streamBytes + 1);
  }

  /** True when all entries that the header claims are in the table. */
  get complete(): boolean {
    return this.table.count === this.totalObjects && this.#streamedRow === -1;
  }

  /**
   * Takes what it can of window[start, end) and returns how many bytes that was: header and entries.
   * The trailer is for the caller to keep back. With `full` the window cannot hold more, so that an entry cut
   * off at its end and beginning at `start` must go through in pieces. Throws PackError.
   */
  scan(window: Buffer, start: number, end: number, full: boolean): number {
    let position = start;
    if (this.totalObjects === -1) {
      if (end - start < PACK_HEADER_BYTES) return 0;
      this.#parsePackHeader(window, start);
      position += PACK_HEADER_BYTES;
      this.#offset += PACK_HEADER_BYTES;
    }
    while (!this.complete && position < end) {
      const taken = this.#scanEntry(window, position, end, full && position === start);
      if (taken === NEEDS_INPUT) break;
      position += taken;
      this.#offset += taken;
    }
    this.table.endOffset = this.#offset;
    return position - start;
  }

  #parsePackHeader(window: Buffer, start: number): void {
    const signature = window.toString('latin1', start, start + 4);
    if (signature !== 'PACK') {
      const got = window.toString('hex', start, start + 4);
      throw new PackError('PACK_SIGNATURE', `expected a pack ("PACK"), got the bytes ${got}`);
    }
    const version = window.readUInt32BE(start + 4);
    if (version !== 2 && version !== 3) {
      throw new PackError('PACK_VERSION', `expected pack version 2 or 3, got ${version}`);
    }
    const count = window.readUInt32BE(start + 8);
    if (count > this.#limits.objectCount) {
      const message = `the pack claims ${count} objects, the limit is ${this.#limits.objectCount}`;
      throw new PackError('PACK_LIMIT', message, { data: { limit: this.#limits.objectCount } });
    }
    this.totalObjects = count;
  }

  #scanEntry(window: Buffer, start: number, end: number, mustTake: boolean): number {
    const offset = this.#streamedRow === -1 ? this.#offset : this.table.offsets[this.#streamedRow]!;
    try {
      if (this.#streamedRow !== -1) return this.#continueStream(window, start, end);
      const header = this.#header;
      if (!header.parse(window, start, end, offset)) return NEEDS_INPUT;
      const dataStart = start + header.length;
      if (header.size > this.#streamBytes) return this.#beginStream(window, start, end);
      const content = this.#content;
      const size = header.size;
      const used = this.#inflater.inflate(window, dataStart, end, content, HEADROOM, size);
      if (used === NEEDS_INPUT)
        return mustTake ? this.#beginStream(window, start, end) : NEEDS_INPUT;
      const row = this.#addRow(window);
      const taken = header.length + used;
      this.table.crcs[row] = zlib.crc32(window.subarray(start, start + taken));
      if (header.type < OBJECT_TYPE.ofsDelta) {
        hashObject(header.type, content, HEADROOM, size, this.table.oids, row);
      } else this.arena.keep(this.table, row, content, HEADROOM, size);
      return taken;
    } catch (error) {
      if (error instanceof InflateFault) throw asPackError(error, offset);
      throw error;
    }
  }

  #checkSize(size: number, offset: number): void {
    this.expandedBytes += size;
    const { objectBytes, expandedBytes } = this.#limits;
    if (size > objectBytes) {
      const message = `entry at ${offset} claims ${size} bytes, the limit is ${objectBytes}`;
      throw new PackError('PACK_LIMIT', message, { data: { offset, limit: objectBytes } });
    }
    if (this.expandedBytes > expandedBytes) {
      const message = `the pack expands to more than ${expandedBytes} bytes`;
      throw new PackError('PACK_LIMIT', message, { data: { offset, limit: expandedBytes } });
    }
  }

  /** A row for the entry that `#header` describes. */
  #addRow(window: Buffer): number {
    const { table } = this;
    const { type, size, length, baseDistance, baseOidStart } = this.#header;
    this.#checkSize(size, this.#offset);
    let base = NO_BASE;
    if (type === OBJECT_TYPE.ofsDelta) {
      base = table.rowAt(this.#offset - baseDistance);
      if (base < 0) {
        const message = `entry at ${this.#offset}: no entry begins at its delta base's offset ${this.#offset - baseDistance}`;
        throw new PackError('PACK_DELTA_OFFSET', message, { data: { offset: this.#offset } });
      }
    }
    const row = table.add(this.#offset);
    if (type === OBJECT_TYPE.refDelta) {
      base = BASE_BY_OID;
      window.copy(table.oids, row * OID_BYTES, baseOidStart, baseOidStart + OID_BYTES);
    }
    if (base === NO_BASE) table.wholeCount++;
    table.types[row] = type;
    table.sizes[row] = size;
    table.bases[row] = base;
    table.headerLengths[row] = length;
    return row;
  }

  #beginStream(window: Buffer, start: number, end: number): number {
    const { type, size, length } = this.#header;
    const row = this.#addRow(window);
    this.#streamedRow = row;
    this.#streamedHash = type < OBJECT_TYPE.ofsDelta ? beginObjectHash(type, size) : undefined;
    this.table.crcs[row] = zlib.crc32(window.subarray(start, start + length));
    this.#inflater.begin(size);
    return length + this.#continueStream(window, start + length, end);
  }

  #continueStream(window: Buffer, start: number, end: number): number {
    const row = this.#streamedRow;
    const { crcs, oids } = this.table;
    const hash = this.#streamedHash;
    const taken = this.#inflater.push(window, start, end, (piece) => hash?.update(piece));
    crcs[row] = zlib.crc32(window.subarray(start, start + taken), crcs[row]);
    if (this.#inflater.ended) {
      hash?.digest().copy(oids, row * OID_BYTES);
      this.#streamedRow = -1;
      this.#streamedHash = undefined;
    }
    return taken;
  }

  [Symbol.dispose](): void {
    this.#inflater.close();
  }
}

export function asPackError(fault: InflateFault, offset: number): PackError {
  const code = fault.kind === 'size' ? 'PACK_ENTRY_SIZE' : 'PACK_ENTRY_INFLATE';
  return new PackError(code, `entry at ${offset}: ${fault.message}`, {
    cause: fault,
    data: { offset },
  });
}
