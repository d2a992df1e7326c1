/** Deltas, right ones and every kind of wrong one: the kernel's result is agent/pack/delta.ts's. */
import { beforeAll, describe, expect, it } from 'vitest';
import { DeltaFault, DeltaHeader, applyDelta } from '../../agent/pack/delta.ts';
import { copyOp, deltaSize, insertOp, makeDelta } from '../pack/craft-pack.ts';
import type { Kernel } from '../../agent/pack/kernel.ts';
import { instantiate } from './instance.ts';
import { Random } from './random.ts';

const FAULT = -1;
/** What the kernel may read and write behind what it is given. */
const SLACK = 16;
const GUARD = 64;
const BASE = 1024;
const LARGE_BASE = 2 ** 24 + 2 ** 19;
const DELTA = BASE + LARGE_BASE + GUARD;
const RESULT = DELTA + 2048;
const MEMORY_PAGES = 512;

let kernel: Kernel;
let bytes: Buffer;

beforeAll(() => {
  const made = instantiate(MEMORY_PAGES);
  kernel = made.kernel;
  bytes = Buffer.from(made.memory.buffer);
});

/** `run`'s result, or FAULT where it throws a DeltaFault. */
function orFault(run: () => number): number {
  try {
    return run();
  } catch (error) {
    if (error instanceof DeltaFault) return FAULT;
    throw error;
  }
}

/** The head as both read it; where the instructions begin, or FAULT. */
function parseAlike(delta: Buffer): { readonly position: number; readonly resultSize: number } {
  // What is behind the end must not matter.
  bytes.fill(0xff, DELTA, DELTA + delta.length + SLACK);
  delta.copy(bytes, DELTA);
  const header = new DeltaHeader();
  const position = orFault(() => {
    header.parse(delta, 0, delta.length);
    return header.position;
  });
  const found = kernel.parseDeltaHeader(DELTA, DELTA + delta.length);
  expect(found === 0 ? FAULT : found - DELTA, delta.toString('hex')).toBe(position);
  if (position !== FAULT) {
    expect(kernel.deltaBaseSize.value).toBe(header.baseSize);
    expect(kernel.deltaResultSize.value).toBe(header.resultSize);
  }
  return { position, resultSize: header.resultSize };
}

/** Both apply delta[position, …) to `base`, which is at BASE; returns what the kernel returns. */
function applyAlike(base: Buffer, delta: Buffer, position: number, resultSize: number): number {
  bytes.fill(0xaa, DELTA - GUARD, RESULT + resultSize + GUARD);
  delta.copy(bytes, DELTA);
  const before = Buffer.from(bytes.subarray(DELTA - GUARD, RESULT));
  const wanted = Buffer.alloc(resultSize, 0xaa);
  const end = delta.length;
  const isFault =
    orFault(() => {
      applyDelta(base, 0, base.length, delta, position, end, wanted, 0, resultSize);
      return 0;
    }) === FAULT;
  const found = kernel.applyDelta(
    BASE,
    base.length,
    DELTA + position,
    DELTA + end,
    RESULT,
    resultSize,
  );
  const result = bytes.subarray(RESULT, RESULT + resultSize);
  const isSame = (found === FAULT) === isFault && (isFault || result.equals(wanted));
  expect(isSame, delta.toString('hex')).toBe(true);
  const behind = bytes.subarray(RESULT + resultSize + SLACK, RESULT + resultSize + GUARD);
  expect(behind.equals(Buffer.alloc(GUARD - SLACK, 0xaa))).toBe(true);
  expect(bytes.subarray(DELTA - GUARD, RESULT).equals(before)).toBe(true);
  if (!isFault && position < end) {
    const sameBegin = kernel.sameBeginOf(DELTA + position);
    expect(result.subarray(0, sameBegin).equals(base.subarray(0, sameBegin))).toBe(true);
    const ends = [result, base].map((content) => content.subarray(content.length - found));
    expect(ends[0]!.equals(ends[1]!)).toBe(true);
  }
  return found;
}

function putBase(base: Buffer): void {
  bytes.fill(0xaa, BASE - GUARD, BASE + base.length + GUARD);
  base.copy(bytes, BASE);
}

/** Instructions as git writes them: only the bytes that are not 0. */
function shortCopyOp(from: number, length: number): Buffer {
  const all = copyOp(from, length).subarray(1);
  let op = 0x80;
  for (let index = 0; index < all.length; index++) if (all[index] !== 0) op |= 1 << index;
  return Buffer.from([op, ...all.filter((byte) => byte !== 0)]);
}

/** A delta that fits, its result's size, and what that has in common with the base by the delta. */
function randomDelta(
  random: Random,
  baseSize: number,
): { delta: Buffer; resultSize: number; sameBegin: number; sameEnd: number } {
  const ops: Buffer[] = [];
  let [resultSize, sameBegin, sameEnd] = [0, 0, 0];
  for (let count = 1 + random.below(6); count > 0; count--) {
    if (baseSize === 0 || random.below(2) === 0) {
      const content = random.bytes(1 + random.below(random.of([4, 20, 127])));
      ops.push(insertOp(content));
      sameEnd = 0;
      resultSize += content.length;
      continue;
    }
    const from = random.below(4) === 0 ? 0 : random.below(baseSize);
    const most = Math.min(baseSize - from, random.of([3, 16, 17, 40, 2000]));
    const length = random.below(3) === 0 ? baseSize - from : 1 + random.below(most);
    const isShort = random.below(2) === 0;
    // Git writes no byte for an offset of 0, and none is looked for.
    if (ops.length === 0 && from === 0 && isShort) sameBegin = length;
    ops.push(isShort ? shortCopyOp(from, length) : copyOp(from, length));
    sameEnd = from + length === baseSize ? length : 0;
    resultSize += length;
  }
  return { delta: makeDelta(baseSize, resultSize, ...ops), resultSize, sameBegin, sameEnd };
}

