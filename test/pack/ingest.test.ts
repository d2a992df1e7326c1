import { readFileSync, readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { ingestPack, type IngestContext, type IngestOutcome } from '../../agent/pack/ingest.ts';
import { PACK_LIMITS } from '../../agent/pack/limits.ts';
import { packSource } from '../../agent/pack/pack-source.ts';
import {
  gitIndexPack,
  makeDirectory,
  makeRepository,
  packAll,
  removeDirectory,
} from './git-repository.ts';
import { chunksOf } from './chunks.ts';

let repository: string;
let packDir: string;

beforeAll(() => {
  repository = makeRepository(makeDirectory(), 60);
});
afterAll(() => {
  removeDirectory(repository);
});
beforeEach(() => {
  packDir = makeDirectory();
});
afterEach(() => {
  removeDirectory(packDir);
});

function ingest(
  pack: Buffer,
  chunkBytes: number,
  options: Partial<IngestContext> = {},
): Promise<IngestOutcome> {
  return ingestPack(packSource(chunksOf(pack, chunkBytes)), {
    packDir,
    limits: PACK_LIMITS,
    ...options,
  });
}

const PACK_OPTIONS: [name: string, options: string[]][] = [
  ['whole objects only', ['--window=0']],
  ['ofs-deltas', ['--delta-base-offset', '--window=50', '--depth=50']],
  ['ref-deltas', ['--window=50', '--depth=50']],
  ['chains of 500', ['--delta-base-offset', '--window=500', '--depth=500', '--no-reuse-delta']],
];

describe.each(PACK_OPTIONS)('a pack with %s', (_name, options) => {
  it.each([Infinity, 1, 7, 4099])(
    'has the idx of git index-pack in chunks of %d',
    async (chunk) => {
      const pack = packAll(repository, options);
      const outcome = await ingest(pack, chunk);
      expect(readFileSync(outcome.idxPath!).equals(gitIndexPack(pack))).toBe(true);
      expect(readFileSync(outcome.packPath!).equals(pack)).toBe(true);
      expect(outcome.checksum).toBe(pack.toString('hex', pack.length - 20));
      expect(outcome.packBytes).toBe(pack.length);
    },
  );

  it('has the reverse index of git index-pack', async () => {
    const pack = packAll(repository, options);
    const { packPath } = await ingest(pack, 4099);
    const rev = readFileSync(packPath!.replace(/pack$/, 'rev'));
    expect(rev.equals(gitIndexPack(pack, ['--rev-index'], 'rev'))).toBe(true);
  });

  it('has the same idx with windows, pieces and caches that are far too small', async () => {
    const pack = packAll(repository, options);
    const tuning = { windowBytes: 600, streamBytes: 100, baseCacheBytes: 1 };
    const outcome = await ingest(pack, 333, { tuning });
    expect(readFileSync(outcome.idxPath!).equals(gitIndexPack(pack))).toBe(true);
  });
});

describe('ingestPack()', () => {
  it('leaves exactly a pack, its idx and its reverse index, all read-only', async () => {
    const { checksum } = await ingest(packAll(repository, []), 1000);
    const names = ['idx', 'pack', 'rev'].map((extension) => `pack-${checksum}.${extension}`);
    expect(readdirSync(packDir).sort()).toEqual(names);
    const modes = names.map((name) => statSync(join(packDir, name)).mode & 0o777);
    expect(modes).toEqual([0o444, 0o444, 0o444]);
  });

  it('writes 64-bit offsets as git does', async () => {
    const pack = packAll(repository, ['--delta-base-offset']);
    const outcome = await ingest(pack, 1000, { tuning: { largestShortOffset: 0x1000 } });
    const expected = gitIndexPack(pack, ['--index-version=2,0x1000']);
    expect(readFileSync(outcome.idxPath!).equals(expected)).toBe(true);
  });
});
