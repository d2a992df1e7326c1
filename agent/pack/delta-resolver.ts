/**
 * One tree of deltas after another in: a row stored whole and what builds on it and was not resolved
 * while the pack arrived; types and oids of these in the entry table out. Depth first and never
 * recursive, one row a step. Each content is made once while the contents on the path fit
 * `cacheBytes`; beyond that the ones nearest the root are dropped and made again when the path comes
 * back to them. Rows on the path that have their oid already are made only when one on them needs it.
 */
import { PackError } from '../errors.ts';
import type { BufferPool } from './buffer-pool.ts';
import { applyDelta, asDeltaError, DeltaFault, DeltaHeader } from './delta.ts';
import { NO_ROW, linkRefDeltas, type DeltaLinks } from './delta-links.ts';
import type { EntryReader } from './entry-reader.ts';
import { isUnresolved, type EntryColumns } from './entry-table.ts';
import type { PackLimits } from './limits.ts';
import { HEADROOM, hashObject } from './object-hash.ts';
import type { LinkCollector } from './object-links.ts';

/** A row on the path from the root to where the work is. */
interface Frame {
  readonly row: number;
  /** Of the content; right once that was made. */
  size: number;
  /** HEADROOM bytes, then `size` bytes of content; undefined when it was dropped. */
  content: Buffer | undefined;
  /** The next delta on this row that is still to do. */
  next: number;
}

export class DeltaResolver {
  /** Bytes of content made so far. */
  expandedBytes = 0;
  /** Deltas that have their oid from here. */
  resolvedCount = 0;
  readonly #columns: EntryColumns;
  readonly #links: DeltaLinks;
  readonly #reader: EntryReader;
  readonly #limits: PackLimits;
  readonly #cacheBytes: number;
  readonly #leads: LinkCollector | undefined;
  readonly #pool: BufferPool;
  readonly #header = new DeltaHeader();
  readonly #path: Frame[] = [];
  #type = 0;
  #delta = Buffer.allocUnsafeSlow(64 * 1024);
  #heldBytes = 0;
  /** Frames before this one hold nothing. */
  #firstHeld = 0;

  constructor(
    columns: EntryColumns,
    links: DeltaLinks,
    reader: EntryReader,
    limits: PackLimits,
    cacheBytes: number,
    leads: LinkCollector | undefined,
    pool: BufferPool,
  ) {
    this.#leads = leads;
    this.#pool = pool;
    this.#columns = columns;
    this.#links = links;
    this.#reader = reader;
    this.#limits = limits;
    this.#cacheBytes = cacheBytes;
  }

  /** Sets out from `root`, a row stored whole; the tree before must be done. */
  begin(root: number): void {
    this.#type = this.#columns.types[root]!;
    this.#firstHeld = 0;
    this.#push(root, this.#columns.sizes[root]!, undefined);
  }

