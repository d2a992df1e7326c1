/**
 * SHA-1 (RFC 3174) of short pieces: what an object of some hundred bytes costs is the way out to OpenSSL
 * and back, and not its bytes. Four words of the schedule are made at a time (Intel's "Improving the
 * Performance of the Secure Hash Algorithm"), the rounds are written out: as loops they took half as long again.
 * Reads nothing outside [from, end).
 */
const BLOCK: usize = 64;
/** Words of the schedule with their constants; behind them the last block or two, padded. */
const SCHEDULE_BYTES: usize = 80 * 4;
export const SHA1_SCRATCH_BYTES: usize = SCHEDULE_BYTES + 2 * BLOCK;

const K0: i32 = 0x5a827999;
const K1: i32 = 0x6ed9eba1;
const K2: i32 = 0x8f1bbcdc;
const K3: i32 = 0xca62c1d6;

let schedule: usize = 0;

/** Once per instance. */
export function initSha1(scratch: usize): void {
  schedule = scratch;
}

/** Puts the SHA-1 of [from, end) to `to`, 20 bytes; until it is done, what has come of it so far stands there. */
export function sha1(from: usize, end: usize, to: usize): void {
  const size = end - from;
  const whole = from + (size & ~(BLOCK - 1));
  store<u32>(to, 0x67452301);
  store<u32>(to, 0xefcdab89, 4);
  store<u32>(to, 0x98badcfe, 8);
  store<u32>(to, 0x10325476, 12);
  store<u32>(to, 0xc3d2e1f0, 16);
  takeBlocks(to, from, whole);
  const tail = schedule + SCHEDULE_BYTES;
  const left = end - whole;
  const tailEnd = tail + (left < BLOCK - 8 ? BLOCK : 2 * BLOCK);
  for (let at = tail; at < tailEnd; at += 16) v128.store(at, i64x2.splat(0));
  memory.copy(tail, whole, left);
  store<u8>(tail + left, 0x80);
  store<u64>(tailEnd - 8, bswap<u64>(u64(size) << 3));
  takeBlocks(to, tail, tailEnd);
  for (let at = to; at < to + 20; at += 4) store<u32>(at, bswap<u32>(load<u32>(at)));
}

/** Four words of a block. */
function wordsAt(at: usize): v128 {
  const bytes = v128.load(at);
  return i8x16.shuffle(bytes, bytes, 3, 2, 1, 0, 7, 6, 5, 4, 11, 10, 9, 8, 15, 14, 13, 12);
}

/** Words 16 to 31, of those 16, 12, 8 and 4 before; the last of the four needs the first, and gets it at the end. */
function early(by16: v128, by12: v128, by8: v128, by4: v128): v128 {
  const zero = i64x2.splat(0);
  const by3 = i32x4.shuffle(by4, zero, 1, 2, 3, 4);
  const by14 = i32x4.shuffle(by16, by12, 2, 3, 4, 5);
  const sum = v128.xor(v128.xor(by3, by8), v128.xor(by14, by16));
  const first = i32x4.shuffle(zero, sum, 0, 0, 0, 4);
  return v128.xor(rotated(sum, 1), rotated(first, 2));
}

/** The words from 32 on, by the same recurrence put into itself once: none of the four needs another. */
function late(by32: v128, by28: v128, by16: v128, by8: v128, by4: v128): v128 {
  const by6 = i32x4.shuffle(by8, by4, 2, 3, 4, 5);
  return rotated(v128.xor(v128.xor(by6, by16), v128.xor(by28, by32)), 2);
}

function rotated(four: v128, bits: i32): v128 {
  return v128.or(i32x4.shl(four, bits), i32x4.shr_u(four, 32 - bits));
}

function put(at: usize, four: v128, constant: i32): void {
  v128.store(at, i32x4.add(four, i32x4.splat(constant)));
}

/** A round of the first twenty: the new `a`. c, d and e are as they were as `a`, not yet rotated. */
function choose(a: u32, b: u32, c: u32, d: u32, e: u32, word: u32): u32 {
  const other = rotl<u32>(d, 30);
  return sum(a, e, word, other ^ (b & (rotl<u32>(c, 30) ^ other)));
}

function parity(a: u32, b: u32, c: u32, d: u32, e: u32, word: u32): u32 {
  return sum(a, e, word, b ^ (rotl<u32>(c, 30) ^ rotl<u32>(d, 30)));
}

