import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  appendFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { capture } from '../../agent/rescue/capture.ts';
import type { CaptureOutcome } from '../../agent/rescue/capture.ts';
import { verifyRescue } from '../../agent/rescue/verify.ts';
import { PROGRAM } from '../end-to-end/session.ts';
import { failingAt, killingAt, pointsIn, sampleOf, traceTo } from '../kill/points.ts';
import { runGit } from '../work/scratch-repository.ts';

let base = '';
let mount = '';
beforeEach(() => {
  base = mkdtempSync(join(tmpdir(), 'rescue-interrupted-'));
  mount = join(base, 'web');
  runGit(base, ['init', '-q', '-b', 'main', mount]);
  for (let n = 0; n < 5; n++) writeFileSync(join(mount, `file${n}`), `${n}\n`.repeat(2000));
  runGit(mount, ['add', '-A']);
  runGit(mount, ['commit', '-qm', 'one']);
  writeFileSync(join(mount, 'untracked'), Buffer.alloc(300_000, 'x'));
});
afterEach(() => {
  rmSync(base, { recursive: true, force: true });
});

async function take(onProgress: () => void = () => undefined): Promise<CaptureOutcome> {
  const { signal } = new AbortController();
  return capture({
    mount,
    url: 'https://git.example/acme/web',
    sessionId: null,
    mountPath: mount,
    out: join(base, 'out'),
    includeIgnored: false,
    selfContained: false,
    signal,
    onProgress,
  });
}

function text(file: string, member: string): string {
  return execFileSync('tar', ['-xzOf', file, member]).toString();
}

test('what changes while it is taken is taken again: a file, and a commit', async () => {
  let step = 0;
  const { file, unsettled } = await take(() => {
    step++;
    if (step === 4) writeFileSync(join(mount, 'untracked'), 'later\n');
    if (step === 5) appendFileSync(join(mount, 'new while it is taken'), 'new\n');
  });
  expect(unsettled).toEqual([]);
  const manifest = await verifyRescue(file, { signal: new AbortController().signal });
  const last = manifest.members.filter(({ kind, path }) => kind === 'file' && path === 'untracked');
  expect(last).toHaveLength(1);
  expect(text(file, last[0]?.name ?? '')).toBe('later\n');
  expect(manifest.members.map(({ path }) => path)).toContain('new while it is taken');
  let isCommitted = false;
  const second = await take(() => {
    if (isCommitted) return;
    isCommitted = true;
    runGit(mount, ['commit', '-qam', 'while it is taken', '--allow-empty']);
  });
  const head = runGit(mount, ['rev-parse', 'HEAD']).toString().trim();
  const { rescue } = await verifyRescue(second.file, { signal: new AbortController().signal });
  expect(rescue.head.oid).toBe(head);
});

test('what never holds still is said, and the rescue is whole all the same', async () => {
  let count = 0;
  const { file, unsettled } = await take(() => {
    writeFileSync(join(mount, 'restless'), String(count++));
  });
  expect(unsettled.join()).toContain('restless');
  await verifyRescue(file, { signal: new AbortController().signal });
});

test('a busy writer does not keep a rescue from being whole', async () => {
  const script = 'n=0; while :; do n=$((n+1)); echo $n > busy; git add -A; git commit -qm $n; done';
  const env = {
    ...process.env,
    GIT_AUTHOR_NAME: 'A',
    GIT_AUTHOR_EMAIL: 'a',
    GIT_COMMITTER_NAME: 'A',
    GIT_COMMITTER_EMAIL: 'a',
  };
  const writer = spawn('sh', ['-c', script], { cwd: mount, env, stdio: 'ignore', detached: true });
  try {
    while (!existsSync(join(mount, 'busy'))) await sleep(10);
    const { file } = await take();
    const manifest = await verifyRescue(file, { signal: new AbortController().signal });
    const saved = join(base, 'saved');
    mkdirSync(saved);
    execFileSync('tar', ['-xzf', file, '-C', saved]);
    // Refs and objects are of one moment, whatever the worktree did.
    runGit(base, ['init', '-q', '--bare', 'bare']);
    const bundle = join(saved, manifest.repositories[0]?.bundle ?? '');
    runGit(join(base, 'bare'), ['fetch', '-q', bundle, '+refs/*:refs/rescued/*']);
    const ref = join(saved, 'repositories/0/git/refs/heads/main');
    const kept = runGit(join(base, 'bare'), ['rev-parse', 'refs/rescued/heads/main']).toString();
    expect(kept).toBe(readFileSync(ref, 'utf8'));
  } finally {
    if (writer.pid !== undefined) process.kill(-writer.pid, 'SIGKILL');
    await once(writer, 'close');
  }
});

test('killed or out of space at some call, it leaves no file that passes for a rescue, and the last one', async () => {
  const { file: good } = await take();
  const before = readFileSync(good);
  const out = join(base, 'out');
  const run = async (prefix: readonly string[]): Promise<void> => {
    const [program, ...args] = [
      ...prefix,
      process.execPath,
      PROGRAM,
      'rescue',
      '--out',
      out,
      mount,
    ];
    const child = spawn(program, args, {
      env: { PATH: process.env['PATH'], HOME: base, UV_THREADPOOL_SIZE: '1' },
      stdio: 'ignore',
    });
    await once(child, 'close');
  };
  const trace = join(base, 'trace');
  await run(traceTo(trace));
  const points = sampleOf(pointsIn(trace), 4, 1);
  for (const point of points) {
    for (const disturbance of [killingAt, failingAt('ENOSPC')]) {
      await run(disturbance(point));
      for (const name of readdirSync(out)) {
        // What was left half-way does not have the name of a rescue.
        if (!name.startsWith('.')) {
          await verifyRescue(join(out, name), { signal: new AbortController().signal });
        }
      }
    }
  }
  expect(readFileSync(good).equals(before)).toBe(true);
});
