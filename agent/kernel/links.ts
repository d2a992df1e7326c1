/**
 * Commits, trees and tags in, while their contents are at hand; what they lead to out: what
 * pack/object-links.ts does. Kept are 8 bytes of each oid and a row that names it, in an open-addressed
 * table. Invariant: reads stay within the content and 16 bytes behind it; content that Git could not
 * read ends in silence.
 */
import { allocate, touch } from './memory';
import { COMMIT, OID_BYTES, TAG, TREE } from './table';

const HEX_BYTES: usize = 40;
/** The end of a name and an oid: no entry of a tree has less behind its mode. */
const LEAST_ENTRY: usize = 1 + OID_BYTES;

const FIRST_BITS: u32 = 12;
/** Above, the table would be larger than the memory. */
const LAST_BITS: u32 = 28;

/** Who makes oids that collide must not slow a lookup: not to be guessed, and odd. */
let seed: u64 = 1;
let bits: u32 = 0;
let count: u32 = 0;
/** Per place: the first 8 bytes of an oid as they stand there; 0 where the place is free. */
let words: usize = 0;
/** Per place: the row of an object that names it. */
let namedBy: usize = 0;

/** The oids of all rows, and by open addressing each row + 1. */
let indexed: usize = 0;
let slots: usize = 0;
let slotMask: u32 = 0;

/** 1 where something was not taken: there is no memory for it, or there was no `initLinks`. */
export let linksFailed: i32 = 1;

/** The seeds are random, and the same ones for all threads of a pack. */
export function initLinks(seedHigh: u32, seedLow: u32): void {
  seed = (u64(seedHigh) << 32) | u64(seedLow) | 1;
  linksFailed = makeTable(FIRST_BITS) ? 0 : 1;
}

export function linkWords(): usize {
  return words;
}

export function linkNamedBy(): usize {
  return namedBy;
}

export function linkPlaces(): u32 {
  return words === 0 ? 0 : 1 << bits;
}

/**
 * Takes the object at `row`: [content, content + size), of which so many bytes at its begin and at its
 * end are those of another object that is taken, too.
 */
export function takeLinks(
  row: i32,
  type: i32,
  content: usize,
  size: u32,
  sameBegin: u32,
  sameEnd: u32,
): void {
  if (linksFailed !== 0) return;
  const end = content + size;
  if (type === TREE) takeTree(row, content, end, content + sameBegin, end - sameEnd);
  else if (type === COMMIT) takeCommit(row, content, end);
  else if (type === TAG) takeTag(row, content, end);
}

/**
 * [knownFrom, end) is the end of another tree. Where an entry begins there, one begins in the other
 * tree as well, or in the midst of its name: the oids are the same ones.
 */
function takeTree(row: i32, content: usize, end: usize, knownTo: usize, knownFrom: usize): void {
  if (end - content < LEAST_ENTRY) return;
  const last = end - LEAST_ENTRY;
  let at = content;
  while (at < knownFrom) {
    // "160000": a commit of another repository.
    const isGitlink = load<u16>(at) === 0x3631;
    const nameEnd = nameEndOf(at, end);
    if (nameEnd > last) return;
    at = nameEnd + LEAST_ENTRY;
    if (!isGitlink && at > knownTo) add(load<u64>(nameEnd + 1), row);
  }
}

/** Where the first zero behind the first space is; `end` or something behind it where there is none. */
function nameEndOf(entry: usize, end: usize): usize {
  const spaces = i8x16.splat(0x20);
  const zeros = i8x16.splat(0);
  let at = entry;
  /** Which bytes of 16 are behind the space: none before it was seen. */
  let behind: i32 = 0;
  do {
    const bytes = v128.load(at);
    if (behind === 0) {
      const found = i8x16.bitmask(i8x16.eq(bytes, spaces));
      behind = -(found & -found);
    }
    const ends = i8x16.bitmask(i8x16.eq(bytes, zeros)) & behind;
    if (ends !== 0) return at + ctz(ends);
    behind >>= 31;
    at += 16;
  } while (at < end);
  return end;
}

/** "tree <oid>", then lines "parent <oid>". */
function takeCommit(row: i32, content: usize, end: usize): void {
  const isTree = hasLine(content, end, 5) && load<u32>(content) === 0x6565_7274;
  if (!isTree || load<u8>(content + 4) !== 0x20) return;
  let at = takeHex(row, content + 5);
  while (at !== 0 && hasLine(at, end, 7)) {
    if (load<u32>(at) !== 0x6572_6170 || load<u32>(at + 3) !== 0x2074_6e65) return;
    at = takeHex(row, at + 7);
  }
}

