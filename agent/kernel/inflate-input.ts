/**
 * The bits of one stream: 64 of them at most are taken from memory ahead of what was asked for.
 * After a refill at least 56 can be taken, and `next - 7` is the byte that the first of them is in.
 * Reads reach at most 11 bytes behind the end of the input; `isBeyond` says that bits were taken
 * which cannot have been there. RFC 1951, section 3.1.1: the lowest bit of a byte comes first.
 */
let bits: u64 = 0;
let left: u32 = 0;
let next: usize = 0;
let end: usize = 0;

export function startInput(from: usize, to: usize): void {
  bits = 0;
  left = 0;
  next = from;
  end = to;
}

/** At least 56 bits are there afterwards; false if the input, a checksum of 4 bytes included, is over. */
export function refill(): bool {
  bits |= load<u64>(next) << left;
  next += 7 - (left >> 3);
  left |= 56;
  return next - 7 + 4 <= end;
}

export function drop(count: u32): void {
  bits >>= count;
  left -= count;
}

export function take(count: u32): u32 {
  const taken = (<u32>bits) & ((1 << count) - 1);
  drop(count);
  return taken;
}

/** Leaves the rest of a byte that is begun; what follows are whole bytes from the returned address. */
export function byteAddress(): usize {
  return next - (left >> 3);
}

/** Whether bits were taken from behind the end: what they said means nothing then. */
export function isBeyond(): bool {
  return ((<i64>next) << 3) - left > (<i64>end) << 3;
}

export function inputBits(): u64 {
  return bits;
}

export function inputLeft(): u32 {
  return left;
}

export function inputNext(): usize {
  return next;
}

export function inputEnd(): usize {
  return end;
}

/** A loop that kept the state in variables of its own gives it back. */
export function setInput(newBits: u64, newLeft: u32, newNext: usize): void {
  bits = newBits;
  left = newLeft;
  next = newNext;
}
