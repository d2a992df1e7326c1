/** `rescue` and `restore` as a person sees them, and as a disk that is too small does. */
import { execFileSync, spawn, spawnSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { existsSync, mkdirSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setImmediate } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { PROGRAM } from '../end-to-end/session.ts';
import { CLEAN_GIT_ENVIRONMENT } from '../fixtures/cache.ts';
import { PseudoTerminal } from '../terminal/pseudo-terminal.ts';
import { copyTemplate, createTemplate, runGit } from '../work/scratch-repository.ts';
import type { ScratchRepository } from '../work/scratch-repository.ts';

const WINDOW = { columns: 200, rows: 24 };
let template = '';
let lost: ScratchRepository;

beforeAll(() => {
  template = createTemplate();
  lost = copyTemplate(template);
});
afterAll(() => {
  lost.remove();
  rmSync(template, { recursive: true, force: true });
});

async function onTerminal(
  ...args: string[]
): Promise<{ code: number; sent: string; seen: string }> {
  await using terminal = PseudoTerminal.program(args, WINDOW);
  const code = await terminal.ended;
  return { code, sent: terminal.sent, seen: terminal.screen.slice(1).join('\n').trimEnd() };
}

test('on a terminal both show how far they are, and leave only what is worth keeping', async () => {
  const { worktree: mount, base } = lost;
  lost.write('large.bin', randomBytes(3_000_000).toString('latin1'));
  const out = join(base, 'shown');
  const rescue = await onTerminal('rescue', '--out', out, mount);
  expect(rescue.code).toBe(0);
  const file = join(out, readdirSync(out)[0] ?? '');
  expect(rescue.sent).toMatch(/█+░* +\d+ %/);
  expect(rescue.seen).toMatch(/^\S+\/work: \d+ commits, 1 untracked file \([\d.]+ MB\)\n/);
  expect(rescue.seen.split('\n').slice(1)).toEqual([file]);

  const clone = join(base, 'again');
  const now = { GIT_COMMITTER_DATE: undefined };
  runGit(base, ['clone', '-q', join(base, 'origin.git'), 'again'], now);
  const restore = await onTerminal('restore', file, clone);
  expect(restore.code).toBe(0);
  expect(restore.sent).toMatch(/staging \d+ %/);
  expect(restore.seen).toMatch(
    /^\S+\/again is as it was \(\S+\)\n {2}\d+ commits\n {2}1 untracked file$/,
  );
  const restored = readFileSync(join(clone, 'large.bin'));
  expect(restored.equals(readFileSync(lost.path('large.bin')))).toBe(true);
});

/** $0: the small disk; what follows is run on it and said with its exit code. */
const ON_SMALL_DISK = `
mount -t tmpfs -o "size=$1" none "$0"; disk=$0; shift
"$@" || echo "ended with $?"
find "$disk" -mindepth 1 -printf '%f\\n'`;

test('a disk too small for a rescue: it fails by name, and leaves nothing of itself', () => {
  const { worktree: mount, base } = lost;
  lost.write('large.bin', randomBytes(3_000_000).toString('latin1'));
  const disk = join(base, 'small');
  mkdirSync(disk);
  const command = [process.execPath, PROGRAM, 'rescue', '--out', disk, mount];
  const { stdout, stderr } = spawnSync(
    'unshare',
    ['--mount', '--map-root-user', 'sh', '-euc', ON_SMALL_DISK, disk, '2m', ...command],
    { encoding: 'utf8', env: { ...CLEAN_GIT_ENVIRONMENT, HOME: base } },
  );
  expect(stderr).toMatch(/ENOSPC[^]*has room. \(RESCUE_WRITE_FAILED\)/);
  expect(stdout).toBe('ended with 69\n');
});

test('a restore onto a disk too small for it leaves the clone as it was', () => {
  const { worktree: mount, base } = lost;
  lost.write('large.bin', randomBytes(3_000_000).toString('latin1'));
  const out = join(base, 'for-small');
  execFileSync(process.execPath, [PROGRAM, 'rescue', '--out', out, mount], { stdio: 'pipe' });
  const file = join(out, readdirSync(out)[0] ?? '');
  const disk = join(base, 'small-mount');
  mkdirSync(disk);
  const script = `
    mount -t tmpfs -o size=3m none "$0"
    env -u GIT_COMMITTER_DATE git clone -q "$1" "$0/web" && cd "$0/web"
    before=$(git status --porcelain --ignored && find . -type f | sort | xargs sha256sum)
    "$2" "$3" restore "$4" "$0/web" || echo "ended with $?"
    after=$(git status --porcelain --ignored && find . -type f | sort | xargs sha256sum)
    test "$before" = "$after" && echo 'as it was'`;
  const origin = join(base, 'origin.git');
  const { stdout, stderr } = spawnSync(
    'unshare',
    ['--mount', '--map-root-user', 'sh', '-euc', script].concat([
      disk,
      origin,
      process.execPath,
      PROGRAM,
      file,
    ]),
    { encoding: 'utf8', env: { ...CLEAN_GIT_ENVIRONMENT, HOME: base } },
  );
  expect(stderr).toContain('MOUNT_NO_SPACE');
  expect(stdout).toBe('ended with 69\nas it was\n');
});

test('a killed restore --into leaves a draft beside DIR, which the next one takes away', async () => {
  const { worktree: mount, base } = lost;
  const out = join(base, 'for-into');
  execFileSync(process.execPath, [PROGRAM, 'rescue', '--self-contained', '--out', out, mount], {
    stdio: 'pipe',
  });
  const file = join(out, readdirSync(out)[0] ?? '');
  const place = join(base, 'places');
  mkdirSync(place);
  const argv = [PROGRAM, 'restore', '--into', join(place, 'web'), file, join(base, 'nowhere')];
  await killOnceIn(place, argv);
  expect(readdirSync(place)).toEqual([expect.stringMatching(/^\.web\./)]);
  writeFileSync(join(place, '.web.mine'), 'not a draft');
  execFileSync(process.execPath, argv, { stdio: 'pipe' });
  expect(readdirSync(place).sort()).toEqual(['.web.mine', 'web']);
  expect(existsSync(join(place, 'web/.git/HEAD'))).toBe(true);
});

/** Kills the program once something of it stands in the directory. */
async function killOnceIn(directory: string, argv: readonly string[]): Promise<void> {
  const child = spawn(process.execPath, argv, { stdio: 'ignore' });
  const ended = once(child, 'close');
  while (readdirSync(directory).length === 0 && child.exitCode === null) await setImmediate();
  child.kill('SIGKILL');
  await ended;
}
