/**
 * The entry table as the kernel sees it: the addresses of its columns, one place a row in each
 * (agent/pack/entry-table.ts says what they mean). The columns are shared by all threads; a row is
 * written by one of them at a time.
 */
export const COMMIT: i32 = 1;
export const TREE: i32 = 2;
export const BLOB: i32 = 3;
export const TAG: i32 = 4;
export const OFS_DELTA: i32 = 6;
export const REF_DELTA: i32 = 7;

/** `base` of an entry that is stored whole. */
export const NO_BASE: i32 = -1;
/** `base` of a ref-delta whose base is not known yet. */
export const BASE_BY_OID: i32 = -2;

export const OID_BYTES: u32 = 20;

let offsets: usize = 0;
let sizes: usize = 0;
let crcs: usize = 0;
let bases: usize = 0;
let types: usize = 0;
let headerLengths: usize = 0;
let depths: usize = 0;
let oids: usize = 0;

export function setTable(
  offsetsAt: usize,
  sizesAt: usize,
  crcsAt: usize,
  basesAt: usize,
  typesAt: usize,
  headerLengthsAt: usize,
  depthsAt: usize,
  oidsAt: usize,
): void {
  offsets = offsetsAt;
  sizes = sizesAt;
  crcs = crcsAt;
  bases = basesAt;
  types = typesAt;
  headerLengths = headerLengthsAt;
  depths = depthsAt;
  oids = oidsAt;
}

export function offsetOf(row: i32): f64 {
  return load<f64>(offsets + (usize(row) << 3));
}

export function sizeOf(row: i32): f64 {
  return load<f64>(sizes + (usize(row) << 3));
}

export function baseOf(row: i32): i32 {
  return load<i32>(bases + (usize(row) << 2));
}

export function typeOf(row: i32): i32 {
  return load<u8>(types + usize(row));
}

export function setType(row: i32, type: i32): void {
  store<u8>(types + usize(row), type);
}

export function depthOf(row: i32): u32 {
  return load<u16>(depths + (usize(row) << 1));
}

export function setCrc(row: i32, crc: u32): void {
  store<u32>(crcs + (usize(row) << 2), crc);
}

/** Where an oid is kept. */
export function oidAt(row: i32): usize {
  return oids + usize(row) * OID_BYTES;
}

export function putRow(
  row: i32,
  offset: f64,
  type: i32,
  size: f64,
  headerLength: u32,
  base: i32,
  depth: u32,
): void {
  store<f64>(offsets + (usize(row) << 3), offset);
  store<f64>(sizes + (usize(row) << 3), size);
  store<i32>(bases + (usize(row) << 2), base);
  store<u8>(types + usize(row), type);
  store<u8>(headerLengths + usize(row), headerLength);
  store<u16>(depths + (usize(row) << 1), depth);
}

/** The row of the entry that begins at `offset`, of the first `count`; or -1. */
export function rowAt(offset: f64, count: i32): i32 {
  let low: i32 = 0;
  let high = count - 1;
  while (low <= high) {
    const middle = (low + high) >>> 1;
    const found = offsetOf(middle);
    if (found === offset) return middle;
    if (found < offset) low = middle + 1;
    else high = middle - 1;
  }
  return -1;
}
