/**
 * Delta and base in, object out (gitformat-pack, "Deltified representation"): what pack/delta.ts does,
 * which is asked again where this finds a fault. Invariant: whatever the delta says, writes stay
 * within the result and SLACK bytes behind it, reads within base and delta and SLACK bytes behind.
 */

export const DELTA_FAULT: i32 = -1;

/** Two sizes and one instruction: git refuses anything shorter (delta.h, DELTA_SIZE_MIN). */
const LEAST_BYTES: usize = 4;
/** 7 bits a byte: a tenth one would lead beyond 2^63. */
const LAST_SHIFT: u64 = 56;
const LARGEST_SIZE: u64 = 0x1f_ffff_ffff_ffff;

/** A copy of length 0. */
const ZERO_LENGTH: u32 = 0x1_0000;
/** What is copied at once, ends behind the length or not. */
const STEP: usize = 16;
/** From here on the engine's own copy, which is a call, is the faster one. */
const LONG_COPY: u32 = 512;

/** What the head that was parsed last says. */
export let deltaBaseSize: f64 = 0;
export let deltaResultSize: f64 = 0;

const EACH_BYTE: u64 = 0x0101_0101_0101_0101;

let parsedSize: u64 = 0;

/** Where the instructions of [delta, end) begin; 0 where its head is none. */
export function parseDeltaHeader(delta: usize, end: usize): usize {
  if (end - delta < LEAST_BYTES) return 0;
  let at = parseSize(delta, end);
  deltaBaseSize = f64(parsedSize);
  if (at === 0) return 0;
  at = parseSize(at, end);
  deltaResultSize = f64(parsedSize);
  return at;
}

function parseSize(start: usize, end: usize): usize {
  let at = start;
  let size: u64 = 0;
  let shift: u64 = 0;
  let byte: u64 = 0x80;
  while ((byte & 0x80) !== 0 && at < end) {
    if (shift > LAST_SHIFT) return 0;
    byte = load<u8>(at++);
    size |= (byte & 0x7f) << shift;
    shift += 7;
  }
  parsedSize = size;
  return at === start || size > LARGEST_SIZE ? 0 : at;
}

/**
 * Fills [result, result + resultSize) by [instructions, end) from [base, base + baseSize). Returns how
 * many bytes at the result's end are the base's end, by the last instruction; or DELTA_FAULT.
 */
export function applyDelta(
  base: usize,
  baseSize: u32,
  instructions: usize,
  end: usize,
  result: usize,
  resultSize: u32,
): i32 {
  let from = instructions;
  let to = result;
  let left = resultSize;
  let sameEnd: u32 = 0;
  while (from < end) {
    const op = load<u8>(from++);
    let source = from;
    let length: u32 = op;
    if ((op & 0x80) !== 0) {
      const fields = copyFieldsOf(op, from);
      const copyFrom = u32(fields);
      length = u32(fields >> 32);
      length = select(length, ZERO_LENGTH, length !== 0);
      from += popcnt<u32>(op & 0x7f);
      if (length > baseSize || copyFrom > baseSize - length) return DELTA_FAULT;
      source = base + copyFrom;
      sameEnd = select(length, 0, copyFrom === baseSize - length);
    } else {
      // Instruction 0 is reserved.
      if (op === 0) return DELTA_FAULT;
      from += op;
      sameEnd = 0;
    }
    if (from > end || length > left) return DELTA_FAULT;
    copyBytes(to, source, length);
    to += length;
    left -= length;
  }
  return left === 0 ? i32(sameEnd) : DELTA_FAULT;
}

/**
 * The offset (low half) and length of a copy whose bytes stand at `from`. Which of the seven are there
 * is as good as random: a shuffle takes 3 ns less than seven branches.
 */
function copyFieldsOf(op: u32, from: usize): u64 {
  // Bit i of op as byte i; then for each byte how many are set before it, or the place of no byte.
  const isThere: u64 = (u64(op & 0x7f) * 0x02_0408_1020_4081) & EACH_BYTE;
  const places = (isThere * EACH_BYTE - isThere) | ((isThere ^ EACH_BYTE) << 7);
  return i64x2.extract_lane(i8x16.swizzle(v128.load64_zero(from), i64x2.splat(places)), 0);
}

/** In steps: a call for each of nine million copies, most of them below 64 bytes, takes longer. */
function copyBytes(to: usize, from: usize, length: u32): void {
  if (length >= LONG_COPY) {
    memory.copy(to, from, length);
    return;
  }
  const end = to + length;
  let source = from;
  for (let at = to; at < end; at += STEP) {
    v128.store(at, v128.load(source));
    source += STEP;
  }
}

/** How many bytes at the result's begin are the base's begin, by the first instruction. */
export function sameBeginOf(instructions: usize): u32 {
  const op: u32 = load<u8>(instructions);
  // A copy whose offset has no byte: from 0.
  if ((op & 0x8f) !== 0x80) return 0;
  const length = u32(copyFieldsOf(op, instructions + 1) >> 32);
  return length === 0 ? ZERO_LENGTH : length;
}
