import { execFileSync, spawn } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { once } from 'node:events';
import { afterAll, expect, it } from 'vitest';
import { git, makeRepository } from '../fixtures/cache.ts';
import { chains, randomBlobs } from '../fixtures/memory-repositories.ts';
import { measureFloor } from './floor.ts';
import { percentile } from './percentile.ts';
import { pssOfTree } from './process-memory.ts';
import { tableOf } from './report.ts';
import type { Result } from './report.ts';
import { describe } from './subjects.ts';

const directory = await mkdtemp(join(tmpdir(), 'mount-agent-bench-test-'));
afterAll(() => rm(directory, { recursive: true }));

it('percentile() is the smallest value that the share of them does not exceed', () => {
  const values = Array.from({ length: 200 }, (_, at) => 200 - at);
  expect([0, 0.5, 0.99, 1].map((share) => percentile(values, share))).toEqual([1, 100, 198, 200]);
  expect(percentile([], 0.5)).toBeNaN();
});

it('pssOfTree() counts a child of a child', async () => {
  const hold =
    'const held = Buffer.alloc(150e6, 1); console.log(held.length); setInterval(() => 0, 1e6)';
  const shell = spawn('sh', ['-c', '"$@"; true', 'sh', process.execPath, '-e', hold]);
  const ended = once(shell, 'close');
  await once(shell.stdout, 'data');
  const bytes = pssOfTree(shell.pid!);
  execFileSync('pkill', ['-P', String(shell.pid)]);
  await ended;
  expect(bytes).toBeGreaterThan(150e6);
  expect(bytes).toBeLessThan(400e6);
});

it('the repositories for memory are as deep and as large as they say', async () => {
  const deep = join(directory, 'deep.git');
  await makeRepository(chains('deep', { deltas: 300, large: 3, largeBytes: 200_000 }), deep);
  const pack = await packSent(deep);
  expect(pack).toMatch(/^chain length = 300: 1 object$/m);
  const blobs = join(directory, 'blobs.git');
  await makeRepository(randomBlobs('blobs', 3, 100_000), blobs);
  const { storedBytes, objects, files } = await describe('blobs', blobs);
  expect([objects, files]).toEqual([6, 3]);
  expect(storedBytes).toBeGreaterThan(300_000);
  expect(storedBytes).toBeLessThan(301_000);
});

it('measureFloor() has something to do in each part', async () => {
  const bareDir = join(directory, 'floor.git');
  await makeRepository(randomBlobs('floor', 12, 50_000), bareDir);
  const floor = await measureFloor(await describe('floor', bareDir), directory);
  expect(floor.packBytes).toBeGreaterThan(600_000);
  for (const part of ['inflateMs', 'hashMs', 'packMs', 'worktreeMs'] as const) {
    expect(floor[part], part).toBeGreaterThan(0);
  }
  const files = execFileSync('sh', ['-c', 'find . -name "*.bin" -size 49k | wc -l'], {
    cwd: join(directory, 'floor-floor'),
    encoding: 'utf8',
  });
  expect(Number(files)).toBe(36);
});

it('tableOf() sets the time from the first byte against the transfer', () => {
  const measured = { wallMs: 5000, endedAtMs: 0, cpuMs: 1000, peakBytes: null, samples: 0 };
  const result: Result = {
    contestant: 'git clone',
    timed: [measured],
    memory: [],
    transfers: [
      { wallMs: 4200, ownMs: 4000 },
      { wallMs: 4400, ownMs: 4000 },
      { wallMs: 4300, ownMs: 4000 },
    ],
    note: null,
  };
  const subject = { name: 'a', objects: 5, files: 2 };
  const subjects = [subject, subject] as unknown as Parameters<typeof tableOf>[0]['subjects'];
  const table = tableOf({ name: 'two', subjects }, { results: [result], sentBytes: 80e6 });
  expect(table).toContain('**two: 80.0 MB sent, 10 objects, 4 files**');
  expect(table).toContain(
    'git clone: 4.30 s from the first byte, 1.075 (1.050–1.100) × the 4.00 s of the transfer',
  );
});

/** What `git verify-pack` says of the pack that a clone gets. */
async function packSent(bareDir: string): Promise<string> {
  const packFile = join(directory, 'sent.pack');
  const script =
    'git rev-parse HEAD | git pack-objects -q --revs --stdout >"$1"; git index-pack "$1"';
  const env = { ...process.env, GIT_DIR: bareDir };
  execFileSync('sh', ['-euc', script, 'sh', packFile], { env });
  return git(['verify-pack', '--stat-only', packFile]);
}
