/** What git index-pack refuses is refused, with a code, where it stands, and nothing left behind. */
import { readdirSync } from 'node:fs';
import zlib from 'node:zlib';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { PackError, type ErrorCode } from '../../agent/errors.ts';
import { ingestPack } from '../../agent/pack/ingest.ts';
import { PACK_LIMITS, type PackLimits } from '../../agent/pack/limits.ts';
import { packSource } from '../../agent/pack/pack-source.ts';
import { chunksOf } from './chunks.ts';
import {
  TYPE,
  copyOp,
  deltaSize,
  distanceBytes,
  insertOp,
  makeDelta,
  makePack,
  ofsDelta,
  oidOf,
  refDelta,
  sealPack,
  typeAndSize,
  wholeEntry,
} from './craft-pack.ts';
import { gitIndexPack, makeDirectory, removeDirectory } from './git-repository.ts';

let packDir: string;
beforeEach(() => {
  packDir = makeDirectory();
});
afterEach(() => {
  removeDirectory(packDir);
});

const BASE = Buffer.from('the base of the deltas in these packs, forty-nine b');
const BLOB = wholeEntry(TYPE.blob, BASE);
const FIRST = 12;
const SECOND = FIRST + BLOB.length;
/** A pack of one blob, which is good, and its body without the trailer. */
const GOOD = makePack([BLOB]);
const BODY = GOOD.subarray(0, -20);

/** A blob, and an ofs-delta on it. */
function withDelta(delta: Buffer): Buffer {
  return makePack([BLOB, ofsDelta(BLOB.length, delta)]);
}

/** A blob that declares `size`, with these bytes as its zlib stream. */
function rawBlob(size: number | bigint, stored: Buffer): Buffer {
  return makePack([Buffer.concat([typeAndSize(TYPE.blob, size), stored])]);
}

function flipped(bytes: Buffer, position: number): Buffer {
  const copy = Buffer.from(bytes);
  copy[copy.length + position]! ^= 1;
  return copy;
}

function refused(
  pack: Buffer,
  chunkBytes: number,
  limits: Partial<PackLimits> = {},
): Promise<unknown> {
  const context = { packDir, limits: { ...PACK_LIMITS, ...limits } };
  return ingestPack(packSource(chunksOf(pack, chunkBytes)), context).then(
    () => 'accepted',
    (error: unknown) => error,
  );
}

interface Case {
  readonly name: string;
  readonly pack: Buffer;
  readonly code: ErrorCode;
  /** Where the error says that it is. */
  readonly offset?: number;
  /** Git does not mind. */
  readonly stricter?: true;
}

const ZLIB = zlib.deflateSync(BASE);
const SIZE = BASE.length;

