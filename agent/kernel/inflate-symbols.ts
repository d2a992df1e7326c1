/**
 * The innermost loop: literals and matches of one block, by its two decode tables, until the block's
 * end. Model: libdeflate's decompress_template.h. Every store is at most 15 bytes behind the end of the
 * output, every load at most 11 behind the end of the input: whether that much is left is asked after
 * each refill, so that the same loop serves short streams, most of a pack, and the ends of long ones.
 */
import { inputBits, inputEnd, inputLeft, inputNext, isBeyond, setInput } from './inflate-input';
import { END_OF_BLOCK, EXCEPTIONAL, PATTERNS, PATTERN_STEPS, SUBTABLE } from './inflate-layout';

/** The stream does not end before the input does. */
export const NEEDS_INPUT: i32 = -1;
/** zlib would refuse the stream, or it makes another number of bytes. */
export const FAULT: i32 = -2;

let out: usize = 0;
let outStart: usize = 0;
let outEnd: usize = 0;

export function startOutput(to: usize, size: u32): void {
  out = to;
  outStart = to;
  outEnd = to + size;
}

export function outputAt(): usize {
  return out;
}
export function outputRoom(): usize {
  return outEnd - out;
}
export function moveOutput(bytes: usize): void {
  out += bytes;
}

/** Leaves the loop: what it held in variables goes back to where other functions look for it. */
function leave(bits: u64, left: u32, next: usize, at: usize, isFault: bool): i32 {
  setInput(bits, left & 63, next);
  out = at;
  if (!isFault) return 0;
  return isBeyond() ? NEEDS_INPUT : FAULT;
}

function indexed(table: usize, bits: u64, mask: u32): u32 {
  return load<u32>(table + (((<u32>bits) & mask) << 2));
}

/** Where the entry lies that a pointer to a subtable and the bits behind it mean. */
function inSubtable(table: usize, pointer: u32, bits: u64): u32 {
  const index = (<u32>bits) & ((1 << ((pointer >> 8) & 15)) - 1);
  return load<u32>(table + (((pointer >> 16) + index) << 2));
}

/** The base in `entry` and its extra bits, which follow its code in `bits`. */
function valueOf(entry: u32, bits: u64): u32 {
  const whole = <u32>(bits & (((<u64>1) << entry) - 1));
  return (entry >> 16) + (whole >> (entry >> 8));
}

/** Copies in steps of 16 bytes; up to 15 bytes too many are written behind `to + length`. */
function copyMatch(scratch: usize, to: usize, distance: u32, length: u32): void {
  let from = to - distance;
  const stop = to + length;
  if (distance >= 16) {
    v128.store(to, v128.load(from));
    for (to += 16; to < stop; to += 16) {
      from += 16;
      v128.store(to, v128.load(from));
    }
    return;
  }
  const pattern = v128.swizzle(v128.load(from), v128.load(scratch + (distance << 4), PATTERNS));
  v128.store(to, pattern);
  const step: usize = load<u8>(scratch + distance, PATTERN_STEPS);
  for (to += step; to < stop; to += step) v128.store(to, pattern);
}

/**
 * 0 at the end of the block, or FAULT or NEEDS_INPUT. One long function, because what it turns over
 * must stay in registers: a function returns one value, and the module's variables are memory.
 *
 * A refill promises 56 bits, and 64 to look at: three literals of 11 bits and a literal or length of 20
 * are 53, with 11 to look at for what comes next; a distance is at most 28. Of `left` only the lowest 6
 * bits count: an entry is subtracted as a whole, which saves masking it.
 */
export function inflateSymbols(
  scratch: usize,
  litlens: usize,
  litlenMask: u32,
  distances: usize,
  distanceMask: u32,
): i32 {
  let bits = inputBits();
  let left = inputLeft();
  let next = inputNext();
  // Behind it a refill has begun to take what can only be the checksum.
  const lastNext = inputEnd() + 3;
  let at = out;
  const stop = outEnd;

  bits |= load<u64>(next) << left;
  next += 7 - ((left >> 3) & 7);
  left |= 56;
  let entry = indexed(litlens, bits, litlenMask);
  while (true) {
    if (next > lastNext) return NEEDS_INPUT;
    if (at > stop) return leave(bits, left, next, at, true);
    let before = bits;
    bits >>= entry;
    left -= entry;
    if (<i32>entry < 0) {
      store<u8>(at++, entry >> 16);
      entry = indexed(litlens, bits, litlenMask);
      before = bits;
      bits >>= entry;
      left -= entry;
      if (<i32>entry < 0) {
        store<u8>(at++, entry >> 16);
        entry = indexed(litlens, bits, litlenMask);
        before = bits;
        bits >>= entry;
        left -= entry;
        if (<i32>entry < 0) {
          store<u8>(at++, entry >> 16);
          entry = indexed(litlens, bits, litlenMask);
          before = bits;
          bits >>= entry;
          left -= entry;
          if (<i32>entry < 0) {
            store<u8>(at++, entry >> 16);
            entry = indexed(litlens, bits, litlenMask);
            bits |= load<u64>(next) << left;
            next += 7 - ((left >> 3) & 7);
            left |= 56;
            continue;
          }
        }
      }
    }
    if (entry & EXCEPTIONAL) {
      if (entry & SUBTABLE) {
        entry = inSubtable(litlens, entry, bits);
        before = bits;
        bits >>= entry;
        left -= entry;
        if (<i32>entry < 0) {
          store<u8>(at++, entry >> 16);
          entry = indexed(litlens, bits, litlenMask);
          bits |= load<u64>(next) << left;
          next += 7 - ((left >> 3) & 7);
          left |= 56;
          continue;
        }
      }
      if (entry & EXCEPTIONAL) {
        return leave(bits, left, next, at, (entry & END_OF_BLOCK) == 0 || at > stop);
      }
    }
    const length = valueOf(entry, before);
    entry = indexed(distances, bits, distanceMask);
    bits |= load<u64>(next) << left;
    next += 7 - ((left >> 3) & 7);
    left |= 56;
    if (next > lastNext) return NEEDS_INPUT;
    if (entry & EXCEPTIONAL) {
      bits >>= entry;
      left -= entry;
      if (!(entry & SUBTABLE)) return leave(bits, left, next, at, true);
      entry = inSubtable(distances, entry, bits);
    }
    const distance = valueOf(entry, bits);
    bits >>= entry;
    left -= entry;
    if (distance > <u32>(at - outStart) || <i32>(at - stop) + <i32>length > 0) {
      return leave(bits, left, next, at, true);
    }
    entry = indexed(litlens, bits, litlenMask);
    bits |= load<u64>(next) << left;
    next += 7 - ((left >> 3) & 7);
    left |= 56;
    copyMatch(scratch, at, distance, length);
    at += length;
  }
}
