/**
 * The bytes before an entry's zlib stream in; type, size and base out (gitformat-pack). What is wrong
 * with one is said by agent/pack/entry-header.ts, which reads it again.
 */
import { COMMIT, OFS_DELTA, OID_BYTES, REF_DELTA, TAG } from './table';

export const COMPLETE: i32 = 0;
export const CUT_OFF: i32 = 1;
export const REFUSED: i32 = 2;

const LARGEST_SIZE: u64 = (1 << 53) - 1;
/** Bits of a size that can be added without an overflow. */
const LAST_SHIFT: u64 = 53;

export let entryType: i32 = 0;
/** Inflated size of what follows. */
export let entrySize: u64 = 0;
/** ofs-delta: how far before this entry its base begins. */
export let baseDistance: u64 = 0;
/** ref-delta: where its base's oid stands. */
export let baseOid: usize = 0;
/** Bytes from the entry's first to its zlib stream. */
export let headerLength: u32 = 0;

/** Parses the header at [from, end) of the entry at `offset` of the pack. */
export function parseEntryHeader(from: usize, end: usize, offset: u64): i32 {
  let at = from;
  if (at >= end) return CUT_OFF;
  let byte: u32 = load<u8>(at++);
  entryType = (byte >> 4) & 7;
  let size: u64 = byte & 15;
  let shift: u64 = 4;
  while (byte & 0x80) {
    if (at >= end) return CUT_OFF;
    byte = load<u8>(at++);
    if (shift > LAST_SHIFT) return REFUSED;
    size += u64(byte & 0x7f) << shift;
    shift += 7;
    if (size > LARGEST_SIZE) return REFUSED;
  }
  entrySize = size;
  if (entryType === OFS_DELTA) return parseDistance(from, at, end, offset);
  if (entryType === REF_DELTA) {
    baseOid = at;
    at += OID_BYTES;
  } else if (entryType < COMMIT || entryType > TAG) {
    return REFUSED;
  }
  headerLength = u32(at - from);
  return at <= end ? COMPLETE : CUT_OFF;
}

function parseDistance(from: usize, start: usize, end: usize, offset: u64): i32 {
  let at = start;
  if (at >= end) return CUT_OFF;
  let byte: u32 = load<u8>(at++);
  let distance: u64 = byte & 0x7f;
  while (byte & 0x80) {
    if (at >= end) return CUT_OFF;
    byte = load<u8>(at++);
    distance = ((distance + 1) << 7) | u64(byte & 0x7f);
    if (distance > offset) return REFUSED;
  }
  if (distance === 0 || distance > offset) return REFUSED;
  baseDistance = distance;
  headerLength = u32(at - from);
  return COMPLETE;
}
