import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { SpaceGuard, requireSpace } from '../../agent/pack/disk-space.ts';
import { bundledProgram } from '../setup/bundled-program.ts';

const directory = mkdtempSync(join(tmpdir(), 'mount-agent-space-'));
afterAll(() => {
  rmSync(directory, { recursive: true });
});

const MiB = 2 ** 20;

/** Prints what each question, `BYTES` or `BYTES:FILES`, is answered. */
const ASK = await bundledProgram(`
  import { requireSpace } from './agent/pack/disk-space.ts';
  const [path, ...questions] = process.argv.slice(2);
  for (const question of questions) {
    const [bytes, files] = question.split(':').map(Number);
    await requireSpace(path, bytes, files).then(
      () => console.log('fits'),
      ({ code, message, remedy, data }) => console.log(JSON.stringify([code, message, remedy, data])),
    );
  }`);

/** Fills the path 4 MiB at a time under a guard that looks at every 8 MiB, and prints how it ended. */
const FILL = await bundledProgram(`
  import { writeFileSync } from 'node:fs';
  import { SpaceGuard } from './agent/pack/disk-space.ts';
  const path = process.argv[2];
  const guard = new SpaceGuard(path, 12 * 2 ** 20, 8 * 2 ** 20);
  let written = 0;
  try {
    for (;;) {
      if (guard.isDue(written)) await guard.check(written);
      writeFileSync(path + '/file', Buffer.alloc(4 * 2 ** 20), { flag: 'a' });
      written += 4 * 2 ** 20;
    }
  } catch (error) {
    console.log(error.code, written / 2 ** 20);
  }`);

/** Runs a program on a fresh tmpfs, in a mount namespace of its own. */
function onTmpfs(options: string, program: string, questions: readonly string[] = []): string[] {
  const setup = `mount -t tmpfs -o ${options} none "$0"; exec "$@"`;
  const wrapped = ['--mount', '--map-root-user', 'sh', '-euc', setup, directory];
  const command = [process.execPath, program, directory, ...questions];
  const output = execFileSync('unshare', [...wrapped, ...command], { encoding: 'utf8' });
  return output.trimEnd().split('\n');
}

describe('requireSpace()', () => {
  it('takes what fits and refuses a byte more, with both figures and the way out', () => {
    const questions = [String(8 * MiB), String(8 * MiB + 1)];
    const [first, second = ''] = onTmpfs('size=8m', ASK, questions);
    expect(first).toBe('fits');
    expect(JSON.parse(second)).toEqual([
      'MOUNT_NO_SPACE',
      `${directory}: 8.4 MB are needed, 8.4 MB are free`,
      expect.stringMatching(/^Free space on the disk/),
      { needed_bytes: 8 * MiB + 1, free_bytes: 8 * MiB },
    ]);
  });

  it('refuses more files than there are inodes', () => {
    // The root directory is one of them.
    const [first, second = ''] = onTmpfs('nr_inodes=11', ASK, ['0:10', '0:11']);
    expect(first).toBe('fits');
    const [code, message] = JSON.parse(second) as string[];
    expect(code).toBe('MOUNT_NO_SPACE');
    expect(message).toBe(`${directory}: 11 inodes are needed, 10 are free`);
  });

  it('believes a file system that has no size', async () => {
    await expect(requireSpace('/proc', 2 ** 50, 2 ** 40)).resolves.toBeUndefined();
  });
});

describe('SpaceGuard', () => {
  it('stops a stream while its reserve is still free', () => {
    // It looks at 8, 16 and 24 MiB: there 8 of 32 are left, and 12 must be.
    expect(onTmpfs('size=32m', FILL)).toEqual(['MOUNT_NO_SPACE 24']);
  });

  it('is not due at the start, but after each interval', async () => {
    const guard = new SpaceGuard(directory, 0, 100);
    expect([guard.isDue(0), guard.isDue(99), guard.isDue(130)]).toEqual([false, false, true]);
    await guard.check(130);
    expect([guard.isDue(229), guard.isDue(230)]).toEqual([false, true]);
  });
});
