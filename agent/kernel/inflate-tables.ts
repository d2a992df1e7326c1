/**
 * The tables of inflate that never change: what each symbol means (RFC 1951, section 3.2.5), the fixed
 * codes (3.2.6), the order of code lengths (3.2.7) and the patterns that short distances repeat.
 */
import { buildCode } from './inflate-code';
import {
  CODE_LENGTH_ORDER,
  COUNTS,
  DISTANCE_MEANINGS,
  END_OF_BLOCK,
  EXCEPTIONAL,
  FIXED_DISTANCE,
  FIXED_LITLEN,
  LITERAL,
  LITLEN_MEANINGS,
  PATTERNS,
  PATTERN_STEPS,
  USED,
} from './inflate-layout';

export function makeInflateTables(scratch: usize): void {
  makeLitlenMeanings(scratch + LITLEN_MEANINGS);
  makeDistanceMeanings(scratch + DISTANCE_MEANINGS);
  makePatterns(scratch);
  // 16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15
  store<u64>(scratch, 0x0609070800121110, CODE_LENGTH_ORDER);
  store<u64>(scratch, 0x020d030c040b050a, CODE_LENGTH_ORDER + 8);
  store<u32>(scratch, 0x0f010e, CODE_LENGTH_ORDER + 16);
  makeFixedCodes(scratch);
}

function makeLitlenMeanings(at: usize): void {
  for (let byte: u32 = 0; byte < 256; byte++) store<u32>(at + (byte << 2), LITERAL | (byte << 16));
  store<u32>(at + 256 * 4, EXCEPTIONAL | END_OF_BLOCK);
  let base: u32 = 3;
  for (let symbol: u32 = 257; symbol < 285; symbol++) {
    const extra: u32 = symbol < 265 ? 0 : (symbol - 261) >> 2;
    store<u32>(at + (symbol << 2), (base << 16) | extra);
    base += 1 << extra;
  }
  store<u32>(at + 285 * 4, 258 << 16);
  store<u32>(at + 286 * 4, EXCEPTIONAL);
  store<u32>(at + 287 * 4, EXCEPTIONAL);
}

function makeDistanceMeanings(at: usize): void {
  let base: u32 = 1;
  for (let symbol: u32 = 0; symbol < 30; symbol++) {
    const extra: u32 = symbol < 4 ? 0 : (symbol - 2) >> 1;
    store<u32>(at + (symbol << 2), (base << 16) | extra);
    base += 1 << extra;
  }
  store<u32>(at + 30 * 4, EXCEPTIONAL);
  store<u32>(at + 31 * 4, EXCEPTIONAL);
}

function makePatterns(scratch: usize): void {
  for (let distance: u32 = 1; distance < 16; distance++) {
    for (let at: u32 = 0; at < 16; at++) {
      store<u8>(scratch + (distance << 4) + at, at % distance, PATTERNS);
    }
    store<u8>(scratch + distance, 16 - (16 % distance), PATTERN_STEPS);
  }
}

function makeFixedCodes(scratch: usize): void {
  const counts = scratch + COUNTS;
  const used = scratch + USED;
  memory.fill(counts, 0, 64);
  store<u16>(counts + 7 * 2, 24);
  store<u16>(counts + 8 * 2, 152);
  store<u16>(counts + 9 * 2, 112);
  for (let symbol: u32 = 0; symbol < 288; symbol++) {
    const length: u32 = symbol < 144 ? 8 : symbol < 256 ? 9 : symbol < 280 ? 7 : 8;
    store<u16>(used + (symbol << 1), (symbol << 4) | length);
  }
  const litlens = scratch + LITLEN_MEANINGS;
  buildCode(scratch, scratch + FIXED_LITLEN, litlens, counts, used, used + 288 * 2, 0, 9);
  memory.fill(counts, 0, 32);
  store<u16>(counts + 5 * 2, 32);
  for (let symbol: u32 = 0; symbol < 32; symbol++) {
    store<u16>(used + (symbol << 1), (symbol << 4) | 5);
  }
  const distances = scratch + DISTANCE_MEANINGS;
  buildCode(scratch, scratch + FIXED_DISTANCE, distances, counts, used, used + 32 * 2, 0, 5);
}
