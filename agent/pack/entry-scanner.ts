/**
 * The pack's bytes in, in windows; the rows of the entry table out. Each entry is parsed, inflated and
 * CRC-32'd as it passes, and goes to the router with its content. The end of an entry is known only
 * by inflating it, so that an entry cut off by the window's end is tried again when the window has
 * moved on; one that does not fit a window, or is larger than `streamBytes`, goes through piece by
 * piece and is named here. Format: gitformat-pack.
 */
import type { Hash } from 'node:crypto';
import zlib from 'node:zlib';
import { PackError } from '../errors.ts';
import { ArrivalResolver } from './arrival-resolver.ts';
import { EntryHeader, OBJECT_TYPE, OID_BYTES } from './entry-header.ts';
import { EntryRouter } from './entry-router.ts';
import { BASE_BY_OID, EntryTable, NO_BASE } from './entry-table.ts';
import { createInflater } from './inflate.ts';
import type { ArrivalObserver } from './arrival-observer.ts';
import { InflateFault, NEEDS_INPUT, asPackError, type Inflater } from './inflater.ts';
import type { PackLimits, PackTuning } from './limits.ts';
import type { LinkCollector } from './object-links.ts';
import { beginObjectHash } from './object-hash.ts';
import { PACK_HEADER_BYTES, parsePackHeader } from './pack-header.ts';

interface Parts {
  readonly resolver: ArrivalResolver;
  readonly router: EntryRouter;
}

export class EntryScanner {
  readonly table = new EntryTable();
  /** Why the last `scan` came back early; it takes no more before that is mended. */
  stopped: 'no' | 'no room' | 'first tree' | 'first blob' = 'no';
  /** Looks at whole trees; `scan` comes back before the first tree and the first blob for it. */
  observer: Pick<ArrivalObserver, 'wantsTrees' | 'takeTree'> | undefined;
  #treeSeen = false;
  #blobSeen = false;
  /** What the pack's header claims. */
  totalObjects = -1;
  /** Bytes that inflating made so far. */
  expandedBytes = 0;
  readonly #inflater: Inflater = createInflater();
  readonly #fd: number;
  readonly #links: LinkCollector | undefined;
  /** Commits, trees and tags that went through in pieces: nobody has seen them whole. */
  readonly unseenRows: number[] = [];
  readonly #limits: PackLimits;
  readonly #tuning: PackTuning;
  #parts: Parts | undefined;
  readonly #header = new EntryHeader();
  /** Place in the pack of the first byte that was not taken yet. */
  #offset = 0;
  /** The entry that goes through in pieces: its row, and its hash unless it is a delta. */
  #streamedRow = -1;
  #streamedHash: Hash | undefined;

  /** @param fd the file that the bytes are in before they come here. */
  constructor(fd: number, limits: PackLimits, tuning: PackTuning, links?: LinkCollector) {
    this.#links = links;
    this.#fd = fd;
    this.#limits = limits;
    this.#tuning = tuning;
  }

