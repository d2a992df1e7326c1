/**
 * Small deltas as the first pass inflated them, kept for the second on shared memory until it is
 * full: nine of ten deltas are under a kilobyte, and reading and inflating one again costs more than
 * applying it.
 */
import type { EntryColumns } from './entry-table.ts';

/** Larger deltas are few, and would fill the memory soonest. */
const LARGEST_BYTES = 1024;

export class DeltaArena {
  /** Back to back; `EntryColumns.kept` says where each one begins. */
  bytes: Buffer = Buffer.alloc(0);
  readonly #limitBytes: number;
  #used = 0;

  constructor(limitBytes: number) {
    this.#limitBytes = limitBytes;
  }

  /** Keeps a copy of the delta at content[start, start + size) for `row`, if it may. */
  keep(columns: EntryColumns, row: number, content: Buffer, start: number, size: number): void {
    if (size > LARGEST_BYTES || this.#used + size > this.#limitBytes) return;
    if (this.bytes.length === 0) this.bytes = Buffer.from(new SharedArrayBuffer(this.#limitBytes));
    content.copy(this.bytes, this.#used, start, start + size);
    columns.kept[row] = this.#used + 1;
    this.#used += size;
  }
}
