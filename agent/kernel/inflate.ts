/**
 * One whole zlib stream to exactly so many bytes (RFC 1950 and 1951). Accepts what zlib's inflate()
 * accepts and nothing else. Whatever the bytes are, it writes within `to` to `to + size + 16`, reads
 * at most 16 bytes behind `end`, and otherwise touches its scratch memory alone.
 */
import { adler32 } from './adler32';
import { distanceMask, litlenMask, readCodes } from './inflate-block';
import { byteAddress, inputEnd, isBeyond, refill, startInput, take } from './inflate-input';
import { DISTANCE_TABLE, FIXED_DISTANCE, FIXED_LITLEN, LITLEN_TABLE } from './inflate-layout';
import {
  FAULT,
  NEEDS_INPUT,
  inflateSymbols,
  moveOutput,
  outputAt,
  outputRoom,
  startOutput,
} from './inflate-symbols';
import { makeInflateTables } from './inflate-tables';

export { INFLATE_SCRATCH_BYTES } from './inflate-layout';
export { FAULT, NEEDS_INPUT } from './inflate-symbols';

/** A header, an empty block and a checksum. */
const LEAST_BYTES: usize = 8;
const STORED: u32 = 0;
const FIXED: u32 = 1;
const DYNAMIC: u32 = 2;

let scratch: usize = 0;

/** Once per instance, before the first stream; `memory` is 64-byte aligned. */
export function initInflate(memory: usize): void {
  scratch = memory;
  makeInflateTables(memory);
}

/**
 * The stream begins at `from`. Returns how many bytes it takes, its checksum included; NEEDS_INPUT if
 * it does not end before `end`; FAULT if it is none, or makes more or fewer than `size` bytes.
 */
export function inflate(from: usize, end: usize, to: usize, size: u32): i32 {
  if (<i32>(end - from) < <i32>LEAST_BYTES) return NEEDS_INPUT;
  if (!isHeader(from) || <i32>size < 0) return FAULT;
  startInput(from + 2, end);
  startOutput(to, size);
  const rootBits: u32 = size < 2048 ? 9 : 11;
  let isLast: bool = false;
  while (!isLast) {
    if (!refill()) return NEEDS_INPUT;
    isLast = take(1) != 0;
    const state = inflateBlock(take(2), rootBits);
    if (state != 0) return state;
  }
  const trailer = byteAddress();
  if (<i32>(end - trailer) < 4) return NEEDS_INPUT;
  if (outputRoom() != 0 || bswap(load<u32>(trailer)) != adler32(to, to + size)) return FAULT;
  return <i32>(trailer + 4 - from);
}

/** Deflate, a window of at most 32 KiB, no preset dictionary, and a multiple of 31. */
function isHeader(from: usize): bool {
  const method: u32 = load<u8>(from);
  const flags: u32 = load<u8>(from + 1);
  return (
    (method & 15) == 8 && method >> 4 <= 7 && (flags & 32) == 0 && ((method << 8) | flags) % 31 == 0
  );
}

function inflateBlock(type: u32, rootBits: u32): i32 {
  if (type == DYNAMIC) {
    const state = readCodes(scratch, rootBits);
    if (state != 0) return state;
    return inflateSymbols(
      scratch,
      scratch + LITLEN_TABLE,
      litlenMask(),
      scratch + DISTANCE_TABLE,
      distanceMask(),
    );
  }
  if (type == FIXED) {
    return inflateSymbols(scratch, scratch + FIXED_LITLEN, 511, scratch + FIXED_DISTANCE, 31);
  }
  if (type == STORED) return copyStored();
  return isBeyond() ? NEEDS_INPUT : FAULT;
}

/** RFC 1951, section 3.2.4: length, its complement, bytes. */
function copyStored(): i32 {
  const from = byteAddress();
  const end = inputEnd();
  if (<i32>(end - from) < 4) return NEEDS_INPUT;
  const lengths = load<u32>(from);
  const length = lengths & 0xffff;
  if (length != ~lengths >> 16 || length > <u32>outputRoom()) return FAULT;
  if (<i32>(end - from) < <i32>(length + 4)) return NEEDS_INPUT;
  memory.copy(outputAt(), from + 4, length);
  moveOutput(length);
  startInput(from + 4 + length, end);
  return 0;
}
