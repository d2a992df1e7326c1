/** What git index-pack accepts is accepted, odd as it may be, with the same idx. */
import { readFileSync, readdirSync } from 'node:fs';
import zlib from 'node:zlib';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { ingestPack } from '../../agent/pack/ingest.ts';
import { PACK_LIMITS, type PackTuning } from '../../agent/pack/limits.ts';
import { packSource } from '../../agent/pack/pack-source.ts';
import { chunksOf } from './chunks.ts';
import {
  TYPE,
  copyOp,
  insertOp,
  makeDelta,
  makePack,
  ofsDelta,
  oidOf,
  refDelta,
  typeAndSize,
  wholeEntry,
} from './craft-pack.ts';
import { git, gitIndexPack, makeDirectory, noise, removeDirectory } from './git-repository.ts';

let packDir: string;
beforeEach(() => {
  packDir = makeDirectory();
});
afterEach(() => {
  removeDirectory(packDir);
});

const BASE = Buffer.from('the base of all deltas here');
const ONE = Buffer.concat([BASE, Buffer.from(' one')]);
const TWO = Buffer.concat([ONE, Buffer.from(' two')]);
const BLOB = wholeEntry(TYPE.blob, BASE);
const TO_ONE = makeDelta(BASE.length, ONE.length, copyOp(0, BASE.length), insertOp(' one'));
const TO_TWO = makeDelta(ONE.length, TWO.length, copyOp(0, ONE.length), insertOp(' two'));
const BASE_OID = oidOf('blob', BASE);
const ONE_OID = oidOf('blob', ONE);

/** Deflate blocks that hold nothing, then the content: longer than any bound on compressed size. */
function paddedStream(content: Buffer, emptyBlocks: number): Buffer {
  const stream = zlib.deflateSync(content);
  const empty = Buffer.alloc(emptyBlocks * 5, Buffer.from([0, 0, 0, 0xff, 0xff]));
  return Buffer.concat([stream.subarray(0, 2), empty, stream.subarray(2)]);
}

const LARGE = noise(300_000, 5);
const ZEROS = Buffer.alloc(5_000_000);

const PACKS: Record<string, Buffer> = {
  'version 3': makePack([BLOB], 1, 3),
  'empty objects of each type': makePack(
    [1, 2, 3, 4].map((type) => wholeEntry(type, Buffer.alloc(0))),
  ),
  'an object twice': makePack([BLOB, wholeEntry(TYPE.blob, ONE), BLOB]),
  'an object whole and as a delta': makePack([
    BLOB,
    wholeEntry(TYPE.blob, ONE),
    refDelta(BASE_OID, TO_ONE),
  ]),
  'a ref-delta before its base': makePack([refDelta(BASE_OID, TO_ONE), BLOB]),
  'a chain of ref-deltas that stands on its head': makePack([
    refDelta(ONE_OID, TO_TWO),
    refDelta(BASE_OID, TO_ONE),
    BLOB,
  ]),
  'a ref-delta on an ofs-delta after it': makePack([
    refDelta(ONE_OID, TO_TWO),
    BLOB,
    ofsDelta(BLOB.length, TO_ONE),
  ]),
  'a size with more bytes than it needs': makePack([
    Buffer.concat([
      Buffer.from([0xb0 | (BASE.length & 15), 0x80 | (BASE.length >> 4), 0x80, 0x00]),
      zlib.deflateSync(BASE),
    ]),
  ]),
  'stored blocks': makePack([
    Buffer.concat([typeAndSize(TYPE.blob, LARGE.length), zlib.deflateSync(LARGE, { level: 0 })]),
  ]),
  'a million empty deflate blocks': makePack([
    Buffer.concat([typeAndSize(TYPE.blob, BASE.length), paddedStream(BASE, 1_000_000)]),
    ofsDelta(5_000_000 + BLOB.length, TO_ONE),
  ]),
  'a large blob': makePack([wholeEntry(TYPE.blob, LARGE), wholeEntry(TYPE.blob, ZEROS), BLOB]),
  'a large delta': makePack([
    BLOB,
    ofsDelta(
      BLOB.length,
      makeDelta(
        BASE.length,
        127 * 9000,
        ...Array.from({ length: 9000 }, (_, index) => insertOp(noise(127, index))),
      ),
    ),
  ]),
};
PACKS['a copy of 65536 bytes'] = makePack([
  wholeEntry(TYPE.blob, LARGE),
  refDelta(
    oidOf('blob', LARGE),
    makeDelta(
      LARGE.length,
      65536 * 2,
      Buffer.from([0x80]),
      Buffer.from([0x91, 7]).subarray(0, 0),
      copyOp(9, 0),
    ),
  ),
]);
PACKS['a base larger than what its delta makes'] = makePack([
  wholeEntry(TYPE.blob, ZEROS),
  refDelta(oidOf('blob', ZEROS), makeDelta(ZEROS.length, 4, copyOp(4_999_990, 4))),
]);

describe.each(Object.entries(PACKS))('a pack with %s', (_name, pack) => {
  it.each<[string, number, Partial<PackTuning>]>([
    ['whole', Infinity, {}],
    ['in odd chunks', 1009, {}],
    ['with a small window', 1009, { windowBytes: 512, streamBytes: 64 }],
    ['by threads', Infinity, { threads: 2, threadedBytes: 0 }],
  ])('has the idx of git index-pack: %s', async (_how, chunkBytes, tuning) => {
    const context = { packDir, limits: PACK_LIMITS, tuning };
    const { idxPath, packPath } = await ingestPack(packSource(chunksOf(pack, chunkBytes)), context);
    expect(readFileSync(idxPath!).equals(gitIndexPack(pack))).toBe(true);
    expect(readFileSync(packPath!).equals(pack)).toBe(true);
  });
});

it('a ref-delta on an object that is there twice is accepted, as by git 2.50 and later', async () => {
  const pack = makePack([BLOB, refDelta(BASE_OID, TO_ONE), BLOB, ofsDelta(BLOB.length, TO_ONE)]);
  const { idxPath } = await ingestPack(packSource(chunksOf(pack, 99)), {
    packDir,
    limits: PACK_LIMITS,
  });
  const listed = git(packDir, ['show-index'], readFileSync(idxPath!)).toString();
  const oids = listed.split('\n').map((line) => line.split(' ')[1]);
  expect(oids).toEqual([BASE_OID, BASE_OID, ONE_OID, ONE_OID, undefined].sort());
});

describe('an empty pack', () => {
  it('is accepted and leaves no file', async () => {
    const pack = makePack([]);
    const outcome = await ingestPack(packSource(chunksOf(pack, 5)), {
      packDir,
      limits: PACK_LIMITS,
    });
    expect(outcome).toEqual({
      checksum: pack.toString('hex', 12),
      objectCount: 0,
      packBytes: 32,
      packPath: null,
      idxPath: null,
      brokenOid: null,
    });
    expect(readdirSync(packDir)).toEqual([]);
  });
});
