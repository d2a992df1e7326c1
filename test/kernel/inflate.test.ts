/** Streams of every kind, whole, cut and damaged: the kernel's inflate succeeds exactly where zlib does. */
import { constants, deflateRawSync, deflateSync } from 'node:zlib';
import { beforeAll, describe, expect, it } from 'vitest';
import {
  BitWriter,
  completeLengths,
  dynamicBlock,
  spread,
  zlibStream,
  type Item,
} from './deflate-writer.ts';
import { InflateArena } from './inflate-arena.ts';
import { Random } from './random.ts';

const MIB = 2 ** 20;
const TEXT = 'the tree of a commit names the blob of a file and the tree of a directory; ';

let arena: InflateArena;
let needsInput: number;
let fault: number;

beforeAll(() => {
  arena = new InflateArena();
  needsInput = arena.kernel.NEEDS_INPUT.value;
  fault = arena.kernel.FAULT.value;
});

const KINDS = ['text', 'noise', 'few', 'repeats', 'same'] as const;

function make(random: Random, kind: (typeof KINDS)[number], size: number): Buffer {
  const content = Buffer.alloc(size, TEXT);
  if (kind === 'text')
    for (let at = 5; at < size; at += 1 + random.below(40)) content[at] = 65 + (at % 26);
  if (kind === 'noise') return random.bytes(size);
  if (kind === 'few') for (let at = 0; at < size; at++) content[at] = 97 + (random.below(16) % 5);
  if (kind === 'repeats') {
    let back = 1;
    for (let at = 1; at < size; at++) {
      if (random.below(40) === 0) back = 1 + random.below(Math.min(at, 40));
      content[at] = random.below(60) === 0 ? random.below(256) : content[at - back]!;
    }
  }
  return kind === 'same' ? Buffer.alloc(size, 0x20) : content;
}

function deflate(random: Random, content: Buffer): Buffer {
  return deflateSync(content, {
    level: random.below(10),
    strategy: random.below(5),
    memLevel: 1 + random.below(9),
    windowBits: 9 + random.below(7),
  });
}

