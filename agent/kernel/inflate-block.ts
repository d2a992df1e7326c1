/**
 * The head of a block with codes of its own (RFC 1951, section 3.2.7): lengths of codes, themselves
 * coded, become two decode tables. Zeros, most of the lengths in a small stream, cost one step a run:
 * only symbols that have a code are listed, with their lengths, and counted by length meanwhile.
 * Refuses what zlib's inflate() refuses.
 */
import { BAD_CODE, buildCode } from './inflate-code';
import { drop, isBeyond, need, peek, refill, take } from './inflate-input';
import {
  CODE_LENGTH_LENGTHS,
  CODE_LENGTH_ORDER,
  CODE_LENGTH_SYMBOLS,
  CODE_LENGTH_TABLE,
  COUNTS,
  DISTANCE_MEANINGS,
  DISTANCE_TABLE,
  LITLEN_MEANINGS,
  LITLEN_TABLE,
  USED,
} from './inflate-layout';
import { FAULT, NEEDS_INPUT } from './inflate-symbols';

const END_SYMBOL: u32 = 256;

/** Of the block whose tables were made last. */
let litlenBits: u32 = 0;
let distanceBits: u32 = 0;

export function litlenMask(): u32 {
  return (1 << litlenBits) - 1;
}
export function distanceMask(): u32 {
  return (1 << distanceBits) - 1;
}

/** Reads the head behind the 3 bits of the block's type; 0, FAULT or NEEDS_INPUT. */
export function readCodes(scratch: usize, rootBits: u32): i32 {
  // What the block's type left of a refill, 53 bits, is more than these 20.
  const litlens = take(5) + 257;
  const distances = take(5) + 1;
  const lengths = take(4) + 4;
  const first = take(3);
  if (litlens > 286 || distances > 30) return faultAt();
  if (!refill()) return NEEDS_INPUT;
  const mask = readCodeLengthCode(scratch, lengths, first);
  if (mask == 0) return faultAt();
  const usedEnd = readLengths(scratch, litlens, litlens + distances, mask);
  if (usedEnd < 0) return usedEnd == FAULT ? faultAt() : NEEDS_INPUT;
  return buildTables(scratch, litlens, scratch + USED + usedEnd, rootBits) ? 0 : faultAt();
}

function faultAt(): i32 {
  return isBeyond() ? NEEDS_INPUT : FAULT;
}

/** Makes the table of the code for code lengths; returns its index mask, 0 for a code that is none. */
function readCodeLengthCode(scratch: usize, lengths: u32, first: u32): u32 {
  v128.store(scratch + CODE_LENGTH_LENGTHS, v128.splat<u8>(0));
  v128.store(scratch + CODE_LENGTH_LENGTHS + 16, v128.splat<u8>(0));
  // Eight counters of a byte: how many codes have each length.
  let counts: u64 = 0;
  let length = first;
  for (let at: u32 = 0; ; length = take(3)) {
    store<u8>(scratch + load<u8>(scratch + at, CODE_LENGTH_ORDER), length, CODE_LENGTH_LENGTHS);
    counts += (<u64>1) << (length << 3);
    if (++at == lengths) break;
  }
  counts &= ~0xff;
  if (counts == 0) return 0;
  const longest: u32 = 7 - <u32>(clz(counts) >> 3);
  let free: i32 = 1;
  for (let length: u32 = 1; length <= longest; length++) {
    free = (free << 1) - ((<i32>(counts >> (length << 3))) & 255);
    if (free < 0) return 0;
  }
  if (free != 0) return 0;
  fillCodeLengthTable(scratch, counts, longest);
  return (1 << longest) - 1;
}

