/**
 * The contents of the objects made last, by row: what the next deltas build on. One piece of memory
 * that is written round and round: the oldest contents are overwritten, nothing is allocated and
 * nothing freed. Git writes a base shortly before its deltas, so that 8 MiB hold 93 to 97 of 100 bases
 * that are asked for; one that is used again late moves to the front.
 */

/** Before each content: its size in the first four bytes, an object's header in the last ones. */
export const HEADROOM: u32 = 32;
/** Behind each content: what wide copies may write. */
export const SLACK: u32 = 16;

/** Places are multiples of this, and kept divided by it. */
const UNIT: u32 = 16;
/** Where counting begins anew, so that a place divided by UNIT stays below 2^32. */
const LAP_END: u64 = 1 << 35;

let ring: usize = 0;
let capacity: u32 = 0;
/** Per row: where its content begins, counted without going round, divided by UNIT; 0 for none. */
let places: usize = 0;
let rows: u32 = 0;
/** Where the next content goes, counted without going round. */
let head: u64 = 0;

/** @param bytes a multiple of 64. */
export function setContentRing(ringAt: usize, bytes: u32, placesAt: usize, rowCount: u32): void {
  ring = ringAt;
  capacity = bytes;
  places = placesAt;
  rows = rowCount;
  head = 0;
}

/** A quarter at most, so that base and result always fit together. */
export function admits(size: f64): bool {
  return f64(HEADROOM) + size < f64(capacity >> 2);
}

/** Makes room for an admitted content; returns its address. */
export function reserve(size: u32): usize {
  const length = (HEADROOM + size + SLACK + UNIT - 1) & ~(UNIT - 1);
  let index = u32(head % capacity);
  if (index + length > capacity) {
    head += capacity - index;
    index = 0;
  }
  head += length;
  store<u32>(ring + index, size);
  return ring + index + HEADROOM;
}

/** Remembers that the content at `start` (from the last `reserve`) is that of `row`. */
export function keep(row: i32, start: usize): void {
  const lap = ((head - 1) / capacity) * capacity;
  store<u32>(places + (usize(row) << 2), u32((lap + u64(start - ring)) / UNIT));
}

/** The address of the row's content, or 0. It outlives one `reserve`. */
export function find(row: i32): usize {
  if (head > LAP_END) clear();
  const place = u64(load<u32>(places + (usize(row) << 2))) * UNIT;
  if (place === 0) return 0;
  const age = head - place;
  if (age > capacity - HEADROOM) return 0;
  const start = ring + u32(place % capacity);
  if (age <= capacity >> 1) return start;
  const size = sizeAt(start);
  const moved = reserve(size);
  memory.copy(moved, start, size);
  keep(row, moved);
  return moved;
}

/** Size of the content that begins at `start`. */
export function sizeAt(start: usize): u32 {
  return load<u32>(start - HEADROOM);
}

function clear(): void {
  memory.fill(places, 0, usize(rows) << 2);
  head = 0;
}
