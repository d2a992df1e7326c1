/**
 * Every entry of a pack, one row each, in pack order: 48 bytes a row in typed arrays on shared
 * memory, so that threads work on one table while it fills. The columns have room for as many rows
 * as the header claims, but the system commits a page of them only when a row in it is written: the
 * memory grows with the entries that arrived, not with the claim.
 */
import { PackError } from '../errors.ts';
import { OBJECT_TYPE, OID_BYTES } from './entry-header.ts';

/** `base` of an entry that is stored whole. */
export const NO_BASE = -1;
/** `base` of a ref-delta whose base is not known yet. */
export const BASE_BY_OID = -2;

/** The columns; what a thread gets to see the same table. */
export interface EntryColumns {
  /** Where the entry begins in the pack. */
  readonly offsets: Float64Array;
  /** Inflated size of what is stored: the object, or the delta. */
  readonly sizes: Float64Array;
  /** CRC-32 of the entry as it stands in the pack. */
  readonly crcs: Uint32Array;
  /** Row of the delta base, NO_BASE or BASE_BY_OID. */
  readonly bases: Int32Array;
  /** The object's own type; a delta type until the delta is resolved. */
  readonly types: Uint8Array;
  /** Bytes before the zlib stream. */
  readonly headerLengths: Uint8Array;
  /** Deltas between the entry and one stored whole; 0 where a ref-delta hides it. */
  readonly depths: Uint16Array;
  /** 20 bytes a row: the object's oid; until a ref-delta is resolved, its base's. */
  readonly oids: Buffer;
}

export class EntryTable implements EntryColumns {
  offsets = new Float64Array(0);
  sizes = new Float64Array(0);
  crcs = new Uint32Array(0);
  bases = new Int32Array(0);
  types = new Uint8Array(0);
  headerLengths = new Uint8Array(0);
  depths = new Uint16Array(0);
  oids = Buffer.alloc(0);
  /** Rows in use. */
  count = 0;
  /** Rows that are stored whole, not as a delta. */
  wholeCount = 0;
  /** Where the last entry ends: the pack's trailer begins there. */
  endOffset = 0;

  /** Makes room for `capacity` rows, once, before the first. Throws PACK_LIMIT. */
  reserve(capacity: number): void {
    try {
      Object.assign(this, allocateColumns(capacity));
    } catch (error) {
      if (!(error instanceof RangeError)) throw error;
      throw new PackError('PACK_LIMIT', `no memory for a table of ${capacity} objects`, {
        cause: error,
      });
    }
  }

  /** Adds a row for an entry at `offset`; returns its number. The caller fills the columns. */
  add(offset: number): number {
    const row = this.count++;
    this.offsets[row] = offset;
    return row;
  }

  /** The columns alone, as a message to a thread. */
  columns(): EntryColumns {
    const { offsets, sizes, crcs, bases, types, headerLengths, depths, oids } = this;
    return { offsets, sizes, crcs, bases, types, headerLengths, depths, oids };
  }

  /** The row of the entry that begins at `offset`, or -1. */
  rowAt(offset: number): number {
    const { offsets } = this;
    let low = 0;
    let high = this.count - 1;
    while (low <= high) {
      const middle = (low + high) >>> 1;
      const found = offsets[middle]!;
      if (found === offset) return middle;
      if (found < offset) low = middle + 1;
      else high = middle - 1;
    }
    return -1;
  }
}

function allocateColumns(capacity: number): EntryColumns {
  return {
    offsets: new Float64Array(new SharedArrayBuffer(capacity * 8)),
    sizes: new Float64Array(new SharedArrayBuffer(capacity * 8)),
    crcs: new Uint32Array(new SharedArrayBuffer(capacity * 4)),
    bases: new Int32Array(new SharedArrayBuffer(capacity * 4)),
    types: new Uint8Array(new SharedArrayBuffer(capacity)),
    headerLengths: new Uint8Array(new SharedArrayBuffer(capacity)),
    depths: new Uint16Array(new SharedArrayBuffer(capacity * 2)),
    oids: Buffer.from(new SharedArrayBuffer(capacity * OID_BYTES)),
  };
}

/** On its way between threads a Buffer becomes a plain Uint8Array on the same memory. */
export function receiveColumns(columns: EntryColumns): EntryColumns {
  return { ...columns, oids: asBuffer(columns.oids) };
}

export function asBuffer(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
}

/** Whether a row is stored as a delta and not resolved yet. */
export function isUnresolved(columns: EntryColumns, row: number): boolean {
  return columns.types[row]! >= OBJECT_TYPE.ofsDelta;
}

/** A row's oid in hex, for messages. */
export function oidOf(columns: EntryColumns, row: number): string {
  return columns.oids.toString('hex', row * OID_BYTES, (row + 1) * OID_BYTES);
}
