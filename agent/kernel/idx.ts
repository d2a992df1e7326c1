/**
 * The entry table in, what an idx and a reverse index have of it out (gitformat-pack, "Version 2
 * pack-*.idx files", "pack-*.rev files"): the order of its rows by oid, and its columns in that order,
 * numbers big-endian. Some rows at a time, so that no file is in memory as a whole.
 */
const OID_BYTES: usize = 20;

const LEAST_BITS: u32 = 8;
const MOST_BITS: u32 = 20;
/** Of an offset that stands in another table. */
const LARGE: u32 = 0x8000_0000;

/** How many bytes of zeros `sortRows` needs for so many rows. */
export function sortScratchBytes(count: u32): u32 {
  return 4 << bucketBitsOf(count);
}

/** Buckets of some rows each; random counters beyond the caches cost more than they save. */
function bucketBitsOf(count: u32): u32 {
  return min(max(32 - clz(count), LEAST_BITS), MOST_BITS);
}

/**
 * Puts the rows 0 to count - 1 in the order of their oids; those of one oid stay in pack order, as Git's
 * idx has them. First by the oid's first bits, which are as good as random, then each bucket by itself.
 */
export function sortRows(oids: usize, count: u32, order: usize, scratch: usize): void {
  const bits = bucketBitsOf(count);
  const shift = 32 - bits;
  for (let row: u32 = 0; row < count; row++) {
    const counter = scratch + (usize(firstWordOf(oids, row) >> shift) << 2);
    store<u32>(counter, load<u32>(counter) + 1);
  }
  const end = scratch + (4 << bits);
  let sum: u32 = 0;
  for (let counter = scratch; counter < end; counter += 4) {
    const rows = load<u32>(counter);
    store<u32>(counter, sum);
    sum += rows;
  }
  for (let row: u32 = 0; row < count; row++) {
    const counter = scratch + (usize(firstWordOf(oids, row) >> shift) << 2);
    const place = load<u32>(counter);
    store<u32>(counter, place + 1);
    store<u32>(order + (usize(place) << 2), row);
  }
  // Now each counter says where its bucket ends.
  let start: u32 = 0;
  for (let counter = scratch; counter < end; counter += 4) {
    const bucketEnd = load<u32>(counter);
    if (bucketEnd - start > 1) sortBucket(oids, order + (usize(start) << 2), bucketEnd - start);
    start = bucketEnd;
  }
}

/**
 * Shell's sort by the gaps of Gonnet and Baeza-Yates: oids that are made to be in one bucket do not make
 * it quadratic. 500,000 of them take 5 s, by Knuth's gaps 7 s.
 */
function sortBucket(oids: usize, rows: usize, count: u32): void {
  let gap = count;
  while (gap > 1) {
    gap = max<u32>((gap * 5) / 11, 1);
    const distance = usize(gap) << 2;
    const end = rows + (usize(count) << 2);
    for (let at = rows + distance; at < end; at += 4) {
      const row = load<u32>(at);
      let to = at;
      while (to >= rows + distance && isBehind(oids, load<u32>(to - distance), row)) {
        store<u32>(to, load<u32>(to - distance));
        to -= distance;
      }
      store<u32>(to, row);
    }
  }
}

/** Whether `left` comes after `right`: by the oids' bytes, then by the rows. */
function isBehind(oids: usize, left: u32, right: u32): bool {
  const a = oids + usize(left) * OID_BYTES;
  const b = oids + usize(right) * OID_BYTES;
  let first = bswap(load<u64>(a));
  let second = bswap(load<u64>(b));
  if (first !== second) return first > second;
  first = bswap(load<u64>(a, 8));
  second = bswap(load<u64>(b, 8));
  if (first !== second) return first > second;
  const last = bswap(load<u32>(a, 16));
  const other = bswap(load<u32>(b, 16));
  return last === other ? left > right : last > other;
}

function firstWordOf(oids: usize, row: u32): u32 {
  return bswap(load<u32>(oids + usize(row) * OID_BYTES));
}

/**
 * Looks at the rows in their order from the place `from` (1 at least) on: the first place whose oid is
 * that of the place before it; `count` where there is none.
 */
export function findEqual(rows: usize, count: u32, oids: usize, from: u32): u32 {
  for (let place = from; place < count; place++) {
    const at = rows + (usize(place) << 2);
    const a = oids + usize(load<u32>(at - 4)) * OID_BYTES;
    const b = oids + usize(load<u32>(at)) * OID_BYTES;
    if (load<u64>(a) !== load<u64>(b) || load<u64>(a, 8) !== load<u64>(b, 8)) continue;
    if (load<u32>(a, 16) === load<u32>(b, 16)) return place;
  }
  return count;
}

/** For each first byte how many of `count` oids have it or one before it: 1024 bytes at `out`. */
export function fillFanOut(oids: usize, count: u32, out: usize): void {
  memory.fill(out, 0, 1024);
  for (let row: u32 = 0; row < count; row++) {
    const counter = out + (usize(load<u8>(oids + usize(row) * OID_BYTES)) << 2);
    store<u32>(counter, load<u32>(counter) + 1);
  }
  let sum: u32 = 0;
  for (let counter = out; counter < out + 1024; counter += 4) {
    sum += load<u32>(counter);
    store<u32>(counter, bswap(sum));
  }
}

// Each of these takes `count` rows at `rows`, and fills as many places at `out`.

/** 20 bytes each. */
export function fillOids(rows: usize, count: u32, oids: usize, out: usize): void {
  let to = out;
  for (let at = rows; at < rows + (usize(count) << 2); at += 4) {
    const oid = oids + usize(load<u32>(at)) * OID_BYTES;
    store<u64>(to, load<u64>(oid));
    store<u64>(to, load<u64>(oid, 8), 8);
    store<u32>(to, load<u32>(oid, 16), 16);
    to += OID_BYTES;
  }
}

/** Four bytes each. */
export function fillCrcs(rows: usize, count: u32, crcs: usize, out: usize): void {
  for (let at: usize = 0; at < usize(count) << 2; at += 4) {
    const row = load<u32>(rows + at);
    store<u32>(out + at, bswap(load<u32>(crcs + (usize(row) << 2))));
  }
}

/**
 * Four bytes each: the offset, or above `limit` its place among all those. `largeCount` of them came
 * before these rows; returns how many there are with these.
 */
export function fillOffsets(
  rows: usize,
  count: u32,
  offsets: usize,
  limit: u32,
  largeCount: u32,
  out: usize,
): u32 {
  let large = largeCount;
  for (let at: usize = 0; at < usize(count) << 2; at += 4) {
    const offset = load<f64>(offsets + (usize(load<u32>(rows + at)) << 3));
    const word = offset > f64(limit) ? LARGE + large++ : u32(offset);
    store<u32>(out + at, bswap(word));
  }
  return large;
}

/** For each row its place among `rows`: four bytes each. */
export function fillPlaces(rows: usize, count: u32, out: usize): void {
  for (let place: u32 = 0; place < count; place++) {
    const row = load<u32>(rows + (usize(place) << 2));
    store<u32>(out + (usize(row) << 2), bswap(place));
  }
}