/** An entry is `symbol << 3 | length`. */
function fillCodeLengthTable(scratch: usize, counts: u64, longest: u32): void {
  // Each byte becomes the sum of those below it: where the symbols of that length begin.
  let starts: u64 = counts * 0x0101010101010100;
  for (let symbol: u32 = 0; symbol < 19; symbol++) {
    const length: u32 = load<u8>(scratch + symbol, CODE_LENGTH_LENGTHS);
    if (length == 0) continue;
    const shift = length << 3;
    store<u8>(
      scratch + ((<usize>(starts >> shift)) & 255),
      (symbol << 3) | length,
      CODE_LENGTH_SYMBOLS,
    );
    starts += (<u64>1) << shift;
  }
  const table = scratch + CODE_LENGTH_TABLE;
  let symbols = scratch + CODE_LENGTH_SYMBOLS;
  let code: u32 = 0;
  let size: u32 = 1;
  for (let length: u32 = 1; length <= longest; length++) {
    if (length > 1) double(table, size);
    size <<= 1;
    for (let count = (<u32>(counts >> (length << 3))) & 255; count > 0; count--) {
      store<u8>(table + code, load<u8>(symbols++));
      const bit: u32 = (<u32>0x80000000) >> clz(code ^ (size - 1));
      code = (code & (bit - 1)) | bit;
    }
  }
}

/** In steps of 8 bytes: behind a small table come some that are written again, or never read. */
function double(table: usize, size: usize): void {
  for (let at: usize = 0; at < size; at += 8) store<u64>(table + size + at, load<u64>(table + at));
}

/** Lists what has a code in USED and counts in COUNTS; returns the bytes listed, FAULT or NEEDS_INPUT. */
function readLengths(scratch: usize, litlens: u32, total: u32, mask: u32): i32 {
  for (let at: usize = 0; at < 64; at += 16) {
    v128.store(scratch + COUNTS + at, v128.splat<u8>(0));
  }
  let used = scratch + USED;
  let last: u32 = 0;
  let symbol: u32 = 0;
  while (symbol < total) {
    if (!need(14)) return NEEDS_INPUT;
    const entry: u32 = load<u8>(scratch + peek(mask), CODE_LENGTH_TABLE);
    drop(entry & 7);
    const kind = entry >> 3;
    if (kind < 16) {
      last = kind;
      used = list(scratch, used, symbol++, kind, litlens);
      continue;
    }
    if (kind == 16) {
      if (symbol == 0) return FAULT;
      let again = take(2) + 3;
      if (symbol + again > total) return FAULT;
      for (; again > 0; again--) used = list(scratch, used, symbol++, last, litlens);
      continue;
    }
    last = 0;
    symbol += kind == 17 ? take(3) + 3 : take(7) + 11;
  }
  return symbol == total ? <i32>(used - scratch - USED) : FAULT;
}

/** Enters the symbol, unless its length is 0, without a branch: which lengths are 0 is noise. */
function list(scratch: usize, used: usize, symbol: u32, length: u32, litlens: u32): usize {
  store<u16>(used, (symbol << 4) | length);
  const count = scratch + (length << 1) + ((<u32>(symbol >= litlens)) << 5);
  store<u16>(count, load<u16>(count, COUNTS) + 1, COUNTS);
  return used + ((<usize>(length != 0)) << 1);
}

function buildTables(scratch: usize, litlens: u32, usedEnd: usize, rootBits: u32): bool {
  const used = scratch + USED;
  let middle = usedEnd;
  while (middle > used && (<u32>load<u16>(middle - 2)) >> 4 >= litlens) middle -= 2;
  // A block that cannot end is refused; the end's symbol has few behind it.
  let at = middle;
  while (at > used && (<u32>load<u16>(at - 2)) >> 4 > END_SYMBOL) at -= 2;
  if (at == used || (<u32>load<u16>(at - 2)) >> 4 != END_SYMBOL) return false;
  const litlen = buildCode(
    scratch,
    scratch + LITLEN_TABLE,
    scratch + LITLEN_MEANINGS,
    scratch + COUNTS,
    used,
    middle,
    0,
    rootBits,
  );
  if (litlen == BAD_CODE) return false;
  const distance = buildCode(
    scratch,
    scratch + DISTANCE_TABLE,
    scratch + DISTANCE_MEANINGS,
    scratch + COUNTS + 32,
    middle,
    usedEnd,
    litlens,
    8,
  );
  if (distance == BAD_CODE) return false;
  litlenBits = litlen;
  distanceBits = distance;
  return true;
}
