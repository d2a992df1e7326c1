/**
 * Every entry of a pack, one row each, in pack order: 48 bytes a row in typed arrays on the kernel's
 * memory, so that it and all threads work on one table while it fills. The columns have room for as
 * many rows as the header claims, but the system commits a page of them only when a row in it is
 * written: the memory grows with the entries that arrived, not with the claim.
 */
import { OBJECT_TYPE, OID_BYTES } from './entry-header.ts';
import type { PackMemory } from './pack-memory.ts';

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
  reserve(capacity: number, memory: PackMemory): void {
    Object.assign(this, allocateColumns(capacity, memory));
  }

  /** The columns alone, as a message to a thread. */
  columns(): EntryColumns {
    const { offsets, sizes, crcs, bases, types, headerLengths, depths, oids } = this;
    return { offsets, sizes, crcs, bases, types, headerLengths, depths, oids };
  }
}

function allocateColumns(capacity: number, memory: PackMemory): EntryColumns {
  const take = (bytes: number): [ArrayBufferLike, number, number] => {
    const { buffer, byteOffset } = memory.take(capacity * bytes);
    return [buffer, byteOffset, capacity];
  };
  return {
    offsets: new Float64Array(...take(8)),
    sizes: new Float64Array(...take(8)),
    crcs: new Uint32Array(...take(4)),
    bases: new Int32Array(...take(4)),
    types: new Uint8Array(...take(1)),
    headerLengths: new Uint8Array(...take(1)),
    depths: new Uint16Array(...take(2)),
    oids: memory.take(capacity * OID_BYTES),
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