  /** Takes the next row; false when the tree is done. Throws PackError. */
  step(): boolean {
    let frame = this.#path.at(-1);
    while (frame?.next === NO_ROW) {
      this.#path.pop();
      frame = this.#path.at(-1);
    }
    if (frame === undefined) return false;
    const row = frame.next;
    if (this.#path.length > this.#limits.chainDepth) {
      throw this.#overLimit(row, 'its delta chain', this.#limits.chainDepth, 'deltas');
    }
    if (!isUnresolved(this.#columns, row)) {
      frame.next = this.#links.nextSibling[row]!;
      this.#push(row, 0, undefined);
      return true;
    }
    const base = frame.content ?? this.#restore(this.#path.length - 1);
    const { content, size } = this.#apply(row, base, frame.size);
    hashObject(this.#type, content, HEADROOM, size, this.#columns.oids, row);
    this.#columns.types[row] = this.#type;
    this.#leads?.take(row, this.#type, content, HEADROOM, size);
    this.resolvedCount++;
    linkRefDeltas(this.#links, this.#columns, row);
    frame.next = this.#links.nextSibling[row]!;
    if (frame.next === NO_ROW) this.#drop(frame);
    if (this.#links.firstChild[row] === NO_ROW) this.#pool.give(content);
    else this.#push(row, size, content);
    return true;
  }

  #push(row: number, size: number, content: Buffer | undefined): void {
    this.#path.push({ row, size, content: undefined, next: this.#links.firstChild[row]! });
    if (content !== undefined) this.#hold(this.#path.length - 1, content);
  }

  #hold(depth: number, content: Buffer): void {
    this.#path[depth]!.content = content;
    this.#heldBytes += content.length;
    this.#firstHeld = Math.min(this.#firstHeld, depth);
    while (this.#heldBytes > this.#cacheBytes && this.#firstHeld < this.#path.length - 1) {
      const frame = this.#path[this.#firstHeld]!;
      // The one just asked for stays, wherever it is.
      if (frame.content !== content) this.#drop(frame);
      this.#firstHeld++;
    }
    if (depth < this.#firstHeld) this.#firstHeld = depth;
  }

  #drop(frame: Frame): void {
    if (frame.content === undefined) return;
    this.#heldBytes -= frame.content.length;
    this.#pool.give(frame.content);
    frame.content = undefined;
  }

  /** Makes the content of a frame again, from the nearest one before it that has its own. */
  #restore(depth: number): Buffer {
    let from = depth;
    while (from > 0 && this.#path[from]!.content === undefined) from--;
    let content = this.#path[from]!.content ?? this.#readRoot(this.#path[0]!);
    let isHeld = this.#path[from]!.content !== undefined;
    for (let index = from + 1; index <= depth; index++) {
      const frame = this.#path[index]!;
      const made = this.#apply(frame.row, content, this.#path[index - 1]!.size);
      frame.size = made.size;
      if (!isHeld) this.#pool.give(content);
      content = made.content;
      isHeld = false;
    }
    this.#hold(depth, content);
    return content;
  }

  #readRoot(root: Frame): Buffer {
    this.#admit(root.row, root.size);
    const content = this.#pool.take(HEADROOM + root.size + 1);
    this.#reader.read(root.row, content, HEADROOM);
    return content;
  }

  /** The delta at `row` applied to its base, in a buffer of the pool. */
  #apply(row: number, base: Buffer, baseSize: number): { content: Buffer; size: number } {
    const end = this.#columns.sizes[row]!;
    const delta = this.#readDelta(row, end);
    const header = this.#header;
    try {
      header.parse(delta, 0, end);
      if (header.baseSize !== baseSize) {
        throw new DeltaFault(`made for a base of ${header.baseSize} bytes, got ${baseSize}`);
      }
      const size = header.resultSize;
      this.#admit(row, size);
      const content = this.#pool.take(HEADROOM + size);
      applyDelta(base, HEADROOM, baseSize, delta, header.position, end, content, HEADROOM, size);
      return { content, size };
    } catch (error) {
      throw asDeltaError(error, this.#columns.offsets[row]!);
    }
  }

  /** Valid until the next call. */
  #readDelta(row: number, length: number): Buffer {
    this.#admit(row, length);
    if (this.#delta.length <= length) this.#delta = Buffer.allocUnsafeSlow(length * 2);
    this.#reader.read(row, this.#delta, 0);
    return this.#delta;
  }

  /** Whether `size` bytes may be whole in memory, and made at all. */
  #admit(row: number, size: number): void {
    const { deltaObjectBytes, expandedBytes } = this.#limits;
    if (size > deltaObjectBytes) {
      throw this.#overLimit(row, 'a delta or its base', deltaObjectBytes, 'bytes');
    }
    this.expandedBytes += size;
    if (this.expandedBytes > expandedBytes) {
      throw this.#overLimit(row, 'all content together', expandedBytes, 'bytes');
    }
  }

  #overLimit(row: number, what: string, limit: number, unit: string): PackError {
    const offset = this.#columns.offsets[row]!;
    return new PackError('PACK_LIMIT', `entry at ${offset}: ${what} is over ${limit} ${unit}`, {
      data: { offset, limit },
    });
  }
}