describe('inflate() of the kernel', () => {
  it('makes what was deflated, at every level and strategy', () => {
    const random = new Random(1);
    const { Z_DEFAULT_STRATEGY, Z_FILTERED, Z_HUFFMAN_ONLY, Z_RLE, Z_FIXED } = constants;
    for (const strategy of [Z_DEFAULT_STRATEGY, Z_FILTERED, Z_HUFFMAN_ONLY, Z_RLE, Z_FIXED]) {
      for (const kind of KINDS) {
        for (let level = 0; level <= 9; level++) {
          const content = make(random, kind, random.below(level === 0 ? 70_000 : 5000));
          const stream = deflateSync(content, { level, strategy });
          const found = arena.inflate(stream, content.length);
          expect(found.taken, `${kind}, level ${level}`).toBe(stream.length);
          expect(found.content.equals(content), `${kind}, level ${level}`).toBe(true);
        }
      }
    }
  });

  it('takes just its stream of what lies there, for every size, window and memory level', () => {
    const random = new Random(2);
    for (let size = 0; size < 1200; size++) {
      const content = make(random, random.of(KINDS), size);
      const stream = deflate(random, content);
      const found = arena.inflate(Buffer.concat([stream, random.bytes(random.below(40))]), size);
      expect(found.taken).toBe(stream.length);
      expect(found.content.equals(content), `${size} bytes`).toBe(true);
    }
  });

  it.each([...KINDS])('makes 1 MiB of %s', (kind) => {
    const content = make(new Random(3), kind, MIB);
    for (const level of [1, 6]) {
      const stream = deflateSync(content, { level });
      const found = arena.inflate(stream, MIB);
      expect(found.taken).toBe(stream.length);
      expect(found.content.equals(content)).toBe(true);
      expect(arena.inflate(stream.subarray(0, -1), MIB).taken).toBe(needsInput);
      expect(arena.inflate(stream, MIB - 1).taken).toBe(fault);
    }
  });

  it('reads blocks of all three kinds in one stream, and empty ones', () => {
    const random = new Random(4);
    for (let round = 0; round < 100; round++) {
      const contents = Array.from({ length: 2 + random.below(5) }, () =>
        make(random, random.of(KINDS), random.below(3) * random.below(400)),
      );
      const blocks = contents.map((content, index) =>
        deflateRawSync(content, {
          level: random.of([0, 1, 9]),
          strategy: random.of([constants.Z_DEFAULT_STRATEGY, constants.Z_FIXED]),
          finishFlush: index < contents.length - 1 ? constants.Z_FULL_FLUSH : constants.Z_FINISH,
        }),
      );
      const whole = Buffer.concat(contents);
      const opinion = arena.compare(zlibStream(Buffer.concat(blocks), whole), whole.length);
      expect(opinion.taken).not.toBeNull();
    }
  });

  it('needs input wherever a stream is cut, whatever lies behind', () => {
    const random = new Random(5);
    for (let round = 0; round < 100; round++) {
      const content = make(random, random.of(KINDS), random.below(round < 90 ? 120 : 1000));
      const stream = deflate(random, content);
      for (let end = 0; end < stream.length; end++) {
        const junk = random.of([0, 0xff, 0x55]);
        const found = arena.inflate(stream.subarray(0, end), content.length, junk);
        expect(found.taken, `${stream.toString('hex')} cut at ${end}`).toBe(needsInput);
      }
    }
  });

  it('succeeds with a damaged stream only where zlib does', () => {
    const random = new Random(6);
    for (let round = 0; round < 100; round++) {
      const content = make(random, random.of(KINDS), random.below(round < 90 ? 60 : 300));
      const stream = deflate(random, content);
      for (let at = 0; at < stream.length; at++) {
        const damaged = Buffer.from(stream);
        damaged[at]! ^= random.of([1, 2, 4, 8, 16, 32, 64, 128, 1 + random.below(255)]);
        arena.compare(damaged, content.length);
      }
    }
  });

  it('refuses a stream of another size, and takes no byte more than fits', () => {
    const random = new Random(7);
    for (let size = 1; size < 600; size++) {
      const stream = deflate(random, make(random, random.of(KINDS), size));
      for (const other of [
        size - 1,
        size + 1,
        0,
        random.below(size),
        size + 1 + random.below(999),
      ]) {
        if (other !== size) expect(arena.inflate(stream, other).taken).toBe(fault);
      }
    }
  });

  it('accepts the headers that zlib accepts', () => {
    const stream = Buffer.from(deflateSync(Buffer.from(TEXT)));
    let accepted = 0;
    for (let method = 0; method < 256; method++) {
      const rest = 31 - ((method << 8) % 31);
      for (let flags = rest % 31; flags < 256; flags += 31) {
        stream.set([method, flags]);
        if (arena.compare(stream, TEXT.length).taken !== null) accepted++;
      }
    }
    // Eight sizes of window, four levels; no preset dictionary.
    expect(accepted).toBe(32);
    stream.set([0x78, 0x9d]);
    expect(arena.inflate(stream, TEXT.length).taken).toBe(fault);
  });

  it('lets distances be longer than the window that the header names, as zlib does', () => {
    const begin = new Random(12).bytes(20_000);
    const content = Buffer.concat([begin, begin]);
    const stream = deflateSync(content);
    expect(stream.length).toBeLessThan(21_000);
    stream.set([0x08, 0x1d]);
    expect(arena.compare(stream, content.length).taken).toBe(stream.length);
  });

  it('refuses every checksum but the right one', () => {
    const stream = deflateSync(Buffer.from(TEXT));
    for (let bit = 0; bit < 32; bit++) {
      const damaged = Buffer.from(stream);
      damaged[stream.length - 1 - (bit >> 3)]! ^= 1 << (bit & 7);
      expect(arena.inflate(damaged, TEXT.length).taken).toBe(fault);
    }
  });
});