const CASES: Case[] = [
  {
    name: 'another signature',
    pack: sealPack(Buffer.from('PUCK\0\0\0\x02\0\0\0\0')),
    code: 'PACK_SIGNATURE',
  },
  { name: 'version 1', pack: makePack([BLOB], 1, 1), code: 'PACK_VERSION' },
  { name: 'version 4', pack: makePack([BLOB], 1, 4), code: 'PACK_VERSION' },
  { name: 'a wrong trailer', pack: flipped(GOOD, -1), code: 'PACK_CHECKSUM', offset: SECOND },
  { name: 'no trailer', pack: BODY, code: 'PACK_TRUNCATED' },
  { name: 'half a trailer', pack: GOOD.subarray(0, -10), code: 'PACK_TRUNCATED' },
  { name: 'nothing at all', pack: Buffer.alloc(0), code: 'PACK_TRUNCATED' },
  { name: 'half a header', pack: GOOD.subarray(0, 7), code: 'PACK_TRUNCATED' },
  { name: 'a count too low', pack: makePack([BLOB, BLOB], 1), code: 'PACK_TRAILING_BYTES' },
  { name: 'a count of 0 and an object', pack: makePack([BLOB], 0), code: 'PACK_TRAILING_BYTES' },
  {
    name: 'a byte after the trailer',
    pack: Buffer.concat([GOOD, Buffer.alloc(1)]),
    code: 'PACK_TRAILING_BYTES',
    offset: GOOD.length,
  },
  { name: 'a count of 2^32 - 1', pack: makePack([BLOB], 2 ** 32 - 1), code: 'PACK_LIMIT' },

  { name: 'type 0', pack: makePack([wholeEntry(0, BASE)]), code: 'PACK_ENTRY_TYPE', offset: FIRST },
  {
    name: 'type 5',
    pack: makePack([BLOB, wholeEntry(5, BASE)]),
    code: 'PACK_ENTRY_TYPE',
    offset: SECOND,
  },
  {
    name: 'less content than declared',
    pack: makePack([wholeEntry(TYPE.blob, BASE, SIZE + 1)]),
    code: 'PACK_ENTRY_SIZE',
    offset: FIRST,
  },
  {
    name: 'more content than declared',
    pack: makePack([wholeEntry(TYPE.blob, BASE, SIZE - 1)]),
    code: 'PACK_ENTRY_SIZE',
    offset: FIRST,
  },
  {
    name: 'content where none is declared',
    pack: makePack([wholeEntry(TYPE.blob, BASE, 0)]),
    code: 'PACK_ENTRY_SIZE',
    offset: FIRST,
  },
  {
    name: 'a size of 2^32 more than the content',
    pack: makePack([wholeEntry(TYPE.blob, BASE, SIZE + 2 ** 32)]),
    code: 'PACK_ENTRY_SIZE',
    offset: FIRST,
  },
  {
    name: 'a size of 2^53',
    pack: rawBlob(2n ** 53n, ZLIB),
    code: 'PACK_ENTRY_SIZE',
    offset: FIRST,
  },
  {
    name: 'a size of 2^64 more than the content',
    pack: rawBlob(2n ** 64n + BigInt(SIZE), ZLIB),
    code: 'PACK_ENTRY_SIZE',
    offset: FIRST,
    stricter: true,
  },
  {
    name: 'a size that goes on and on',
    pack: makePack([Buffer.alloc(300, 0xb0)]),
    code: 'PACK_ENTRY_SIZE',
    offset: FIRST,
  },

  {
    name: 'a bad zlib header',
    pack: rawBlob(SIZE, Buffer.from('not zlib, forty bytes of it, and some more')),
    code: 'PACK_ENTRY_INFLATE',
    offset: FIRST,
  },
  {
    name: 'a bad Adler-32',
    pack: rawBlob(SIZE, flipped(ZLIB, -1)),
    code: 'PACK_ENTRY_INFLATE',
    offset: FIRST,
  },
  {
    name: 'raw deflate',
    pack: rawBlob(SIZE, zlib.deflateRawSync(BASE)),
    code: 'PACK_ENTRY_INFLATE',
    offset: FIRST,
  },
  {
    name: 'gzip',
    pack: rawBlob(SIZE, zlib.gzipSync(BASE)),
    code: 'PACK_ENTRY_INFLATE',
    offset: FIRST,
  },
  {
    name: 'a preset dictionary',
    pack: rawBlob(SIZE, zlib.deflateSync(BASE, { dictionary: BASE })),
    code: 'PACK_ENTRY_INFLATE',
    offset: FIRST,
  },

  {
    name: 'an ofs-delta on itself',
    pack: makePack([BLOB, ofsDelta(0, makeDelta(SIZE, SIZE, copyOp(0, SIZE)))]),
    code: 'PACK_DELTA_OFFSET',
    offset: SECOND,
  },
  {
    name: 'an ofs-delta on what is before the pack',
    pack: makePack([BLOB, ofsDelta(SECOND + 1, makeDelta(SIZE, SIZE, copyOp(0, SIZE)))]),
    code: 'PACK_DELTA_OFFSET',
    offset: SECOND,
  },
  {
    name: "an ofs-delta on the pack's first byte",
    pack: makePack([BLOB, ofsDelta(SECOND, makeDelta(SIZE, SIZE, copyOp(0, SIZE)))]),
    code: 'PACK_DELTA_OFFSET',
    offset: SECOND,
  },
  {
    name: "an ofs-delta on the pack's header",
    pack: makePack([BLOB, ofsDelta(SECOND - 4, makeDelta(SIZE, SIZE, copyOp(0, SIZE)))]),
    code: 'PACK_DELTA_OFFSET',
    offset: SECOND,
  },
  {
    name: 'an ofs-delta on the middle of an entry',
    pack: makePack([BLOB, ofsDelta(BLOB.length - 3, makeDelta(SIZE, SIZE, copyOp(0, SIZE)))]),
    code: 'PACK_DELTA_OFFSET',
    offset: SECOND,
  },
  {
    name: 'a distance that overflows',
    pack: makePack([BLOB, Buffer.concat([typeAndSize(TYPE.ofsDelta, 9), Buffer.alloc(30, 0xff)])]),
    code: 'PACK_DELTA_OFFSET',
    offset: SECOND,
  },
  {
    name: 'a distance of 2^64 more than right',
    pack: makePack([
      BLOB,
      Buffer.concat([
        typeAndSize(TYPE.ofsDelta, 9),
        Buffer.from([0x81, 0xfe, 0xfe, 0xfe, 0xfe, 0xfe, 0xfe, 0xfe, 0xff]),
        distanceBytes(BLOB.length),
      ]),
    ]),
    code: 'PACK_DELTA_OFFSET',
    offset: SECOND,
  },

  {
    name: 'a ref-delta without its base',
    pack: makePack([
      BLOB,
      refDelta('0123456789abcdef0123456789abcdef01234567', makeDelta(SIZE, SIZE, copyOp(0, SIZE))),
    ]),
    code: 'PACK_DELTA_BASE_MISSING',
    offset: SECOND,
  },
  {
    name: 'ref-deltas and nothing else',
    pack: makePack([refDelta(oidOf('blob', BASE), makeDelta(SIZE, SIZE, copyOp(0, SIZE)))]),
    code: 'PACK_DELTA_BASE_MISSING',
    offset: FIRST,
  },
  // Making the very object that it builds on: nothing leads to it.
  {
    name: 'a ref-delta on its own result',
    pack: makePack([refDelta(oidOf('blob', BASE), makeDelta(SIZE, SIZE, insertOp(BASE)))]),
    code: 'PACK_DELTA_BASE_MISSING',
    offset: FIRST,
  },

  {
    name: 'a delta for a larger base',
    pack: withDelta(makeDelta(SIZE + 1, SIZE, copyOp(0, SIZE))),
    code: 'PACK_DELTA_INVALID',
    offset: SECOND,
  },
  {
    name: 'a delta for a smaller base',
    pack: withDelta(makeDelta(SIZE - 1, 4, copyOp(0, 4))),
    code: 'PACK_DELTA_INVALID',
    offset: SECOND,
  },
  {
    name: 'a result smaller than declared',
    pack: withDelta(makeDelta(SIZE, SIZE + 1, copyOp(0, SIZE))),
    code: 'PACK_DELTA_INVALID',
    offset: SECOND,
  },
  {
    name: 'a result larger than declared',
    pack: withDelta(makeDelta(SIZE, SIZE - 1, copyOp(0, SIZE))),
    code: 'PACK_DELTA_INVALID',
    offset: SECOND,
  },
  {
    name: 'an insert over the declared result',
    pack: withDelta(makeDelta(SIZE, 3, insertOp('four'))),
    code: 'PACK_DELTA_INVALID',
    offset: SECOND,
  },
  {
    name: 'a copy past the base',
    pack: withDelta(makeDelta(SIZE, SIZE, copyOp(1, SIZE))),
    code: 'PACK_DELTA_INVALID',
    offset: SECOND,
  },
  {
    name: 'a copy from 2^32 - 1',
    pack: withDelta(makeDelta(SIZE, 2, copyOp(0xffff_ffff, 2))),
    code: 'PACK_DELTA_INVALID',
    offset: SECOND,
  },
  {
    name: 'a copy of size 0, which means 65536',
    pack: withDelta(makeDelta(SIZE, SIZE, copyOp(0, 0))),
    code: 'PACK_DELTA_INVALID',
    offset: SECOND,
  },
  {
    name: 'a truncated insert',
    pack: withDelta(makeDelta(SIZE, 5, Buffer.from([5, 65, 66]))),
    code: 'PACK_DELTA_INVALID',
    offset: SECOND,
  },
  {
    name: 'a truncated copy',
    pack: withDelta(makeDelta(SIZE, SIZE, Buffer.from([0xff, 0, 0]))),
    code: 'PACK_DELTA_INVALID',
    offset: SECOND,
  },
  {
    name: 'instruction 0',
    pack: withDelta(makeDelta(SIZE, 4, insertOp('four'), Buffer.from([0]))),
    code: 'PACK_DELTA_INVALID',
    offset: SECOND,
  },
  {
    name: 'instructions left over',
    pack: withDelta(makeDelta(SIZE, 4, insertOp('four'), insertOp('more'))),
    code: 'PACK_DELTA_INVALID',
    offset: SECOND,
  },
  {
    name: 'an empty delta',
    pack: withDelta(Buffer.alloc(0)),
    code: 'PACK_DELTA_INVALID',
    offset: SECOND,
  },
  {
    name: 'a delta with sizes and no instructions',
    pack: withDelta(makeDelta(SIZE, 0)),
    code: 'PACK_DELTA_INVALID',
    offset: SECOND,
  },
  {
    name: 'a delta that is one endless size',
    pack: withDelta(Buffer.alloc(40, 0xff)),
    code: 'PACK_DELTA_INVALID',
    offset: SECOND,
  },
  {
    name: 'a delta whose second size is missing',
    pack: withDelta(Buffer.from([0xb1, 0x80, 0x80, 0x00])),
    code: 'PACK_DELTA_INVALID',
    offset: SECOND,
  },
  {
    name: 'a result of 2^32',
    pack: withDelta(Buffer.concat([deltaSize(SIZE), deltaSize(2 ** 32), insertOp('four')])),
    code: 'PACK_LIMIT',
    offset: SECOND,
  },
];

