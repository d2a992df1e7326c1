/**
 * One entry that goes through in pieces, because it is large or does not fit a window: its bytes in,
 * as they come; its CRC-32 and, unless it is a delta, its oid out, in its row of the entry table.
 */
import type { Hash } from 'node:crypto';
import zlib from 'node:zlib';
import { OBJECT_TYPE, OID_BYTES, type EntryHeader } from './entry-header.ts';
import type { EntryColumns } from './entry-table.ts';
import { asLocated, type Inflater } from './inflater.ts';
import { beginObjectHash } from './object-hash.ts';

export class EntryStream {
  readonly #columns: EntryColumns;
  readonly #inflater: Inflater;
  readonly #row: number;
  readonly #hash: Hash | undefined;

  /** @param head the entry's bytes before its zlib stream. */
  constructor(
    columns: EntryColumns,
    inflater: Inflater,
    row: number,
    { type, size }: EntryHeader,
    head: Buffer,
  ) {
    this.#columns = columns;
    this.#inflater = inflater;
    this.#row = row;
    this.#hash = type < OBJECT_TYPE.ofsDelta ? beginObjectHash(type, size) : undefined;
    columns.crcs[row] = zlib.crc32(head);
    inflater.begin(size);
  }

  get ended(): boolean {
    return this.#inflater.ended;
  }

  /** Takes what it can of window[start, end); returns how much that was. Throws PackError. */
  take(window: Buffer, start: number, end: number): number {
    const { crcs, oids, offsets } = this.#columns;
    const row = this.#row;
    const hash = this.#hash;
    const taken = asLocated(offsets[row]!, () =>
      this.#inflater.push(window, start, end, (piece) => hash?.update(piece)),
    );
    crcs[row] = zlib.crc32(window.subarray(start, start + taken), crcs[row]);
    if (this.ended) hash?.digest().copy(oids, row * OID_BYTES);
    return taken;
  }
}
