import { execFileSync, spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { cp, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { availableParallelism, tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { builtFile } from '../../agent/own-files.ts';
import { bundledProgram } from '../setup/bundled-program.ts';

const IS_CACHED = await bundledProgram(`
  import { Worker, isMainThread } from 'node:worker_threads';
  import { loadBundle } from './agent/bundle.ts';
  const [, program, path, inThread] = process.argv;
  if (isMainThread && inThread) new Worker(program, { argv: [path] });
  else console.log(loadBundle(path).cached);
`);

function isCached(flags: readonly string[], bundle: string, ...inThread: string[]): string {
  const argv = [...flags, IS_CACHED, builtFile(bundle), ...inThread];
  return execFileSync(process.execPath, argv, { encoding: 'utf8' }).trim();
}

describe('the code cache in dist/', () => {
  it('is one that V8 takes, for each process', () => {
    expect(isCached([], 'main.bundle.js')).toBe('true');
    expect(isCached([], 'main-mount.bundle.js')).toBe('true');
    expect(isCached([], 'main-rescue.bundle.js')).toBe('true');
    expect(isCached([], 'rescue-worker.bundle.js')).toBe('true');
    expect(isCached([], 'clone-worker.bundle.js')).toBe('true');
  });

  // Built where there is one core, there is none.
  it.skipIf(availableParallelism() === 1)('is one that V8 takes in a thread', () => {
    expect(isCached([], 'pack-thread.bundle.js', 'in a thread')).toBe('true');
  });

  it('has all that a clone runs to its end', () => {
    const holds = (bundle: string, constant: string): boolean =>
      readFileSync(builtFile(`${bundle}.bundle.cache`), 'latin1').includes(constant);
    expect(holds('clone-worker', 'tmp_rev_')).toBe(true);
    expect(holds('main', 'the token is good for a push')).toBe(true);
    expect(holds('main-mount', ': ready')).toBe(true);
    expect(holds('main', ': ready')).toBe(false);
  });

  it('is left alone by a V8 with other flags', () => {
    expect(isCached(['--max-lazy'], 'main.bundle.js')).toBe('false');
  });
});

describe('the program starts the same', () => {
  let copy: string;
  beforeAll(async () => {
    copy = await mkdtemp(join(tmpdir(), 'mount-agent-start-'));
    await cp(builtFile(''), join(copy, 'dist'), { recursive: true });
    await cp(builtFile('../package.json'), join(copy, 'package.json'));
  });
  afterAll(() => rm(copy, { recursive: true, force: true }));

  const version = (): string =>
    execFileSync(process.execPath, [join(copy, 'dist/main.js'), '--version'], { encoding: 'utf8' });

  it('from a cache, a broken one, and none, without anything of node_modules', async () => {
    const cache = join(copy, 'dist/main.bundle.cache');
    const expected = version();
    expect(expected).toMatch(/^\d+\.\d+\.\d+\n$/);
    await writeFile(cache, 'nonsense');
    expect(version()).toBe(expected);
    await rm(cache);
    expect(version()).toBe(expected);
  });

  it('and leaves no clone process behind where its command line is refused', async () => {
    const argv = [join(copy, 'dist/main.js'), 'mount', '--no-such-flag'];
    const { status, stderr } = spawnSync(process.execPath, argv, { encoding: 'utf8' });
    expect(stderr).toContain('Unknown argument');
    expect(status).toBe(64);
    const worker = join(copy, 'dist/clone-worker.js');
    const left = (): string[] =>
      execFileSync('ps', ['-eo', 'args'], { encoding: 'utf8' })
        .split('\n')
        .filter((line) => line.includes(worker));
    await expect.poll(left, { timeout: 10_000 }).toEqual([]);
  });
});
