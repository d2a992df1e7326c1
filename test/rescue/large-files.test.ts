/** Files of 80 MB and of none, in and out of a rescue, and files that do not hold still meanwhile. */
import { execFileSync, spawnSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import {
  appendFileSync,
  chmodSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { capture } from '../../agent/rescue/capture.ts';
import type { CaptureOutcome } from '../../agent/rescue/capture.ts';
import { verifyRescue } from '../../agent/rescue/verify.ts';
import { PROGRAM } from '../end-to-end/session.ts';
import { CLEAN_GIT_ENVIRONMENT } from '../fixtures/cache.ts';
import { runGit } from '../work/scratch-repository.ts';
import { stateOf } from './state.ts';

const MB = 1_000_000;
let base = '';
let mount = '';
beforeEach(() => {
  base = mkdtempSync(join(tmpdir(), 'rescue-large-'));
  mount = join(base, 'web');
  runGit(base, ['init', '-q', '-b', 'main', 'origin']);
  writeFileSync(join(base, 'origin/file'), 'one\n');
  runGit(join(base, 'origin'), ['add', '-A']);
  runGit(join(base, 'origin'), ['commit', '-qm', 'one']);
  clone();
});
afterEach(() => {
  rmSync(base, { recursive: true, force: true });
});

function clone(): void {
  const now = { GIT_COMMITTER_DATE: undefined };
  runGit(base, ['clone', '-q', join(base, 'origin'), mount], now);
}

/**
 * Runs the program and says what it needed at most, by its own account: proc_pid_status(5). What
 * getrusage(2) says is at least what the process had that started it.
 */
function peakOf(...args: string[]): number {
  const probe = join(base, 'probe.cjs');
  const status = join(base, 'status');
  const script = `fs.writeFileSync(${JSON.stringify(status)}, fs.readFileSync('/proc/self/status'));`;
  writeFileSync(
    probe,
    `const fs = require('node:fs');\nprocess.on('exit', () => { ${script} });\n`,
  );
  const ended = spawnSync(process.execPath, ['--require', probe, PROGRAM, ...args], {
    env: { ...CLEAN_GIT_ENVIRONMENT, HOME: base },
    encoding: 'utf8',
  });
  expect(ended.status, ended.stderr).toBe(0);
  const [, kilobytes] = /^VmHWM:\s+(\d+) kB/m.exec(readFileSync(status, 'utf8')) ?? [];
  return Number(kilobytes) * 1024;
}

test(
  'a file of 80 MB, staged and in the worktree, and empty ones: byte for byte, never in memory as a whole',
  { timeout: 120_000 },
  () => {
    const out = join(base, 'out');
    writeFileSync(join(mount, 'untracked-empty'), '');
    const small = peakOf('rescue', '--out', join(base, 'small'), mount);
    writeFileSync(join(mount, 'large.bin'), randomBytes(80 * MB));
    writeFileSync(join(mount, 'staged-empty'), '');
    runGit(mount, ['-c', 'core.compression=0', 'add', 'large.bin', 'staged-empty']);
    appendFileSync(join(mount, 'large.bin'), 'and one line\n');
    const before = stateOf(mount);
    const rescue = peakOf('rescue', '--out', out, mount);
    const restoreSmall = restorePeak(join(base, 'small'));
    const restore = restorePeak(out);
    expect(stateOf(mount)).toEqual(before);
    expect(rescue - small).toBeLessThan(65 * MB);
    expect(restore - restoreSmall).toBeLessThan(50 * MB);
  },
);

/** Of a restore of the one rescue in `out` into a clone made anew. */
function restorePeak(out: string): number {
  rmSync(mount, { recursive: true });
  clone();
  return peakOf('restore', join(out, readdirSync(out)[0] ?? ''), mount);
}

/** @param change happens once, in the middle of the large file. */
async function takeWhile(change: () => void): Promise<CaptureOutcome> {
  const { signal } = new AbortController();
  let isDone = false;
  return capture({
    ...{ mount, mountPath: mount, url: 'https://git.example/acme/web', sessionId: null, signal },
    ...{ out: join(base, 'out'), includeIgnored: false, selfContained: false },
    onProgress: ({ phase, doneBytes }) => {
      if (isDone || phase === 'looking' || doneBytes < 3 * MB) return;
      isDone = true;
      change();
    },
  });
}

/** What a rescue has of a path in the end: by the manifest, and by what tar takes out of it. */
async function finallyIn(file: string, path: string): Promise<[kind: string, content: Buffer][]> {
  const { signal } = new AbortController();
  const { members } = await verifyRescue(file, { signal });
  const there = members.filter((one) => one.path === path && one.kind !== 'superseded');
  return there.map(({ kind, name }) => {
    return [kind, execFileSync('tar', ['-xzOf', file, name], { maxBuffer: 2 ** 28 })];
  });
}

const large = (): string => join(mount, 'large.bin');

test.each<[string, () => void]>([
  [
    'grows',
    () => {
      appendFileSync(large(), 'more');
    },
  ],
  [
    'shrinks',
    () => {
      truncateSync(large(), 5 * MB);
    },
  ],
  [
    'shrinks to nothing',
    () => {
      truncateSync(large(), 0);
    },
  ],
  [
    'is another one, of the same size and time',
    () => {
      const { atime, mtime } = statSync(large());
      writeFileSync(`${large()}.new`, Buffer.alloc(10 * MB, 'y'));
      renameSync(`${large()}.new`, large());
      execFileSync('touch', ['-d', mtime.toISOString(), '-a', large()]);
      expect(atime).toBeDefined();
    },
  ],
])('a large file that %s while it is copied is taken again', async (_name, change) => {
  writeFileSync(large(), Buffer.alloc(10 * MB, 'x'));
  const { file, unsettled } = await takeWhile(change);
  expect(unsettled).toEqual([]);
  const [found, ...others] = await finallyIn(file, 'large.bin');
  expect(others).toEqual([]);
  expect(found?.[0]).toBe('file');
  expect(found?.[1].equals(readFileSync(large()))).toBe(true);
});

test.each<[string, () => void, string[]]>([
  [
    'vanishes',
    () => {
      rmSync(large());
    },
    [],
  ],
  [
    'becomes a link',
    () => {
      rmSync(large());
      symlinkSync('/etc/passwd', large());
    },
    ['symlink'],
  ],
  [
    'becomes a directory',
    () => {
      rmSync(large());
      mkdirSync(large());
    },
    ['directory'],
  ],
  [
    'becomes a pipe',
    () => {
      rmSync(large());
      execFileSync('mkfifo', [large()]);
    },
    [],
  ],
])(
  'a large file that %s while it is copied is what it is at the end',
  async (_name, change, kinds) => {
    writeFileSync(large(), Buffer.alloc(10 * MB, 'x'));
    const { file, unsettled } = await takeWhile(change);
    expect(unsettled).toEqual([]);
    expect((await finallyIn(file, 'large.bin')).map(([kind]) => kind)).toEqual(kinds);
  },
);

test('files that vanish before their turn, and one that may not be read, keep nothing from being saved', async () => {
  writeFileSync(join(mount, 'a.bin'), Buffer.alloc(10 * MB, 'x'));
  for (const name of ['b.bin', 'c.bin'])
    writeFileSync(join(mount, name), Buffer.alloc(5 * MB, 'y'));
  writeFileSync(join(mount, 'small'), 'small\n');
  const { file, unsettled } = await takeWhile(() => {
    for (const name of ['b.bin', 'small']) rmSync(join(mount, name));
  });
  expect(unsettled).toEqual([]);
  expect(await finallyIn(file, 'b.bin')).toEqual([]);
  expect(await finallyIn(file, 'small')).toEqual([]);
  expect(await finallyIn(file, 'c.bin')).toHaveLength(1);

  // Root reads everything: somebody else takes this one.
  chmodSync(join(mount, 'a.bin'), 0o000);
  const out = join(base, 'nobody');
  mkdirSync(out);
  chmodSync(base, 0o755);
  for (const place of [out, mount]) execFileSync('chown', ['-R', '65534:65534', place]);
  const { stderr, status } = spawnSync(process.execPath, [PROGRAM, 'rescue', '--out', out, mount], {
    env: { ...CLEAN_GIT_ENVIRONMENT, HOME: base },
    encoding: 'utf8',
    ...(process.getuid?.() === 0 ? { uid: 65_534, gid: 65_534 } : {}),
  });
  expect(status, stderr).toBe(0);
  expect(stderr).toContain('left out: a.bin cannot be read (EACCES)');
  expect(stderr).not.toContain('went on changing');
});
