/**
 * Where the tables of inflate stand in its scratch memory, and what an entry of a decode table says.
 * An entry is 32 bits. All: bits 0–5 what to take from the input, its extra bits included; bits 8–11
 * the bits of the code alone. A literal: bit 31, and the byte in bits 16–23. A length or distance: its
 * base in bits 16–30. Exceptional ones have bit 15: the end of the block, or a pointer to a subtable
 * (its index in bits 16–30, its index bits in 8–11), or else a code that stands for nothing.
 * An entry of the code for code lengths: bits 16–19 a length of a code, 20–23 how often at least,
 * 24–30 which extra bits are added to that, bit 31: the length before it instead of that one.
 * Format: RFC 1951; the layout of an entry is libdeflate's.
 */
export const LITERAL: u32 = 0x80000000;
export const EXCEPTIONAL: u32 = 0x8000;
export const SUBTABLE: u32 = 0x4000;
export const END_OF_BLOCK: u32 = 0x2000;

/** What a symbol's entry says before the bits of its code are added: 288 and 32 entries. */
export const LITLEN_MEANINGS: usize = 0;
export const DISTANCE_MEANINGS: usize = LITLEN_MEANINGS + 288 * 4;
/** The fixed codes: 9 and 5 bits. */
export const FIXED_LITLEN: usize = DISTANCE_MEANINGS + 32 * 4;
export const FIXED_DISTANCE: usize = FIXED_LITLEN + 512 * 4;
/** For each distance below 16 the 16 indices that repeat it, and how far that reaches in whole. */
export const PATTERNS: usize = FIXED_DISTANCE + 32 * 4;
export const PATTERN_STEPS: usize = PATTERNS + 16 * 16;
/** Each byte with its bits in reverse. */
export const REVERSED: usize = PATTERN_STEPS + 16;
/** The order in which the lengths of the code for code lengths come, and what its symbols mean. */
export const CODE_LENGTH_ORDER: usize = REVERSED + 256;
export const CODE_LENGTH_MEANINGS: usize = CODE_LENGTH_ORDER + 32;
/** Of one block: the lengths and symbols of the code for code lengths, and its 128 entries. */
export const CODE_LENGTH_LENGTHS: usize = CODE_LENGTH_MEANINGS + 80;
export const CODE_LENGTH_SYMBOLS: usize = CODE_LENGTH_LENGTHS + 32;
export const CODE_LENGTH_TABLE: usize = CODE_LENGTH_SYMBOLS + 48;
/** How many codes have each length (u16). */
export const COUNTS: usize = CODE_LENGTH_TABLE + 128 * 4 + 16;
/** Where the symbols of each length begin (u16). */
export const STARTS: usize = COUNTS + 32;
/** Symbols that have a code, as `symbol << 4 | length` (u16). */
export const USED: usize = STARTS + 32;
/** The same ordered by length, symbols alone (u16). */
export const SORTED: usize = USED + (288 + 32) * 2;
/** zlib's `enough 286 11 15` is 2340 and `enough 30 8 15` 402; a copy may write 12 bytes behind. */
export const DISTANCE_TABLE: usize = SORTED + 288 * 2;
export const LITLEN_TABLE: usize = DISTANCE_TABLE + (402 + 6) * 4;

/** The bits of `code` in reverse; it has `length` of them. */
export function reversed(scratch: usize, code: u32, length: u32): u32 {
  const low: u32 = load<u8>(scratch + (code & 255), REVERSED);
  return ((low << 8) | load<u8>(scratch + (code >> 8), REVERSED)) >> (16 - length);
}

export const INFLATE_SCRATCH_BYTES: usize = LITLEN_TABLE + (2340 + 4) * 4;
