/**
 * The tables of inflate that never change: what each symbol means (RFC 1951, section 3.2.5), the fixed
 * codes (3.2.6), the code for code lengths (3.2.7) and the patterns that short distances repeat.
 */
import { buildCode } from './inflate-code';
import {
  CODE_LENGTH_MEANINGS,
  CODE_LENGTH_ORDER,
  DISTANCE_MEANINGS,
  END_OF_BLOCK,
  EXCEPTIONAL,
  FIXED_DISTANCE,
  FIXED_LITLEN,
  LITERAL,
  LITLEN_MEANINGS,
  PATTERNS,
  PATTERN_STEPS,
  REVERSED,
  USED,
} from './inflate-layout';

export function makeInflateTables(scratch: usize): void {
  makeLitlenMeanings(scratch + LITLEN_MEANINGS);
  makeDistanceMeanings(scratch + DISTANCE_MEANINGS);
  makePatterns(scratch);
  for (let byte: u32 = 0; byte < 256; byte++) store<u8>(scratch + byte, reverse(byte), REVERSED);
  // 16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15
  store<u64>(scratch, 0x0609070800121110, CODE_LENGTH_ORDER);
  store<u64>(scratch, 0x020d030c040b050a, CODE_LENGTH_ORDER + 8);
  store<u32>(scratch, 0x0f010e, CODE_LENGTH_ORDER + 16);
  makeCodeLengthMeanings(scratch + CODE_LENGTH_MEANINGS);
  makeFixedCodes(scratch);
}

function reverse(byte: u32): u32 {
  let reversed: u32 = 0;
  for (let bit: u32 = 0; bit < 8; bit++) reversed |= ((byte >> bit) & 1) << (7 - bit);
  return reversed;
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

/** A length once; the last one 3 to 6 times; 3 to 10 zeros; 11 to 138 zeros. */
function makeCodeLengthMeanings(at: usize): void {
  for (let length: u32 = 0; length < 16; length++) {
    store<u32>(at + (length << 2), (length << 16) | (1 << 20));
  }
  store<u32>(at + 16 * 4, (1 << 31) | (3 << 24) | (3 << 20) | 2);
  store<u32>(at + 17 * 4, (7 << 24) | (3 << 20) | 3);
  store<u32>(at + 18 * 4, (127 << 24) | (11 << 20) | 7);
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
  const used = scratch + USED;
  for (let symbol: u32 = 0; symbol < 288; symbol++) {
    const length: u32 = symbol < 144 ? 8 : symbol < 256 ? 9 : symbol < 280 ? 7 : 8;
    store<u16>(used + (symbol << 1), (symbol << 4) | length);
  }
  const litlens = scratch + LITLEN_MEANINGS;
  buildCode(scratch, scratch + FIXED_LITLEN, litlens, used, used + 288 * 2, 0, 9);
  for (let symbol: u32 = 0; symbol < 32; symbol++) {
    store<u16>(used + (symbol << 1), (symbol << 4) | 5);
  }
  const distances = scratch + DISTANCE_MEANINGS;
  buildCode(scratch, scratch + FIXED_DISTANCE, distances, used, used + 32 * 2, 0, 5);
}
