/**
 * A row of the entry table in, what the pack stores there out, inflated: an object or a delta. Reads
 * the pack file by position, so that any number of readers share one file. The scanner has inflated
 * every entry once, so that a failure here means that the file changed under us.
 */
import { readSync } from 'node:fs';
import { PackError } from '../errors.ts';
import type { EntryColumns } from './entry-table.ts';
import { InflateFault, NEEDS_INPUT, asPackError, type Inflater, type Sink } from './inflater.ts';

/** Entries above this are read and inflated in pieces of it. */
export const PIECE_BYTES = 256 * 1024;

export class EntryReader {
  readonly #fd: number;
  readonly #columns: EntryColumns;
  /** Where the last row ends, of those that have come. */
  endOffset: number;
  readonly #inflater: Inflater;
  readonly #stored = Buffer.allocUnsafeSlow(PIECE_BYTES);

  /** @param endOffset where the last row ends. */
  constructor(fd: number, columns: EntryColumns, endOffset: number, inflater: Inflater) {
    this.#fd = fd;
    this.#columns = columns;
    this.endOffset = endOffset;
    this.#inflater = inflater;
  }

  /** Inflates the entry to output[start …], which has room for its size + 1. */
  read(row: number, output: Buffer, start: number): void {
    const { from, length, size } = this.#place(row);
    if (length > PIECE_BYTES) {
      let position = start;
      this.stream(row, (piece) => {
        position += piece.copy(output, position);
      });
      return;
    }
    this.#fill(row, from, length, this.#stored, 0);
    try {
      const used = this.#inflater.inflate(this.#stored, 0, length, output, start, size);
      if (used === NEEDS_INPUT) throw this.#changed(row);
    } catch (error) {
      throw this.#located(error, row);
    }
  }

  /** Reads the entry as it is stored, behind its header; returns its bytes, or 0 where these are more than `limit`. */
  readStored(row: number, output: Buffer, start: number, limit: number): number {
    const { from, length } = this.#place(row);
    if (length > limit) return 0;
    this.#fill(row, from, length, output, start);
    return length;
  }

  /** Inflates the entry piece by piece; for those that are too large to be held. */
  stream(row: number, sink: Sink): void {
    const { from, length, size } = this.#place(row);
    this.#inflater.begin(size);
    try {
      let position = from;
      while (!this.#inflater.ended) {
        const piece = Math.min(PIECE_BYTES, from + length - position);
        if (piece <= 0) throw this.#changed(row);
        this.#fill(row, position, piece, this.#stored, 0);
        position += piece;
        this.#inflater.push(this.#stored, 0, piece, sink);
      }
    } catch (error) {
      throw this.#located(error, row);
    }
  }

  #place(row: number): { from: number; length: number; size: number } {
    const { offsets, headerLengths, sizes } = this.#columns;
    const from = offsets[row]! + headerLengths[row]!;
    const next = offsets[row + 1] ?? 0;
    const end = next > from ? next : this.endOffset;
    return { from, length: end - from, size: sizes[row]! };
  }

  #fill(row: number, from: number, length: number, target: Buffer, start: number): void {
    let filled = 0;
    while (filled < length) {
      const got = readSync(this.#fd, target, start + filled, length - filled, from + filled);
      if (got === 0) throw this.#changed(row);
      filled += got;
    }
  }

  #located(error: unknown, row: number): unknown {
    return error instanceof InflateFault ? asPackError(error, this.#columns.offsets[row]!) : error;
  }

  #changed(row: number): PackError {
    const offset = this.#columns.offsets[row]!;
    return new PackError('PACK_ENTRY_INFLATE', `entry at ${offset}: the file changed while read`, {
      data: { offset },
    });
  }
}