/** "object <oid>". */
function takeTag(row: i32, content: usize, end: usize): void {
  const isObject = hasLine(content, end, 7) && load<u32>(content) === 0x656a_626f;
  if (isObject && load<u32>(content + 3) === 0x2074_6365) takeHex(row, content + 7);
}

/** Whether a line of a keyword and an oid ends where it should. */
function hasLine(at: usize, end: usize, keyword: usize): bool {
  return end - at > keyword + HEX_BYTES && load<u8>(at + keyword + HEX_BYTES) === 0x0a;
}

/** Takes an oid in hex; returns where the next line begins, or 0 where there are other digits. */
function takeHex(row: i32, hex: usize): usize {
  const digits = v128.load(hex);
  const numbers = i8x16.sub(digits, i8x16.splat(0x30));
  const letters = i8x16.sub(v128.or(digits, i8x16.splat(0x20)), i8x16.splat(0x61));
  const isNumber = i8x16.lt_u(numbers, i8x16.splat(10));
  const isLetter = i8x16.lt_u(letters, i8x16.splat(6));
  if (!i8x16.all_true(v128.or(isNumber, isLetter))) return 0;
  const values = v128.bitselect(numbers, i8x16.add(letters, i8x16.splat(10)), isNumber);
  // The first of two digits is the lower byte of 16 bits, and the upper half of theirs.
  const pairs = v128.or(i16x8.shl(values, 4), i16x8.shr_u(values, 8));
  const bytes = i8x16.narrow_i16x8_u(v128.and(pairs, i16x8.splat(0xff)), i16x8.splat(0));
  add(i64x2.extract_lane(bytes, 0), row);
  return hex + HEX_BYTES + 1;
}

function add(key: u64, row: i32): void {
  const mask: u32 = (1 << bits) - 1;
  let place = u32((key * seed) >> (64 - bits));
  let found = load<u64>(words + (usize(place) << 3));
  while (found !== 0) {
    if (found === key) return;
    place = (place + 1) & mask;
    found = load<u64>(words + (usize(place) << 3));
  }
  // No lookup would find it again.
  if (key === 0) return;
  store<u64>(words + (usize(place) << 3), key);
  store<i32>(namedBy + (usize(place) << 2), row);
  if (++count * 2 > mask) grow();
}

/** The old table is left behind: all of them together are no larger than the last one. */
function grow(): void {
  const oldWords = words;
  const oldNamedBy = namedBy;
  const places: u32 = 1 << bits;
  if (!makeTable(bits + 1)) {
    linksFailed = 1;
    return;
  }
  for (let place: u32 = 0; place < places; place++) {
    const key = load<u64>(oldWords + (usize(place) << 3));
    if (key !== 0) add(key, load<i32>(oldNamedBy + (usize(place) << 2)));
  }
}

function makeTable(newBits: u32): bool {
  if (newBits > LAST_BITS) return false;
  const table = allocate(12 << newBits);
  if (table === 0) return false;
  touch(table, 12 << newBits);
  bits = newBits;
  count = 0;
  words = table;
  namedBy = table + (8 << newBits);
  return true;
}

/** Makes the lookup of `findBroken`: `oids` has 20 bytes of each of `count` rows. False: no memory. */
export function indexOids(oids: usize, count: u32): bool {
  // Two slots a row at least.
  const slotBits = max<u32>(FIRST_BITS, 33 - clz<u32>(max<u32>(count, 1) - 1));
  indexed = oids;
  slots = slotBits <= LAST_BITS ? allocate(4 << slotBits) : 0;
  if (slots === 0) return false;
  touch(slots, 4 << slotBits);
  slotMask = (1 << slotBits) - 1;
  for (let row: u32 = 1; row <= count; row++) {
    const oid = load<u64>(oids + usize(row - 1) * OID_BYTES);
    let slot = u32((oid * seed) >> (64 - slotBits));
    while (load<u32>(slots + (usize(slot) << 2)) !== 0) slot = (slot + 1) & slotMask;
    store<u32>(slots + (usize(slot) << 2), row);
  }
  return true;
}

/** The row of an object that leads to none of the rows; -1 where all lead to one. Takes any table's places. */
export function findBroken(words: usize, namedBy: usize, places: u32): i32 {
  for (let place: u32 = 0; place < places; place++) {
    const key = load<u64>(words + (usize(place) << 3));
    if (key !== 0 && !isIndexed(key)) return load<i32>(namedBy + (usize(place) << 2));
  }
  return -1;
}

function isIndexed(key: u64): bool {
  let slot = u32((key * seed) >> clz<u64>(slotMask));
  let row = load<u32>(slots + (usize(slot) << 2));
  while (row !== 0) {
    if (load<u64>(indexed + usize(row - 1) * OID_BYTES) === key) return true;
    slot = (slot + 1) & slotMask;
    row = load<u32>(slots + (usize(slot) << 2));
  }
  return false;
}
