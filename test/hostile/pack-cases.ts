/** Numbers 1 to 10: packs. Each has a right repository in it, and what is wrong behind that. */
import zlib from 'node:zlib';
import type { ErrorCode } from '../../agent/errors.ts';
import {
  TYPE,
  copyOp,
  deltaSize,
  distanceBytes,
  insertOp,
  makeDelta,
  makePack,
  ofsDelta,
  refDelta,
  sealPack,
  typeAndSize,
  wholeEntry,
} from '../pack/craft-pack.ts';
import { MAIN_REFS, packAnswer } from './hostile-host.ts';
import type { HostileCase } from './hostile-host.ts';
import { FILE, RIGHT, ROOT, TIP, blob, entryOf, packOf } from './objects.ts';

const ENTRIES = RIGHT.map(entryOf);
/** Where the entry behind the right ones begins. */
const BEHIND = 12 + Buffer.concat(ENTRIES).length;
const RIGHT_PACK = packOf(...RIGHT);
const BASE = FILE.content;
const BASE_DISTANCE = ENTRIES[2]!.length;
const SIZE = BASE.length;
const WHOLE_COPY = makeDelta(SIZE, SIZE, copyOp(0, SIZE));

function pack(
  number: number,
  name: string,
  bytes: Buffer,
  expected: HostileCase['expected'],
  offset?: number,
): HostileCase {
  const where = offset === undefined ? {} : { offset };
  return { number, name, expected, ...where, answer: packAnswer(bytes) };
}

function entry(
  number: number,
  name: string,
  bytes: Buffer,
  code: ErrorCode | 'ready',
  offset = BEHIND,
): HostileCase {
  const where = code === 'ready' ? undefined : offset;
  return pack(number, name, makePack([...ENTRIES, bytes]), code, where);
}

function delta(name: string, bytes: Buffer, code: ErrorCode = 'PACK_DELTA_INVALID'): HostileCase {
  return entry(7, name, ofsDelta(BASE_DISTANCE, bytes), code);
}

function flipped(bytes: Buffer, at: number): Buffer {
  const copy = Buffer.from(bytes);
  copy[copy.length + at]! ^= 1;
  return copy;
}

function sized(size: number | bigint, stored: Buffer): Buffer {
  return Buffer.concat([typeAndSize(TYPE.blob, size), stored]);
}

/** A stream that goes on for a gigabyte, in a megabyte. */
function bomb(): Buffer {
  const zeros = Buffer.alloc(2 ** 24);
  const block = zlib.deflateRawSync(zeros, { finishFlush: zlib.constants.Z_FULL_FLUSH });
  return Buffer.concat([Buffer.from([0x78, 0x01]), ...Array.from({ length: 64 }, () => block)]);
}

/** More deltas in one chain than there may be. */
function endlessChain(): Buffer {
  const step = ofsDelta(0, WHOLE_COPY).subarray(2);
  const link = (distance: number): Buffer =>
    Buffer.concat([typeAndSize(TYPE.ofsDelta, WHOLE_COPY.length), distanceBytes(distance), step]);
  const links = [link(BASE_DISTANCE)];
  while (links.length < 66_000) links.push(link(links.at(-1)!.length));
  return makePack([...ENTRIES, ...links]);
}

const ZLIB = zlib.deflateSync(BASE);
const LATER = blob('a base that comes later\n');
const LATER_DELTA = makeDelta(
  LATER.content.length,
  LATER.content.length + 4,
  copyOp(0, LATER.content.length),
  insertOp('more'),
);
/** Two deltas that name each other's results, and nothing that either stands on. */
const [ONE, OTHER] = [blob('one of two\n'), blob('the other one\n')];
const CYCLE = [
  refDelta(OTHER.oid, makeDelta(OTHER.content.length, ONE.content.length, insertOp(ONE.content))),
  refDelta(ONE.oid, makeDelta(ONE.content.length, OTHER.content.length, insertOp(OTHER.content))),
];

