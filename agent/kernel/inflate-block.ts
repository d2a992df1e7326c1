/**
 * The head of a block with codes of its own (RFC 1951, section 3.2.7): lengths of codes, themselves
 * coded, become two decode tables. Zeros, most of the lengths in a small stream, cost one step a run:
 * only symbols that have a code are listed, with their lengths, and counted by length meanwhile.
 * Refuses what zlib's inflate() refuses.
 */
import { BAD_CODE, buildCode } from './inflate-code';
import {
  drop,
  inputBits,
  inputEnd,
  inputLeft,
  inputNext,
  isBeyond,
  refill,
  setInput,
  take,
} from './inflate-input';
import {
  CODE_LENGTH_LENGTHS,
  CODE_LENGTH_MEANINGS,
  CODE_LENGTH_ORDER,
  CODE_LENGTH_SYMBOLS,
  CODE_LENGTH_TABLE,
  DISTANCE_MEANINGS,
  DISTANCE_TABLE,
  LITLEN_MEANINGS,
  LITLEN_TABLE,
  USED,
  reversed,
} from './inflate-layout';
import { FAULT, NEEDS_INPUT } from './inflate-symbols';

const END_SYMBOL: u32 = 256;

/** In the place of a length: there is none before the first symbol. */
const NO_LENGTH: u32 = 16;

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
  const usedEnd = readLengths(scratch, litlens + distances, mask);
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
  // One refill holds what is left of 19 lengths, 54 bits.
  let bits = (inputBits() << 3) | first;
  for (let at: u32 = 0; at < lengths; at++) {
    const length = (<u32>bits) & 7;
    bits >>= 3;
    store<u8>(scratch + load<u8>(scratch + at, CODE_LENGTH_ORDER), length, CODE_LENGTH_LENGTHS);
    counts += (<u64>1) << (length << 3);
  }
  drop(3 * (lengths - 1));
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

function fillCodeLengthTable(scratch: usize, counts: u64, longest: u32): void {
  // Each byte becomes the sum of those below it: where the symbols of that length begin. Those
  // without a code go behind all others, as asking for them would be a branch on noise.
  let starts: u64 = counts * 0x0101010101010100 + 19;
  for (let symbol: u32 = 0; symbol < 19; symbol++) {
    const shift: u32 = load<u8>(scratch + symbol, CODE_LENGTH_LENGTHS) << 3;
    store<u8>(scratch + ((<usize>(starts >> shift)) & 255), symbol, CODE_LENGTH_SYMBOLS);
    starts += (<u64>1) << shift;
  }
  const table = scratch + CODE_LENGTH_TABLE;
  let symbols = scratch + CODE_LENGTH_SYMBOLS;
  let code: u32 = 0;
  for (let length: u32 = 1; length <= longest; length++) {
    code <<= 1;
    if (length > 1) double(table, 2 << length);
    for (let count = (<u32>(counts >> (length << 3))) & 255; count > 0; count--) {
      const meaning = load<u32>(scratch + ((<u32>load<u8>(symbols++)) << 2), CODE_LENGTH_MEANINGS);
      const at = reversed(scratch, code++, length);
      store<u32>(table + (at << 2), meaning + length * 0x101);
    }
  }
}

/** In steps of 16 bytes: behind a table of 8 come some that are written again, or never read. */
function double(table: usize, bytes: usize): void {
  const to = table + bytes;
  for (let at: usize = 0; at < bytes; at += 16) v128.store(to + at, v128.load(table + at));
}

/**
 * Lists what has a code in USED; returns the bytes listed, FAULT or NEEDS_INPUT. One length or a run of
 * zeros are the same to it: a branch between them would be one on noise.
 */
function readLengths(scratch: usize, total: u32, mask: u32): i32 {
  let bits = inputBits();
  let left = inputLeft();
  let next = inputNext();
  const lastNext = inputEnd() + 3;
  let used = scratch + USED;
  let last: u32 = NO_LENGTH;
  let symbol: u32 = 0;
  while (symbol < total) {
    if (left < 14) {
      bits |= load<u64>(next) << left;
      next += 7 - (left >> 3);
      left |= 56;
      if (next > lastNext) return NEEDS_INPUT;
    }
    const entry = load<u32>(scratch + (((<u32>bits) & mask) << 2), CODE_LENGTH_TABLE);
    let times = ((entry >> 20) & 15) + ((<u32>(bits >> (entry >> 8))) & (entry >> 24));
    bits >>= entry;
    left -= entry & 63;
    if (<i32>entry < 0) {
      times &= 7;
      // Nothing to repeat, or too often: more symbols than there are, as below.
      if (last == NO_LENGTH || symbol + times > total) symbol = times = total;
      else if (last != 0) used = listRun(used, (symbol << 4) | last, times);
    } else {
      last = (entry >> 16) & 15;
      store<u16>(used, (symbol << 4) | last);
      used += usize(last != 0) << 1;
    }
    symbol += times;
  }
  setInput(bits, left, next);
  return symbol == total ? <i32>(used - scratch - USED) : FAULT;
}

function listRun(used: usize, first: u32, times: u32): usize {
  for (; times > 0; times--, first += 16, used += 2) store<u16>(used, first);
  return used;
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
