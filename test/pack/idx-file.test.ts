import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { IdxFile } from '../../agent/pack/idx-file.ts';

let dir: string;

beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'idx-file-'));
});

afterEach(() => {
  rmSync(dir, { recursive: true });
});

/** Oids that all begin with one byte, as only a pack of a million objects has them. */
function oidsUnder(first: number, count: number): Buffer[] {
  const oids = Array.from({ length: count }, (_, index) => {
    const oid = createHash('sha1').update(`${first} ${index}`).digest();
    oid[0] = first;
    return oid;
  });
  return oids.sort((one, other) => one.compare(other));
}

function makeIdx(version: 1 | 2, oids: readonly Buffer[]): Buffer {
  const offsets = oids.map((_, index) => uint32(12 + index * 7));
  const fanOut = Array.from({ length: 256 }, (_, byte) =>
    uint32(oids.filter((oid) => oid[0]! <= byte).length),
  );
  const trailer = Buffer.alloc(40);
  if (version === 1) {
    return Buffer.concat([...fanOut, ...oids.flatMap((oid, at) => [offsets[at]!, oid]), trailer]);
  }
  const crcs = Buffer.alloc(4 * oids.length);
  return Buffer.concat([
    uint32(0xff74_4f63),
    uint32(2),
    ...fanOut,
    ...oids,
    crcs,
    ...offsets,
    trailer,
  ]);
}

function uint32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value);
  return bytes;
}

/** What git reads in it. */
function shownByGit(idx: Buffer): Map<string, number> {
  const lines = execFileSync('git', ['show-index'], { input: idx }).toString().trim().split('\n');
  return new Map(lines.map((line) => [line.split(' ')[1]!, Number(line.split(' ')[0])]));
}

describe('an idx with many oids of one first byte', () => {
  it.each([
    { version: 1, preload: false },
    { version: 1, preload: true },
    { version: 2, preload: false },
    { version: 2, preload: true },
  ] as const)(
    'finds what git finds (version $version, preload $preload)',
    ({ version, preload }) => {
      const oids = [
        ...oidsUnder(0, 300),
        ...oidsUnder(1, 1),
        ...oidsUnder(7, 256),
        ...oidsUnder(8, 257),
        ...oidsUnder(255, 3000),
      ];
      const bytes = makeIdx(version, oids);
      const path = join(dir, 'pack.idx');
      writeFileSync(path, bytes);
      const idx = IdxFile.open(path, preload)!;
      try {
        const found = new Map(oids.map((oid) => [oid.toString('hex'), idx.find(oid)]));
        expect(found).toEqual(shownByGit(bytes));
        const absent = oids.map((oid) => Buffer.from(oid).fill(oid[19]! ^ 1, 19));
        const others = [2, 7, 9, 254].map((first) => Buffer.alloc(20, first));
        expect([...absent, ...others].filter((oid) => idx.find(oid) !== -1)).toEqual([]);
      } finally {
        idx.close();
      }
    },
  );

  it('does not take the end of one oid and the start of the next for an oid', () => {
    const oids = oidsUnder(9, 500);
    const path = join(dir, 'pack.idx');
    writeFileSync(path, makeIdx(2, oids));
    const idx = IdxFile.open(path, true)!;
    const across = oids.slice(1).map((oid, before) => {
      const both = Buffer.concat([oids[before]!, oid]);
      const start = both.indexOf(9, 1);
      return both.subarray(start, start + 20);
    });
    const own = new Set(oids.map((oid) => oid.toString('hex')));
    const foreign = across.filter((oid) => !own.has(oid.toString('hex')));
    expect(foreign.length).toBeGreaterThan(10);
    expect(foreign.filter((oid) => idx.find(oid) !== -1)).toEqual([]);
  });
});