function majority(a: u32, b: u32, c: u32, d: u32, e: u32, word: u32): u32 {
  const x = rotl<u32>(c, 30);
  const y = rotl<u32>(d, 30);
  return sum(a, e, word, (x & y) + (b & (x ^ y)));
}

/** What waits for the round before comes last. */
function sum(a: u32, e: u32, word: u32, mixed: u32): u32 {
  return rotl<u32>(e, 30) + word + mixed + rotl<u32>(a, 5);
}

/** Takes whole blocks into the five words at `state`. */
function takeBlocks(state: usize, from: usize, end: usize): void {
  const w = schedule;
  let h0 = load<u32>(state);
  let h1 = load<u32>(state, 4);
  let h2 = load<u32>(state, 8);
  let h3 = load<u32>(state, 12);
  let h4 = load<u32>(state, 16);
  for (let at = from; at < end; at += BLOCK) {
    let a = h0;
    let b = h1;
    let c = rotr<u32>(h2, 30);
    let d = rotr<u32>(h3, 30);
    let e = rotr<u32>(h4, 30);
    const w0 = wordsAt(at);
    put(w, w0, K0);
    const w4 = wordsAt(at + 16);
    put(w + 16, w4, K0);
    const w8 = wordsAt(at + 32);
    put(w + 32, w8, K0);
    e = choose(a, b, c, d, e, load<u32>(w));
    d = choose(e, a, b, c, d, load<u32>(w, 4));
    c = choose(d, e, a, b, c, load<u32>(w, 8));
    b = choose(c, d, e, a, b, load<u32>(w, 12));
    const w12 = wordsAt(at + 48);
    put(w + 48, w12, K0);
    a = choose(b, c, d, e, a, load<u32>(w, 16));
    e = choose(a, b, c, d, e, load<u32>(w, 20));
    d = choose(e, a, b, c, d, load<u32>(w, 24));
    c = choose(d, e, a, b, c, load<u32>(w, 28));
    const w16 = early(w0, w4, w8, w12);
    put(w + 64, w16, K0);
    b = choose(c, d, e, a, b, load<u32>(w, 32));
    a = choose(b, c, d, e, a, load<u32>(w, 36));
    e = choose(a, b, c, d, e, load<u32>(w, 40));
    d = choose(e, a, b, c, d, load<u32>(w, 44));
    const w20 = early(w4, w8, w12, w16);
    put(w + 80, w20, K1);
    c = choose(d, e, a, b, c, load<u32>(w, 48));
    b = choose(c, d, e, a, b, load<u32>(w, 52));
    a = choose(b, c, d, e, a, load<u32>(w, 56));
    e = choose(a, b, c, d, e, load<u32>(w, 60));
    const w24 = early(w8, w12, w16, w20);
    put(w + 96, w24, K1);
    d = choose(e, a, b, c, d, load<u32>(w, 64));
    c = choose(d, e, a, b, c, load<u32>(w, 68));
    b = choose(c, d, e, a, b, load<u32>(w, 72));
    a = choose(b, c, d, e, a, load<u32>(w, 76));
    const w28 = early(w12, w16, w20, w24);
    put(w + 112, w28, K1);
    e = parity(a, b, c, d, e, load<u32>(w, 80));
    d = parity(e, a, b, c, d, load<u32>(w, 84));
    c = parity(d, e, a, b, c, load<u32>(w, 88));
    b = parity(c, d, e, a, b, load<u32>(w, 92));
    const w32 = late(w0, w4, w16, w24, w28);
    put(w + 128, w32, K1);
    a = parity(b, c, d, e, a, load<u32>(w, 96));
    e = parity(a, b, c, d, e, load<u32>(w, 100));
    d = parity(e, a, b, c, d, load<u32>(w, 104));
    c = parity(d, e, a, b, c, load<u32>(w, 108));
    const w36 = late(w4, w8, w20, w28, w32);
    put(w + 144, w36, K1);
    b = parity(c, d, e, a, b, load<u32>(w, 112));
    a = parity(b, c, d, e, a, load<u32>(w, 116));
    e = parity(a, b, c, d, e, load<u32>(w, 120));
    d = parity(e, a, b, c, d, load<u32>(w, 124));
    const w40 = late(w8, w12, w24, w32, w36);
    put(w + 160, w40, K2);
    c = parity(d, e, a, b, c, load<u32>(w, 128));
    b = parity(c, d, e, a, b, load<u32>(w, 132));
    a = parity(b, c, d, e, a, load<u32>(w, 136));
    e = parity(a, b, c, d, e, load<u32>(w, 140));
    const w44 = late(w12, w16, w28, w36, w40);
    put(w + 176, w44, K2);
    d = parity(e, a, b, c, d, load<u32>(w, 144));
    c = parity(d, e, a, b, c, load<u32>(w, 148));
    b = parity(c, d, e, a, b, load<u32>(w, 152));
    a = parity(b, c, d, e, a, load<u32>(w, 156));
    const w48 = late(w16, w20, w32, w40, w44);
    put(w + 192, w48, K2);
    e = majority(a, b, c, d, e, load<u32>(w, 160));
    d = majority(e, a, b, c, d, load<u32>(w, 164));
    c = majority(d, e, a, b, c, load<u32>(w, 168));
    b = majority(c, d, e, a, b, load<u32>(w, 172));
    const w52 = late(w20, w24, w36, w44, w48);
    put(w + 208, w52, K2);
    a = majority(b, c, d, e, a, load<u32>(w, 176));
    e = majority(a, b, c, d, e, load<u32>(w, 180));
    d = majority(e, a, b, c, d, load<u32>(w, 184));
    c = majority(d, e, a, b, c, load<u32>(w, 188));
    const w56 = late(w24, w28, w40, w48, w52);
    put(w + 224, w56, K2);
    b = majority(c, d, e, a, b, load<u32>(w, 192));
    a = majority(b, c, d, e, a, load<u32>(w, 196));
    e = majority(a, b, c, d, e, load<u32>(w, 200));
    d = majority(e, a, b, c, d, load<u32>(w, 204));
    const w60 = late(w28, w32, w44, w52, w56);
    put(w + 240, w60, K3);
    c = majority(d, e, a, b, c, load<u32>(w, 208));
    b = majority(c, d, e, a, b, load<u32>(w, 212));
    a = majority(b, c, d, e, a, load<u32>(w, 216));
    e = majority(a, b, c, d, e, load<u32>(w, 220));
    const w64 = late(w32, w36, w48, w56, w60);
    put(w + 256, w64, K3);
    d = majority(e, a, b, c, d, load<u32>(w, 224));
    c = majority(d, e, a, b, c, load<u32>(w, 228));
    b = majority(c, d, e, a, b, load<u32>(w, 232));
    a = majority(b, c, d, e, a, load<u32>(w, 236));
    const w68 = late(w36, w40, w52, w60, w64);
    put(w + 272, w68, K3);
    e = parity(a, b, c, d, e, load<u32>(w, 240));
    d = parity(e, a, b, c, d, load<u32>(w, 244));
    c = parity(d, e, a, b, c, load<u32>(w, 248));
    b = parity(c, d, e, a, b, load<u32>(w, 252));
    const w72 = late(w40, w44, w56, w64, w68);
    put(w + 288, w72, K3);
    a = parity(b, c, d, e, a, load<u32>(w, 256));
    e = parity(a, b, c, d, e, load<u32>(w, 260));
    d = parity(e, a, b, c, d, load<u32>(w, 264));
    c = parity(d, e, a, b, c, load<u32>(w, 268));
    const w76 = late(w44, w48, w60, w68, w72);
    put(w + 304, w76, K3);
    b = parity(c, d, e, a, b, load<u32>(w, 272));
    a = parity(b, c, d, e, a, load<u32>(w, 276));
    e = parity(a, b, c, d, e, load<u32>(w, 280));
    d = parity(e, a, b, c, d, load<u32>(w, 284));
    c = parity(d, e, a, b, c, load<u32>(w, 288));
    b = parity(c, d, e, a, b, load<u32>(w, 292));
    a = parity(b, c, d, e, a, load<u32>(w, 296));
    e = parity(a, b, c, d, e, load<u32>(w, 300));
    d = parity(e, a, b, c, d, load<u32>(w, 304));
    c = parity(d, e, a, b, c, load<u32>(w, 308));
    b = parity(c, d, e, a, b, load<u32>(w, 312));
    a = parity(b, c, d, e, a, load<u32>(w, 316));
    h0 += a;
    h1 += b;
    h2 += rotl<u32>(c, 30);
    h3 += rotl<u32>(d, 30);
    h4 += rotl<u32>(e, 30);
  }
  store<u32>(state, h0);
  store<u32>(state, h1, 4);
  store<u32>(state, h2, 8);
  store<u32>(state, h3, 12);
  store<u32>(state, h4, 16);
}
