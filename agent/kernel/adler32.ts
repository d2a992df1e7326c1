/**
 * The checksum of RFC 1950 over memory: two sums modulo 65521, 16 bytes a step. Reads nothing outside.
 */
const MODULUS: u32 = 65521;
/** NMAX of zlib: so many bytes keep the second sum below 2^32. */
const WHOLE_BYTES: usize = 5552;

function sumOf(sums: v128): u32 {
  return (
    i32x4.extract_lane(sums, 0) +
    i32x4.extract_lane(sums, 1) +
    i32x4.extract_lane(sums, 2) +
    i32x4.extract_lane(sums, 3)
  );
}

export function adler32(from: usize, end: usize): u32 {
  let low: u32 = 1;
  let high: u32 = 0;
  const lowWeights = i16x8(16, 15, 14, 13, 12, 11, 10, 9);
  const highWeights = i16x8(8, 7, 6, 5, 4, 3, 2, 1);
  while (end - from >= 16) {
    const bytes = min((end - from) & ~15, WHOLE_BYTES);
    const stop = from + bytes;
    // Column sums; of them as they were before each step; and of bytes by their place in a step.
    let sums = i32x4.splat(0);
    let before = i32x4.splat(0);
    let weighed = i32x4.splat(0);
    for (; from < stop; from += 16) {
      const piece = v128.load(from);
      before = i32x4.add(before, sums);
      sums = i32x4.add(sums, i32x4.extadd_pairwise_i16x8_u(i16x8.extadd_pairwise_i8x16_u(piece)));
      weighed = i32x4.add(
        weighed,
        i32x4.add(
          i32x4.dot_i16x8_s(i16x8.extend_low_i8x16_u(piece), lowWeights),
          i32x4.dot_i16x8_s(i16x8.extend_high_i8x16_u(piece), highWeights),
        ),
      );
    }
    high = (high + <u32>bytes * low + (sumOf(before) << 4) + sumOf(weighed)) % MODULUS;
    low = (low + sumOf(sums)) % MODULUS;
  }
  for (; from < end; from++) {
    low += load<u8>(from);
    high += low;
  }
  return ((high % MODULUS) << 16) | (low % MODULUS);
}