  /** Who makes objects of the entries; there once the pack's header was seen. */
  get parts(): Parts {
    if (this.#parts === undefined) throw new TypeError('the pack has not begun');
    return this.#parts;
  }

  /**
   * For when all entries were sent: gives the memory for contents back.
   * @returns bytes of content made while the pack arrived.
   */
  endArrival(): number {
    const { resolver } = this.parts;
    resolver[Symbol.dispose]();
    // What is left over is made in other buffers; the contents of 50 MB would stand beside this one.
    this.#parts = undefined;
    return this.expandedBytes + resolver.expandedBytes;
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
    this.stopped = 'no';
    let position = start;
    if (this.totalObjects === -1) {
      if (end - start < PACK_HEADER_BYTES) return 0;
      this.#begin(window, start);
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
    this.#parts?.router.wake();
    return position - start;
  }

  #begin(window: Buffer, start: number): void {
    const count = parsePackHeader(window, start, this.#limits.objectCount);
    this.table.reserve(count);
    const { streamBytes, contentRingBytes } = this.#tuning;
    const { table } = this;
    const ring = contentRingBytes;
    const resolver = new ArrivalResolver(table, this.#fd, this.#limits, ring, this.#links);
    this.#parts = { resolver, router: new EntryRouter(resolver, count, streamBytes) };
    this.totalObjects = count;
  }

  #scanEntry(window: Buffer, start: number, end: number, mustTake: boolean): number {
    const offset = this.#streamedRow === -1 ? this.#offset : this.table.offsets[this.#streamedRow]!;
    try {
      if (this.#streamedRow !== -1) return this.#continueStream(window, start, end);
      const header = this.#header;
      if (!header.parse(window, start, end, offset)) return NEEDS_INPUT;
      if (this.observer !== undefined && this.#isFirst(header.type)) return NEEDS_INPUT;
      const base = this.#baseOf(header);
      const { size, type } = header;
      if (size > this.#tuning.streamBytes) return this.#beginStream(window, start, end, base);
      const { router } = this.parts;
      if (!router.place(size, base)) {
        this.stopped = 'no room';
        return NEEDS_INPUT;
      }
      const { buffer, start: contentStart } = router;
      const dataStart = start + header.length;
      const used = this.#inflater.inflate(window, dataStart, end, buffer, contentStart, size);
      if (used === NEEDS_INPUT)
        return mustTake ? this.#beginStream(window, start, end, base) : NEEDS_INPUT;
      const row = this.#addRow(window, base);
      const taken = header.length + used;
      this.table.crcs[row] = zlib.crc32(window.subarray(start, start + taken));
      if (type === OBJECT_TYPE.tree && this.observer?.wantsTrees === true) {
        this.observer.takeTree(buffer, contentStart, size);
      }
      router.send(row, type >= OBJECT_TYPE.ofsDelta, size);
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
      throw overLimit(`entry at ${offset} claims ${size} bytes`, offset, objectBytes);
    }
    if (this.expandedBytes > expandedBytes) {
      throw overLimit('the pack expands to more', offset, expandedBytes);
    }
  }

  /** Stops before the first tree and the first blob, once each. */
  #isFirst(type: number): boolean {
    if (type === OBJECT_TYPE.tree && !this.#treeSeen) {
      this.#treeSeen = true;
      this.stopped = 'first tree';
    } else if (type === OBJECT_TYPE.blob && !this.#blobSeen) {
      this.#blobSeen = true;
      this.stopped = 'first blob';
    }
    return this.stopped !== 'no';
  }

  /** The row that the entry builds on, NO_BASE or BASE_BY_OID. */
  #baseOf({ type, baseDistance }: EntryHeader): number {
    if (type === OBJECT_TYPE.refDelta) return BASE_BY_OID;
    if (type !== OBJECT_TYPE.ofsDelta) return NO_BASE;
    const base = this.table.rowAt(this.#offset - baseDistance);
    if (base >= 0) return base;
    const message = `entry at ${this.#offset}: no entry begins at its delta base's offset ${this.#offset - baseDistance}`;
    throw new PackError('PACK_DELTA_OFFSET', message, { data: { offset: this.#offset } });
  }

  /** A row for the entry that `#header` describes. */
  #addRow(window: Buffer, base: number): number {
    const { table } = this;
    const { type, size, length, baseOidStart } = this.#header;
    this.#checkSize(size, this.#offset);
    const row = table.add(this.#offset);
    if (type === OBJECT_TYPE.refDelta) {
      window.copy(table.oids, row * OID_BYTES, baseOidStart, baseOidStart + OID_BYTES);
    }
    if (base === NO_BASE) table.wholeCount++;
    table.types[row] = type;
    table.sizes[row] = size;
    table.bases[row] = base;
    table.headerLengths[row] = length;
    if (base >= 0) table.depths[row] = this.#depthOn(base);
    return row;
  }

  #depthOn(base: number): number {
    const depth = this.table.depths[base]! + 1;
    const limit = this.#limits.chainDepth;
    if (depth <= limit) return depth;
    throw overLimit(`entry at ${this.#offset}: a chain of ${depth} deltas`, this.#offset, limit);
  }

  #beginStream(window: Buffer, start: number, end: number, base: number): number {
    const { type, size, length } = this.#header;
    const row = this.#addRow(window, base);
    this.#streamedRow = row;
    this.#streamedHash = type < OBJECT_TYPE.ofsDelta ? beginObjectHash(type, size) : undefined;
    if (base === NO_BASE && type !== OBJECT_TYPE.blob) this.unseenRows.push(row);
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
    this.#parts?.resolver[Symbol.dispose]();
  }
}

function overLimit(what: string, offset: number, limit: number): PackError {
  return new PackError('PACK_LIMIT', `${what}, the limit is ${limit}`, { data: { offset, limit } });
}
