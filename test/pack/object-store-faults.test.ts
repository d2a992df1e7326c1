/** Where objects lie, how they vanish, and what others may have put in their place. */
import { execFileSync } from 'node:child_process';
import {
  closeSync,
  mkdirSync,
  openSync,
  readFileSync,
  readdirSync,
  renameSync,
  rmSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import zlib from 'node:zlib';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { ObjectStore } from '../../agent/pack/object-store.ts';
import { TYPE, copyOp, makeDelta, makePack, oidOf, refDelta, wholeEntry } from './craft-pack.ts';
import {
  git,
  gitIndexPack,
  makeDirectory,
  makeRepository,
  noise,
  removeDirectory,
} from './git-repository.ts';

let dir: string;
let objectsDir: string;
beforeEach(() => {
  dir = makeDirectory();
  objectsDir = join(dir, '.git/objects');
  git(dir, ['init', '-q', '-b', 'main', '.']);
});
afterEach(() => {
  removeDirectory(dir);
});

const ABSENT = '0123456789abcdef0123456789abcdef01234567';

function addBlob(content: Buffer | string, cwd = dir): string {
  return git(cwd, ['hash-object', '-w', '--stdin'], content).toString().trim();
}

function loosePath(oid: string): string {
  return join(objectsDir, oid.slice(0, 2), oid.slice(2));
}

function writeLoose(oid: string, content: Buffer): void {
  mkdirSync(dirname(loosePath(oid)), { recursive: true });
  rmSync(loosePath(oid), { force: true });
  writeFileSync(loosePath(oid), content);
}

/** Puts a pack made by hand into the store, with the idx that git makes of it. */
function addPack(pack: Buffer, damage: (pack: Buffer) => Buffer = (same) => same): string {
  const path = join(objectsDir, 'pack', `pack-${pack.toString('hex', pack.length - 20)}.pack`);
  writeFileSync(path.replace(/pack$/, 'idx'), gitIndexPack(pack));
  writeFileSync(path, damage(Buffer.from(pack)));
  return path;
}

function written(store: ObjectStore, oid: string): Buffer {
  const path = join(dir, 'written');
  const fd = openSync(path, 'w');
  try {
    store.writeBlob(oid, fd);
  } finally {
    closeSync(fd);
  }
  return readFileSync(path);
}

describe('ObjectStore', () => {
  it('says what is not there', () => {
    using store = ObjectStore.open(objectsDir);
    expect(store.read(ABSENT)).toBeUndefined();
    expect(store.header(ABSENT)).toBeUndefined();
    expect(store.has(ABSENT)).toBe(false);
    expect(() => store.writeBlob(ABSENT, 1)).toThrow(
      expect.objectContaining({ code: 'OBJECT_MISSING', data: { oid: ABSENT } }),
    );
  });

  it('finds what came after it was opened, loose and packed', () => {
    using store = ObjectStore.open(objectsDir);
    const oid = addBlob('came later');
    expect(store.read(oid)?.content.toString()).toBe('came later');
    const blob = Buffer.from('came in a pack');
    addPack(makePack([wholeEntry(TYPE.blob, blob)]));
    expect(store.read(oidOf('blob', blob))?.content).toEqual(blob);
  });

  it.each([false, true])(
    'goes on when a gc puts everything into another pack (preloadIdx %s)',
    (preloadIdx) => {
      makeRepository(dir, 10);
      git(dir, ['repack', '-adq']);
      using store = ObjectStore.open(objectsDir, { preloadIdx });
      const oids = git(dir, ['rev-list', '--objects', '--all'])
        .toString()
        .match(/^[0-9a-f]{40}/gm)!;
      expect(store.has(oids[0])).toBe(true);
      const added = addBlob('one more');
      git(dir, ['tag', 'added', added]);
      git(dir, ['repack', '-adfq', '--window=3']);
      expect(store.read(added)?.content.toString()).toBe('one more');
      expect(oids.filter((oid) => store.read(oid) === undefined)).toEqual([]);
    },
  );

  it('goes on when packs vanish before they were opened', () => {
    makeRepository(dir, 10);
    git(dir, ['repack', '-adq']);
    using store = ObjectStore.open(objectsDir);
    const oid = git(dir, ['rev-parse', 'main']).toString().trim();
    for (const name of readdirSync(join(objectsDir, 'pack'))) {
      const path = join(objectsDir, 'pack', name);
      renameSync(path, join(dirname(path), name.replace('pack-', 'pack-0')));
    }
    expect(store.read(oid)?.type).toBe('commit');
  });

  it('reads an idx of version 1, and one with 64-bit offsets', () => {
    makeRepository(dir, 10);
    git(dir, ['repack', '-adq', '--window=20']);
    const pack = join(
      objectsDir,
      'pack',
      readdirSync(join(objectsDir, 'pack')).find((name) => name.endsWith('.pack'))!,
    );
    const idx = pack.replace(/pack$/, 'idx');
    const oids = git(dir, ['rev-list', '--objects', '--all'])
      .toString()
      .match(/^[0-9a-f]{40}/gm)!;
    for (const version of ['1', '2,0x400']) {
      rmSync(idx);
      git(dir, ['index-pack', `--index-version=${version}`, '-o', idx, pack]);
      for (const preloadIdx of [false, true]) {
        using store = ObjectStore.open(objectsDir, { preloadIdx });
        const read = oids.map((oid) => ({ oid, ...store.read(oid)! }));
        expect(read.map(({ type, content }) => oidOf(type, content))).toEqual(oids);
      }
    }
  });

  it('borrows from alternates, relative ones and theirs, and ends in a ring', () => {
    const [one, two] = ['one', 'two'].map((name) => {
      mkdirSync(join(dir, name));
      git(join(dir, name), ['init', '-q', '.']);
      return join(dir, name);
    }) as [string, string];
    const near = addBlob('near', one);
    const far = addBlob('far', two);
    writeFileSync(join(objectsDir, 'info/alternates'), '# a comment\n../../one/.git/objects\n');
    writeFileSync(join(one, '.git/objects/info/alternates'), `${join(two, '.git/objects')}\n`);
    writeFileSync(join(two, '.git/objects/info/alternates'), `${objectsDir}\n/nonexistent\n`);
    using store = ObjectStore.open(objectsDir);
    expect(store.read(near)?.content.toString()).toBe('near');
    expect(store.read(far)?.content.toString()).toBe('far');
    expect(store.has(ABSENT)).toBe(false);
  });

  it('refuses what is larger than its limit, and writes it nevertheless', () => {
    const large = noise(3_000_000, 9);
    const oid = addBlob(large);
    addPack(makePack([wholeEntry(TYPE.blob, Buffer.concat([large, large]))]));
    const packed = oidOf('blob', Buffer.concat([large, large]));
    using store = ObjectStore.open(objectsDir, { limitBytes: 1_000_000 });
    for (const each of [oid, packed]) {
      expect(() => store.read(each)).toThrow(expect.objectContaining({ code: 'PACK_LIMIT' }));
      expect(oidOf('blob', written(store, each))).toBe(each);
    }
    expect(store.header(packed)).toEqual({ type: 'blob', size: 6_000_000 });
  });

  it('writes only blobs', () => {
    makeRepository(dir, 2);
    const commit = git(dir, ['rev-parse', 'main']).toString().trim();
    using store = ObjectStore.open(objectsDir);
    expect(() => written(store, commit)).toThrow(
      expect.objectContaining({ code: 'OBJECT_INVALID' }),
    );
    git(dir, ['repack', '-adq']);
    git(dir, ['prune-packed', '-q']);
    using packed = ObjectStore.open(objectsDir);
    expect(() => written(packed, commit)).toThrow(
      expect.objectContaining({ code: 'OBJECT_INVALID' }),
    );
  });

  it('takes nothing but an oid', () => {
    using store = ObjectStore.open(objectsDir);
    for (const wrong of [
      '',
      'main',
      `${ABSENT}0`,
      ABSENT.toUpperCase(),
      '../../../../../etc/passwd',
    ]) {
      expect(() => store.read(wrong)).toThrow(expect.objectContaining({ code: 'OBJECT_INVALID' }));
    }
  });
});

describe('a loose object', () => {
  const content = Buffer.from('blob 7\0content');
  const oid = oidOf('blob', Buffer.from('content'));
  const cases: [string, Buffer][] = [
    ['without a header', zlib.deflateSync('nonsense')],
    ['of another type', zlib.deflateSync('blub 7\0content')],
    ['longer than declared', zlib.deflateSync('blob 6\0content')],
    ['shorter than declared', zlib.deflateSync('blob 8\0content')],
    ['that is empty', Buffer.alloc(0)],
    ['that is no zlib', Buffer.from('garbage garbage garbage')],
    [
      'that is cut off',
      zlib
        .deflateSync(Buffer.concat([Buffer.from('blob 9000\0'), noise(9000, 4)]))
        .subarray(0, 4000),
    ],
  ];
  it.each(cases)('%s is OBJECT_INVALID', (_what, stored) => {
    writeLoose(oid, stored);
    using store = ObjectStore.open(objectsDir);
    const invalid = expect.objectContaining({ code: 'OBJECT_INVALID', data: { oid } }) as Error;
    expect(() => store.read(oid)).toThrow(invalid);
    expect(() => written(store, oid)).toThrow(invalid);
  });

  it('that is a FIFO or a directory is not there, and does not block', () => {
    writeLoose(oid, content);
    rmSync(loosePath(oid));
    execFileSync('mkfifo', [loosePath(oid)]);
    using store = ObjectStore.open(objectsDir);
    expect(store.read(oid)).toBeUndefined();
    rmSync(loosePath(oid));
    mkdirSync(loosePath(oid));
    expect(store.read(oid)).toBeUndefined();
  });
});

describe('a pack', () => {
  const base = noise(500, 7);
  const made = Buffer.concat([base, base]);
  const delta = makeDelta(500, 1000, copyOp(0, 500), copyOp(0, 500));
  const blob = wholeEntry(TYPE.blob, base);
  const pack = makePack([blob, refDelta(oidOf('blob', base), delta)]);
  const oids = [oidOf('blob', base), oidOf('blob', made)];

  function expectInvalid(): void {
    using store = ObjectStore.open(objectsDir);
    for (const oid of oids) {
      const invalid = expect.objectContaining({
        code: 'OBJECT_INVALID',
        data: expect.objectContaining({ oid }) as unknown,
      }) as Error;
      expect(() => store.read(oid)).toThrow(invalid);
      expect(() => written(store, oid)).toThrow(invalid);
    }
  }

  it('with a damaged byte in an entry is OBJECT_INVALID with the oid', () => {
    addPack(pack, (bytes) => {
      bytes[60]! ^= 0xff;
      return bytes;
    });
    expectInvalid();
  });

  it('with another size in an entry is OBJECT_INVALID', () => {
    addPack(pack, (bytes) => {
      bytes[12]! ^= 0x01;
      return bytes;
    });
    expectInvalid();
  });

  it('that is cut off is OBJECT_INVALID', () => {
    addPack(pack, (bytes) => bytes.subarray(0, 40));
    expectInvalid();
  });

  it('whose idx is cut off or nonsense is OBJECT_INVALID', () => {
    const idx = addPack(pack).replace(/pack$/, 'idx');
    const whole = readFileSync(idx);
    truncateSync(idx, 1100);
    expectInvalid();
    truncateSync(idx, 300);
    expectInvalid();
    whole.writeUInt32BE(7, 4);
    writeFileSync(idx, whole);
    expectInvalid();
    whole.writeUInt32BE(2, 4);
    whole.writeUInt32BE(0xffff_ffff, 8);
    writeFileSync(idx, whole);
    expectInvalid();
  });

  it('whose idx points outside of the pack is OBJECT_INVALID', () => {
    const idx = addPack(pack).replace(/pack$/, 'idx');
    const whole = readFileSync(idx);
    const offsets = 8 + 1024 + 2 * 20 + 2 * 4;
    whole.writeUInt32BE(0x7fff_ffff, offsets);
    whole.writeUInt32BE(0x8000_0009, offsets + 4);
    writeFileSync(idx, whole);
    expectInvalid();
  });

  it('whose ref-deltas go round in a ring is OBJECT_INVALID', () => {
    // Both entries become ref-deltas on each other's oid; only the idx says which is which.
    const ring = makePack([refDelta(oids[1]!, delta), refDelta(oids[0]!, delta)]);
    const second = 12 + refDelta(oids[1]!, delta).length;
    const path = addPack(pack, () => ring);
    const idx = readFileSync(path.replace(/pack$/, 'idx'));
    const offsets = 8 + 1024 + 2 * 20 + 2 * 4;
    const [low, high] = [...oids].sort();
    idx.writeUInt32BE(low === oids[0] ? 12 : second, offsets);
    idx.writeUInt32BE(high === oids[0] ? 12 : second, offsets + 4);
    writeFileSync(path.replace(/pack$/, 'idx'), idx);
    expectInvalid();
  });

  it('without an idx, or as a FIFO, is no pack', () => {
    const path = addPack(pack);
    rmSync(path);
    execFileSync('mkfifo', [path]);
    using store = ObjectStore.open(objectsDir);
    expect(store.read(oids[0]!)).toBeUndefined();
  });
});
