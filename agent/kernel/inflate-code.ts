/**
 * Makes the decode table of one Huffman code from the lengths of its codes, as zlib's inftrees.c
 * accepts them: complete, or one code of one bit, or none at all. Entries are found by the next bits
 * of the input, whose first is the lowest. The table grows as libdeflate's does: codes of `length`
 * bits are entered into a table of 2^length entries, which is doubled for the next length.
 */
import { COUNTS, EXCEPTIONAL, SORTED, STARTS, SUBTABLE, reversed } from './inflate-layout';

/** No table: the lengths are not those of a code that zlib accepts. */
export const BAD_CODE: i32 = -1;

/** What `symbol` says when `length` bits of its code are left. */
function entryOf(meanings: usize, symbol: u32, length: u32): u32 {
  return load<u32>(meanings + (symbol << 2)) + length * 0x101;
}

/** Copies the `size` entries of the table behind themselves, and 8 bytes more if `size` is 2. */
function double(table: usize, size: u32): void {
  const bytes: usize = size << 2;
  const to = table + bytes;
  for (let at: usize = 0; at < bytes; at += 16) v128.store(to + at, v128.load(table + at));
}

/**
 * Takes the symbols between `used` and `usedEnd`, each less `base`, as `symbol << 4 | length`.
 * Returns how many bits find an entry in `table`, at most `rootBits`, or BAD_CODE.
 */
export function buildCode(
  scratch: usize,
  table: usize,
  meanings: usize,
  used: usize,
  usedEnd: usize,
  base: u32,
  rootBits: u32,
): i32 {
  const counts = scratch + COUNTS;
  const longest = count(counts, used, usedEnd);
  if (longest == 0) {
    store<u64>(table, ((<u64>EXCEPTIONAL + 1) << 32) | (EXCEPTIONAL + 1));
    return 1;
  }
  const free = sumUp(scratch, counts, longest);
  if (free != 0 && (free < 0 || longest > 1)) return BAD_CODE;
  sort(scratch, used, usedEnd, base);
  if (free == 0) {
    return fill(scratch, table, meanings, counts, longest, min(longest, rootBits));
  }
  store<u32>(table, entryOf(meanings, load<u16>(scratch + SORTED), 1));
  store<u32>(table + 4, EXCEPTIONAL + 1);
  return 1;
}

/** Counts the codes of each length; returns the length of the longest, 0 if there is none. */
function count(counts: usize, used: usize, usedEnd: usize): u32 {
  v128.store(counts, v128.splat<u8>(0));
  v128.store(counts + 16, v128.splat<u8>(0));
  for (; used < usedEnd; used += 2) {
    const at = counts + (((<u32>load<u16>(used)) & 15) << 1);
    store<u16>(at, load<u16>(at) + 1);
  }
  let longest: u32 = 15;
  while (longest > 0 && load<u16>(counts + (longest << 1)) == 0) longest--;
  return longest;
}

/** Says where the symbols of each length begin; returns what the codes leave free (negative: too many). */
function sumUp(scratch: usize, counts: usize, longest: u32): i32 {
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

function sort(scratch: usize, used: usize, usedEnd: usize, base: u32): void {
  for (; used < usedEnd; used += 2) {
    const item: u32 = load<u16>(used);
    const slot = scratch + ((item & 15) << 1);
    const at: u32 = load<u16>(slot, STARTS);
    store<u16>(slot, at + 2, STARTS);
    store<u16>(scratch + at, (item >> 4) - base, SORTED);
  }
}

function fill(
  scratch: usize,
  table: usize,
  meanings: usize,
  counts: usize,
  longest: u32,
  tableBits: u32,
): i32 {
  let symbols = scratch + SORTED;
  // As the lowest bits of a number that counts up; the input has the highest of them first.
  let code: u32 = 0;
  let length: u32 = 1;
  for (; length <= tableBits; length++) {
    code <<= 1;
    if (length > 1) double(table, 1 << (length - 1));
    const stop = symbols + ((<usize>load<u16>(counts + (length << 1))) << 1);
    for (; symbols < stop; symbols += 2) {
      const at = reversed(scratch, code++, length);
      store<u32>(table + (at << 2), entryOf(meanings, load<u16>(symbols), length));
    }
  }
  if (longest > tableBits)
    fillSubtables(scratch, table, meanings, counts, symbols, code << 1, length, longest, tableBits);
  return tableBits;
}

/** Codes that are longer than `tableBits`; the first of `length` or more bits is `code`. */
function fillSubtables(
  scratch: usize,
  table: usize,
  meanings: usize,
  counts: usize,
  symbols: usize,
  code: u32,
  length: u32,
  longest: u32,
  tableBits: u32,
): void {
  const rootMask: u32 = (1 << tableBits) - 1;
  let end: u32 = 1 << tableBits;
  let prefix: u32 = -1;
  let start: u32 = 0;
  for (; length <= longest; length++, code <<= 1) {
    for (let count: u32 = load<u16>(counts + (length << 1)); count > 0; count--) {
      const bits = reversed(scratch, code++, length);
      if ((bits & rootMask) != prefix) {
        prefix = bits & rootMask;
        start = end;
        const subtableBits = bitsOfSubtable(counts, count, length, tableBits);
        end += 1 << subtableBits;
        const pointer = (start << 16) | EXCEPTIONAL | SUBTABLE | (subtableBits << 8) | tableBits;
        store<u32>(table + (prefix << 2), pointer);
      }
      const entry = entryOf(meanings, load<u16>(symbols), length - tableBits);
      symbols += 2;
      const stride: u32 = 1 << (length - tableBits);
      for (let at = start + (bits >> tableBits); at < end; at += stride) {
        store<u32>(table + (at << 2), entry);
      }
    }
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
