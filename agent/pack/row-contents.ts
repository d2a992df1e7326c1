/**
 * A row of the entry table in, its content out, made from the pack file: for objects that have a name
 * by now and whose bytes are in the file. Deltas are applied from the base up, in a loop; the bases
 * stay in a bounded cache, since Git packs what builds on one base side by side.
 */
import { BaseCache } from './base-cache.ts';
import { applyDelta, asDeltaError, DeltaFault, DeltaHeader } from './delta.ts';
import { EntryReader } from './entry-reader.ts';
import { NO_BASE, type EntryColumns } from './entry-table.ts';
import { createInflater } from './inflate.ts';

/** What there is to read from. */
export interface PackRows {
  /** The pack file. */
  readonly fd: number;
  readonly columns: EntryColumns;
  /** Rows that may be read, and where the last of them ends. */
  readonly count: number;
  readonly endOffset: number;
}

export class RowContents {
  readonly #columns: EntryColumns;
  readonly #inflater = createInflater();
  readonly #reader: EntryReader;
  readonly #header = new DeltaHeader();
  readonly #bases: BaseCache;
  readonly #limitBytes: number;

  /** @param limitBytes of a content, and of all that it builds on. */
  constructor(rows: PackRows, cacheBytes: number, limitBytes: number) {
    const { fd, columns, endOffset } = rows;
    this.#columns = columns;
    this.#reader = new EntryReader(fd, columns, endOffset, this.#inflater);
    this.#bases = new BaseCache(cacheBytes);
    this.#limitBytes = limitBytes;
  }

  /** The content, to be read only; null where something is larger than the limit. Throws PackError. */
  make(row: number): Buffer | null {
    const { bases } = this.#columns;
    const chain: number[] = [];
    let at = row;
    let content = this.#kept(at);
    for (; content === null && bases[at] !== NO_BASE; content = this.#kept(at)) {
      chain.push(at);
      at = bases[at]!;
    }
    content ??= this.#read(at);
    for (let step = chain.pop(); step !== undefined && content !== null; step = chain.pop()) {
      this.#bases.set(String(at), { type: this.#columns.types[at]!, content });
      content = this.#apply(step, content);
      at = step;
    }
    return content;
  }

  [Symbol.dispose](): void {
    this.#inflater.close();
  }

  #kept(row: number): Buffer | null {
    return this.#bases.get(String(row))?.content ?? null;
  }

  #apply(row: number, base: Buffer): Buffer | null {
    const delta = this.#read(row);
    if (delta === null) return null;
    const header = this.#header;
    try {
      header.parse(delta, 0, delta.length);
      const { baseSize, resultSize: size, position } = header;
      if (size > this.#limitBytes) return null;
      if (baseSize !== base.length) {
        throw new DeltaFault(`made for a base of ${baseSize} bytes, got ${base.length}`);
      }
      const content = Buffer.allocUnsafe(size);
      applyDelta(base, 0, baseSize, delta, position, delta.length, content, 0, size);
      return content;
    } catch (error) {
      throw asDeltaError(error, this.#columns.offsets[row]!);
    }
  }

  #read(row: number): Buffer | null {
    const size = this.#columns.sizes[row]!;
    if (size > this.#limitBytes) return null;
    const content = Buffer.allocUnsafe(size + 1);
    this.#reader.read(row, content, 0);
    return content.subarray(0, size);
  }
}