describe.each(CASES)('a pack with $name', ({ pack, code, offset, stricter }) => {
  it.each([Infinity, 1, 13])(`is refused with ${code} in chunks of %d`, async (chunkBytes) => {
    const error = await refused(pack, chunkBytes);
    expect(error).toBeInstanceOf(PackError);
    const { code: got, data } = error as PackError;
    expect(got).toBe(code);
    if (offset !== undefined) expect(data['offset']).toBe(offset);
    expect(readdirSync(packDir)).toEqual([]);
  });

  it.skipIf(stricter)('is refused by git index-pack as well', () => {
    expect(() => gitIndexPack(pack)).toThrow();
  });
});

describe('a pack cut off', () => {
  it('is refused as truncated at every offset', async () => {
    const delta = makeDelta(SIZE, SIZE + 4, copyOp(0, SIZE), insertOp('more'));
    const pack = makePack([
      BLOB,
      ofsDelta(BLOB.length, delta),
      refDelta(oidOf('blob', BASE), delta),
    ]);
    for (let length = 0; length < pack.length; length++) {
      const error = await refused(pack.subarray(0, length), Infinity);
      expect([length, (error as PackError).code]).toEqual([length, 'PACK_TRUNCATED']);
    }
    expect(readdirSync(packDir)).toEqual([]);
  });
});

describe('PackLimits', () => {
  const delta = makeDelta(SIZE, SIZE + 4, copyOp(0, SIZE), insertOp('more'));
  const next = makeDelta(SIZE + 4, 4, copyOp(0, 4));
  const first = ofsDelta(BLOB.length, delta);
  const pack = makePack([BLOB, first, ofsDelta(first.length, next)]);

  it.each<[Partial<PackLimits>, enough: Partial<PackLimits>]>([
    [{ packBytes: pack.length - 1 }, { packBytes: pack.length }],
    [{ objectCount: 2 }, { objectCount: 3 }],
    [{ objectBytes: SIZE - 1 }, { objectBytes: SIZE }],
    [{ deltaObjectBytes: SIZE + 3 }, { deltaObjectBytes: SIZE + 4 }],
    [{ chainDepth: 1 }, { chainDepth: 2 }],
    [{ expandedBytes: SIZE }, { expandedBytes: 10 * SIZE }],
  ])('refuse at %o and not at %o', async (tooLittle, enough) => {
    expect(await refused(pack, 50, tooLittle)).toMatchObject({ code: 'PACK_LIMIT' });
    expect(readdirSync(packDir)).toEqual([]);
    expect(await refused(pack, 50, enough)).toBe('accepted');
  });
});