describe('the head of a delta', () => {
  it('is read alike whatever its sizes are', () => {
    const sizes = [0, 1, 127, 128, 2 ** 32 - 1, 2 ** 32, 2 ** 52, Number.MAX_SAFE_INTEGER, 2 ** 53];
    for (const base of sizes) {
      for (const result of sizes) {
        const head = Buffer.concat([deltaSize(base), deltaSize(result), Buffer.from([0x90, 1])]);
        for (let end = 0; end <= head.length; end++) parseAlike(head.subarray(0, end));
      }
    }
  });

  it('is read alike where a size takes more bytes than it needs, or never ends', () => {
    for (let count = 0; count < 12; count++) {
      for (const last of [0, 1, 0x3f, 0x7f, 0x80, 0xff]) {
        for (const filler of [0x80, 0x81, 0xff]) {
          const size = Buffer.alloc(count + 1, filler);
          size[count] = last;
          parseAlike(Buffer.concat([size, Buffer.from([5, 0x90, 5])]));
          parseAlike(Buffer.concat([Buffer.from([5]), size]));
        }
      }
    }
  });

  it('is read alike where any bytes stand for it', () => {
    const random = new Random(1);
    for (let run = 0; run < 3000; run++) parseAlike(random.bytes(random.below(24)));
  });
});

describe('the instructions of a delta', () => {
  it('make the same bytes, and say what these have in common with the base', () => {
    const random = new Random(2);
    for (let run = 0; run < 400; run++) {
      const base = random.bytes(random.of([0, 1, 15, 16, 17, 300, 3000]));
      putBase(base);
      const { delta, resultSize, sameBegin, sameEnd } = randomDelta(random, base.length);
      const head = parseAlike(delta);
      expect(head.resultSize).toBe(resultSize);
      expect(applyAlike(base, delta, head.position, resultSize)).toBe(sameEnd);
      expect(kernel.sameBeginOf(DELTA + head.position)).toBe(sameBegin);
      applyAlike(base, delta, head.position, resultSize + 1);
      applyAlike(base, delta, head.position, resultSize - 1);
    }
  });

  it('are refused alike, cut at every byte and with every byte changed', () => {
    const random = new Random(3);
    let refused = 0;
    for (let run = 0; run < 40; run++) {
      const base = random.bytes(random.of([1, 16, 300]));
      putBase(base);
      const { delta, resultSize } = randomDelta(random, base.length);
      const { position } = parseAlike(delta);
      const apply = (changed: Buffer): void => {
        if (applyAlike(base, changed, position, resultSize) === FAULT) refused++;
      };
      for (let end = position; end < delta.length; end++) apply(delta.subarray(0, end));
      for (let at = position; at < delta.length; at++) {
        for (const flip of [0x01, 0x10, 0x80, 0xff, delta[at]!]) {
          const changed = Buffer.from(delta);
          changed[at]! ^= flip;
          apply(changed);
        }
      }
    }
    expect(refused).toBeGreaterThan(1000);
  });

  it('copy alike with each of the bytes that an instruction may have', () => {
    const base = new Random(4).bytes(2 ** 16);
    const large = Buffer.alloc(LARGE_BASE);
    for (let at = 0; at < large.length; at += base.length) {
      base.copy(large, at);
      large.writeUInt32LE(at, at);
    }
    putBase(large);
    for (let op = 0x80; op <= 0xff; op++) {
      const from = Buffer.from([op & 1, (op >> 1) & 1, (op >> 2) & 1, (op >> 3) & 1]);
      const length = Buffer.from([(op >> 4) & 1, (op >> 5) & 1, (op >> 6) & 1, 0]);
      const instruction = Buffer.from([op, ...[...from, ...length].filter((byte) => byte !== 0)]);
      const resultSize = length.readUInt32LE() === 0 ? 2 ** 16 : length.readUInt32LE();
      expect(applyAlike(large, instruction, 0, resultSize)).toBe(0);
      // Bytes that are not to be read.
      const two = Buffer.concat([instruction, Buffer.from([0x90, 0xff])]);
      expect(applyAlike(large, two, 0, resultSize + 0xff)).toBe(0);
    }
    for (const length of [1, 16, 511, 512, 513, 0xffff, 0x1_0000]) {
      expect(applyAlike(large, copyOp(LARGE_BASE - length, length), 0, length)).toBe(length);
      expect(applyAlike(large, copyOp(LARGE_BASE - length + 1, length), 0, length)).toBe(FAULT);
    }
    expect(applyAlike(large, copyOp(0xffff_ffff, 1), 0, 1)).toBe(FAULT);
    expect(applyAlike(large, copyOp(0xffff_ffff, 0xff_ffff), 0, 2 ** 16)).toBe(FAULT);
  });
});
