/**
 * Makes the decode table of one Huffman code from the lengths of its codes, as zlib's inftrees.c
 * accepts them: complete, or one code of one bit, or none at all. Entries are found by the next bits
 * of the input, whose first is the lowest. The table grows as libdeflate's does: codes of `length`
 * bits are entered into a table of 2^length entries, which is doubled for the next length.
 */
import { COUNTS, EXCEPTIONAL, SORTED, STARTS, SUBTABLE } from './inflate-layout';

/** No table: the lengths are not those of a code that zlib accepts. */
export const BAD_CODE: i32 = -1;

let scratch: usize = 0;
let meanings: usize = 0;
let table: usize = 0;

/** What `symbol` says when `length` bits of its code are left. */
function entryOf(symbol: u32, length: u32): u32 {
  return load<u32>(meanings + (symbol << 2)) + length * 0x101;
}

/** The code after `code`, of the same length: counting, seen from the highest bit on. */
function following(code: u32, ones: u32): u32 {
  const bit: u32 = (<u32>0x80000000) >> clz(code ^ ones);
  return (code & (bit - 1)) | bit;
}

/** Copies the `size` entries of the table behind themselves, and 8 bytes more if `size` is 2. */
function double(size: u32): void {
  const bytes: usize = size << 2;
  const to = table + bytes;
  for (let at: usize = 0; at < bytes; at += 16) v128.store(to + at, v128.load(table + at));
}

/**
 * Takes the symbols between `used` and `usedEnd` (each less `base`) and their counts by length.
 * Returns how many bits find an entry in `toTable`, at most `rootBits`, or BAD_CODE.
 */
export function buildCode(
  memory: usize,
  toTable: usize,
  ofMeanings: usize,
  counts: usize,
  used: usize,
  usedEnd: usize,
  base: u32,
  rootBits: u32,
): i32 {
  scratch = memory;
  table = toTable;
  meanings = ofMeanings;
  let longest: u32 = 15;
  while (longest > 0 && load<u16>(counts + (longest << 1)) == 0) longest--;
  if (longest == 0) {
    store<u64>(table, ((<u64>EXCEPTIONAL + 1) << 32) | (EXCEPTIONAL + 1));
    return 1;
  }
  const free = sumUp(counts, longest);
  if (free != 0 && (free < 0 || longest > 1)) return BAD_CODE;
  sort(used, usedEnd, base);
  if (free == 0) return fill(counts, longest, min(longest, rootBits));
  store<u32>(table, entryOf(load<u16>(scratch + SORTED), 1));
  store<u32>(table + 4, EXCEPTIONAL + 1);
  return 1;
}

/** Says where the symbols of each length begin; returns what the codes leave free (negative: too many). */
function sumUp(counts: usize, longest: u32): i32 {
  let free: i32 = 1;
  let start: u32 = 0;
  for (let length: u32 = 1; length <= longest; length++) {
    const count: u32 = load<u16>(counts + (length << 1));
    store<u16>(scratch + (length << 1), start << 1, STARTS);
    start += count;
    free = (free << 1) - count;
    if (free < 0) return free;
  }
  return free;
}

function sort(used: usize, usedEnd: usize, base: u32): void {
  for (; used < usedEnd; used += 2) {
    const item: u32 = load<u16>(used);
    const slot = scratch + ((item & 15) << 1);
    const at: u32 = load<u16>(slot, STARTS);
    store<u16>(slot, at + 2, STARTS);
    store<u16>(scratch + at, (item >> 4) - base, SORTED);
  }
}

function fill(counts: usize, longest: u32, tableBits: u32): i32 {
  let symbols = scratch + SORTED;
  let code: u32 = 0;
  let size: u32 = 1;
  let length: u32 = 1;
  for (; length <= tableBits; length++) {
    if (length > 1) double(size);
    size <<= 1;
    for (let count: u32 = load<u16>(counts + (length << 1)); count > 0; count--) {
      store<u32>(table + (code << 2), entryOf(load<u16>(symbols), length));
      symbols += 2;
      code = following(code, size - 1);
    }
  }
  if (longest > tableBits) fillSubtables(counts, symbols, code, length, tableBits);
  return tableBits;
}

/** Codes that are longer than `tableBits`, from the first, `code`, which has `length` or more bits. */
function fillSubtables(
  counts: usize,
  symbols: usize,
  code: u32,
  length: u32,
  tableBits: u32,
): void {
  const rootMask: u32 = (1 << tableBits) - 1;
  let end: u32 = 1 << tableBits;
  let prefix: u32 = -1;
  let start: u32 = 0;
  let count: u32 = load<u16>(counts + (length << 1));
  while (true) {
    while (count == 0) count = load<u16>(counts + (++length << 1));
    if ((code & rootMask) != prefix) {
      prefix = code & rootMask;
      start = end;
      const subtableBits = bitsOfSubtable(counts, count, length, tableBits);
      end += 1 << subtableBits;
      store<u32>(
        table + (prefix << 2),
        (start << 16) | EXCEPTIONAL | SUBTABLE | (subtableBits << 8) | tableBits,
      );
    }
    const entry = entryOf(load<u16>(symbols), length - tableBits);
    symbols += 2;
    const stride: u32 = 1 << (length - tableBits);
    for (let at = start + (code >> tableBits); at < end; at += stride) {
      store<u32>(table + (at << 2), entry);
    }
    const ones: u32 = (1 << length) - 1;
    if (code == ones) return;
    code = following(code, ones);
    count--;
  }
}

/** A complete code fills its subtables: more bits are taken in until the codes at hand do so. */
function bitsOfSubtable(counts: usize, count: u32, length: u32, tableBits: u32): u32 {
  let bits = length - tableBits;
  let space = count;
  while (space < (<u32>1) << bits) {
    bits++;
    space = (space << 1) + load<u16>(counts + ((tableBits + bits) << 1));
  }
  return bits;
}