export const PACK_CASES: readonly HostileCase[] = [
  pack(1, 'a bad signature', sealPack(Buffer.from('PUCK\0\0\0\x02\0\0\0\0')), 'PACK_SIGNATURE'),
  pack(1, 'version 4', makePack(ENTRIES, 3, 4), 'PACK_VERSION'),
  pack(1, 'version 3, which is good', makePack(ENTRIES, 3, 3), 'ready'),
  pack(1, 'an empty pack, which is good, for refs that need more', makePack([]), 'OBJECT_MISSING'),
  pack(2, 'a wrong trailer', flipped(RIGHT_PACK, -1), 'PACK_CHECKSUM', BEHIND),
  pack(2, 'no trailer', RIGHT_PACK.subarray(0, -20), 'PACK_TRUNCATED'),
  pack(2, 'an end in the middle', RIGHT_PACK.subarray(0, 60), 'PACK_TRUNCATED'),
  pack(2, 'a count too low', makePack(ENTRIES, 2), 'PACK_TRAILING_BYTES'),
  pack(2, 'a count of 2^32 - 1', makePack(ENTRIES, 2 ** 32 - 1), 'PACK_LIMIT'),
  pack(2, 'bytes after the trailer', Buffer.concat([RIGHT_PACK, BASE]), 'PACK_TRAILING_BYTES'),
  entry(3, 'type 0', wholeEntry(0, BASE), 'PACK_ENTRY_TYPE'),
  entry(3, 'type 5', wholeEntry(5, BASE), 'PACK_ENTRY_TYPE'),
  entry(3, 'less than declared', wholeEntry(TYPE.blob, BASE, SIZE + 1), 'PACK_ENTRY_SIZE'),
  entry(3, 'more than declared', wholeEntry(TYPE.blob, BASE, SIZE - 1), 'PACK_ENTRY_SIZE'),
  entry(3, 'a size of 2^53', sized(2n ** 53n, ZLIB), 'PACK_ENTRY_SIZE'),
  entry(3, 'a size that wraps at 32 bits', sized(SIZE + 2 ** 32, ZLIB), 'PACK_ENTRY_SIZE'),
  entry(4, 'a bad zlib header', sized(SIZE, Buffer.from('not zlib at all')), 'PACK_ENTRY_INFLATE'),
  entry(4, 'a bad Adler-32', sized(SIZE, flipped(ZLIB, -1)), 'PACK_ENTRY_INFLATE'),
  entry(4, 'raw deflate', sized(SIZE, zlib.deflateRawSync(BASE)), 'PACK_ENTRY_INFLATE'),
  entry(
    4,
    'a preset dictionary',
    sized(SIZE, zlib.deflateSync(BASE, { dictionary: BASE })),
    'PACK_ENTRY_INFLATE',
  ),
  entry(4, 'a gigabyte where ten bytes are declared', sized(10, bomb()), 'PACK_ENTRY_SIZE'),
  entry(5, 'a distance of 0', ofsDelta(0, WHOLE_COPY), 'PACK_DELTA_OFFSET'),
  entry(5, 'a base before the pack', ofsDelta(BEHIND + 1, WHOLE_COPY), 'PACK_DELTA_OFFSET'),
  entry(5, "a base in the pack's header", ofsDelta(BEHIND - 4, WHOLE_COPY), 'PACK_DELTA_OFFSET'),
  entry(5, 'a base within an entry', ofsDelta(BASE_DISTANCE - 3, WHOLE_COPY), 'PACK_DELTA_OFFSET'),
  entry(
    5,
    'a distance over 64 bits',
    Buffer.concat([typeAndSize(TYPE.ofsDelta, 4), Buffer.alloc(11, 0xff), ZLIB]),
    'PACK_DELTA_OFFSET',
  ),
  entry(
    6,
    'a base that is missing',
    refDelta('12'.repeat(20), WHOLE_COPY),
    'PACK_DELTA_BASE_MISSING',
  ),
  entry(
    6,
    'a delta on its own result',
    refDelta(
      LATER.oid,
      makeDelta(LATER.content.length, LATER.content.length, insertOp(LATER.content)),
    ),
    'PACK_DELTA_BASE_MISSING',
  ),
  pack(
    6,
    'two deltas on each other',
    makePack([...ENTRIES, ...CYCLE]),
    'PACK_DELTA_BASE_MISSING',
    BEHIND,
  ),
  pack(
    6,
    'a base that comes later, which is good',
    makePack([refDelta(LATER.oid, LATER_DELTA), ...ENTRIES, entryOf(LATER)]),
    'ready',
  ),
  delta('a wrong source size', makeDelta(SIZE + 1, SIZE, copyOp(0, SIZE))),
  delta('a wrong result size', makeDelta(SIZE, SIZE + 1, copyOp(0, SIZE))),
  delta('a copy past the base', makeDelta(SIZE, SIZE, copyOp(1, SIZE))),
  delta('a truncated insert', makeDelta(SIZE, 5, Buffer.from([5, 65, 66]))),
  delta('a truncated copy', makeDelta(SIZE, SIZE, Buffer.from([0xff, 0]))),
  delta('instruction 0', makeDelta(SIZE, 4, insertOp('four'), Buffer.from([0]))),
  delta('instructions left over', makeDelta(SIZE, 4, insertOp('four'), insertOp('more'))),
  delta('nothing in it', Buffer.alloc(0)),
  delta(
    'a result of 2^32',
    Buffer.concat([deltaSize(SIZE), deltaSize(2 ** 32), insertOp('four')]),
    'PACK_LIMIT',
  ),
  entry(8, 'an object twice, which is good', entryOf(FILE), 'ready'),
  pack(9, 'a chain of 66,000 deltas', endlessChain(), 'PACK_LIMIT'),
  entry(9, 'an object of 2^40 bytes', sized(2 ** 40, ZLIB), 'PACK_LIMIT'),
  pack(10, 'no tree', packOf(TIP, FILE), 'OBJECT_MISSING'),
  pack(10, 'no file', packOf(TIP, ROOT), 'OBJECT_MISSING'),
  {
    ...pack(10, 'a branch without its commit', RIGHT_PACK, 'OBJECT_MISSING'),
    refs: [...MAIN_REFS, `${'12'.repeat(20)} refs/heads/ghost`],
    says: /ghost/,
  },
];