/** Symbols of `count` literals, the end, and some lengths. */
function someSymbols(random: Random, count: number): number[] {
  const symbols = new Set([256, 257 + random.below(29), 257 + random.below(29)]);
  while (symbols.size < count) symbols.add(random.below(symbols.size < 250 ? 256 : 286));
  return [...symbols];
}

function someItems(random: Random, litlens: number[], distances: number[], count: number): Item[] {
  const symbols = litlens.flatMap((length, symbol) =>
    length > 0 && symbol !== 256 ? [symbol] : [],
  );
  const far = distances.flatMap((length, symbol) => (length > 0 ? [symbol] : []));
  const literals = symbols.filter((symbol) => symbol < 256);
  return Array.from({ length: count }, (_, index) => {
    const symbol = random.of(index < count / 2 ? literals : symbols);
    return symbol < 256 ? { symbol } : { symbol, distanceSymbol: random.of(far) };
  });
}

describe('inflate() of the kernel, with codes that no compressor makes', () => {
  it('reads complete codes of up to 15 bits, and distances as far as there are bytes', () => {
    const random = new Random(8);
    let accepted = 0;
    for (let round = 0; round < 400; round++) {
      const symbols = someSymbols(random, 4 + random.below(random.of([10, 60, 280])));
      const longest = random.of([9, 10, 11, 12, 15]);
      const litlens = spread(symbols, completeLengths(random, symbols.length, longest), 286);
      const count = 2 + random.below(random.of([3, 12, 28]));
      const distances = completeLengths(random, count, random.of([5, 8, 9, 15]));
      const items = someItems(random, litlens, distances, random.of([3, 50, 2000]));
      const { block, content } = dynamicBlock(random, litlens, distances, items);
      const stream = zlibStream(block, content);
      if (arena.compare(stream, content.length).taken !== null) accepted++;
      arena.compare(stream.subarray(0, random.below(stream.length)), content.length);
    }
    expect(accepted).toBeGreaterThan(300);
    expect(accepted).toBeLessThan(400);
  });

  it('refuses codes with too many or too few lengths as zlib does', () => {
    const random = new Random(9);
    let accepted = 0;
    for (let round = 0; round < 1500; round++) {
      const symbols = someSymbols(random, 4 + random.below(20));
      const litlens = spread(symbols, completeLengths(random, symbols.length, 15), 286);
      const distances = completeLengths(random, 2 + random.below(6), 15);
      const damaged = random.of([litlens, distances]);
      const change = random.below(5);
      if (change === 1) damaged[random.below(damaged.length)] = random.below(16);
      if (change === 2) distances.fill(0).fill(1, 0, random.below(3));
      if (change === 3) litlens[256] = 0;
      if (change === 4) distances.fill(0)[random.below(distances.length)] = 1 + random.below(3);
      const items = someItems(random, litlens, [1], 20).filter((item) => item.symbol < 256);
      const { block, content } = dynamicBlock(random, litlens, distances, items);
      if (arena.compare(zlibStream(block, content), content.length).taken !== null) accepted++;
    }
    expect(accepted).toBeGreaterThan(400);
    expect(accepted).toBeLessThan(1100);
  });

  it('accepts one code of one bit, or none, where zlib does', () => {
    const none = new Random(10);
    const onlyEnd = spread([256], [1], 257);
    const withLength = spread([97, 256, 257], [1, 2, 2], 258);
    const repeat = [{ symbol: 97 }, { symbol: 257, distanceSymbol: 0 }];
    const cases: [number[], number[], Item[], boolean][] = [
      [onlyEnd, [0], [], true],
      [onlyEnd, [1], [], true],
      [withLength, [1], repeat, true],
      [withLength, [0], [{ symbol: 97 }], true],
      [withLength, [0, 0, 1], [{ symbol: 97 }], true],
      [withLength, [2], repeat, false],
      [withLength, [1, 2], repeat, false],
      [spread([256], [2], 257), [1], [], false],
      [spread([97], [1], 257), [1], [{ symbol: 97 }], false],
    ];
    for (const [litlens, distances, items, isGood] of cases) {
      const { block, content } = dynamicBlock(none, litlens, distances, items);
      const opinion = arena.compare(zlibStream(block, content), content.length);
      expect(opinion.taken !== null, JSON.stringify([litlens.length, distances, items])).toBe(
        isGood,
      );
    }
  });

  it('refuses more symbols than there are, though none of them has a code, and a repeat of nothing', () => {
    const random = new Random(13);
    const [symbols, lengths] = [
      [97, 98, 256],
      [1, 2, 2],
    ];
    for (const [litlens, distances, runs, isGood] of [
      [286, 30, 'right', true],
      [286, 30, 'none', true],
      [287, 30, 'right', false],
      [288, 30, 'right', false],
      [286, 31, 'right', false],
      [286, 32, 'right', false],
      [286, 30, 'repeat of nothing', false],
    ] as const) {
      const { block, content } = dynamicBlock(
        random,
        spread(symbols, lengths, litlens),
        spread([0], [1], distances),
        [{ symbol: 97 }, { symbol: 98 }],
        runs,
      );
      const opinion = arena.compare(zlibStream(block, content), content.length);
      expect(opinion.taken !== null, `${litlens}, ${distances}, ${runs}`).toBe(isGood);
    }
  });

  it('refuses symbols that mean nothing, too many symbols, and a repeat of no length', () => {
    const end = new BitWriter().bits(1, 1).bits(1, 2);
    const blocks = [
      // Fixed codes: 286, 287, and the distances 30 and 31 behind three literals and a length.
      new BitWriter().bits(1, 1).bits(1, 2).code(0b11000110, 8),
      new BitWriter().bits(1, 1).bits(1, 2).code(0b11000111, 8),
      ...[30, 31].map((distance) => {
        const out = new BitWriter().bits(1, 1).bits(1, 2);
        for (const byte of [97, 98, 99]) out.code(0x30 + byte, 8);
        return out.code(1, 7).code(distance, 5).code(0, 7);
      }),
      // A distance of 1 before the first byte; the block's type 3.
      end.code(1, 7).code(0, 5).code(0, 7),
      new BitWriter().bits(1, 1).bits(3, 2),
      // 287 and 288 symbols, 31 and 32 distances; then 16 as the first length.
      ...[30, 31].map((more) => new BitWriter().bits(5, 3).bits(more, 5).bits(0, 5).bits(15, 4)),
      ...[30, 31].map((more) => new BitWriter().bits(5, 3).bits(0, 5).bits(more, 5).bits(15, 4)),
      new BitWriter()
        .bits(5, 3)
        .bits(0, 5)
        .bits(0, 5)
        .bits(0, 4)
        .bits(1, 3)
        .bits(1, 3)
        .bits(0, 6)
        .bits(0, 9),
    ];
    for (const block of blocks) {
      const stream = Buffer.concat([Buffer.of(0x78, 0x9c), block.bytes(), Buffer.alloc(40)]);
      for (const size of [0, 3, 6, 258]) {
        expect(arena.compare(stream, size)).toMatchObject({ taken: null, isCut: false });
        expect(arena.inflate(stream, size).taken).toBe(fault);
      }
    }
  });

  it('stays within its bounds on noise', () => {
    const random = new Random(11);
    for (let round = 0; round < 10_000; round++) {
      const noise = random.bytes(10 + random.below(120));
      noise.set([0x78, 0x9c]);
      // Mostly blocks with codes of their own, whose heads are the likeliest to be refused.
      if (random.below(4) > 0) noise[2] = (noise[2]! & ~6) | random.of([2, 4]);
      expect(arena.inflate(noise, random.below(600)).taken).toBeLessThan(0);
    }
  });
});
