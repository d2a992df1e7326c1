/**
 * The entry table in, all of it resolved; its rows sorted by oid out, and columns in that order, by the
 * kernel and in its memory. Each of this runs once in a clone: V8's compilers took more of the 110 ms
 * of 170,000 rows in JavaScript than the loops themselves.
 */
import type { EntryTable } from './entry-table.ts';
import type { Kernel } from './kernel.ts';
import type { PackMemory } from './pack-memory.ts';

export class SortedTable {
  readonly table: EntryTable;
  readonly kernel: Kernel;
  readonly memory: PackMemory;
  /** Every row, by oid; rows of one oid stay in pack order, as Git's idx has them. */
  readonly rows: Uint32Array;

  /** Throws PACK_LIMIT. */
  constructor(table: EntryTable, kernel: Kernel, memory: PackMemory) {
    this.table = table;
    this.kernel = kernel;
    this.memory = memory;
    const { count, oids } = table;
    const scratch = memory.take(kernel.sortScratchBytes(count));
    const { buffer, byteOffset } = memory.take(count * Uint32Array.BYTES_PER_ELEMENT);
    kernel.sortRows(oids.byteOffset, count, byteOffset, scratch.byteOffset);
    this.rows = new Uint32Array(buffer, byteOffset, count);
  }

  /** Rows next to each other that have one oid. */
  *equalPairs(): Generator<readonly [number, number]> {
    const { rows, kernel } = this;
    const { count, oids } = this.table;
    for (let place = 1; ; place++) {
      place = kernel.findEqual(rows.byteOffset, count, oids.byteOffset, place);
      if (place >= count) return;
      yield [rows[place - 1]!, rows[place]!];
    }
  }
}
