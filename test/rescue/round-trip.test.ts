/** A rescue of a real clone, the disk gone, a fresh clone, and the rescue put back. */
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  realpathSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest';
import { AgentError } from '../../agent/errors.ts';
import { capture } from '../../agent/rescue/capture.ts';
import type { CaptureContext, CaptureOutcome } from '../../agent/rescue/capture.ts';
import { restoreBeside } from '../../agent/rescue/restore-beside.ts';
import { restore } from '../../agent/rescue/restore.ts';
import type { RestoreContext, RestoreOutcome } from '../../agent/rescue/restore.ts';
import { copyTemplate, createTemplate, runGit } from '../work/scratch-repository.ts';
import type { ScratchRepository } from '../work/scratch-repository.ts';
import { stateOf } from './state.ts';

/** The index stays as it is. */
const QUIET = { GIT_OPTIONAL_LOCKS: '0' };
const { signal } = new AbortController();
let template = '';
let out = '';
let lost: ScratchRepository;

beforeAll(() => {
  template = createTemplate();
});
afterAll(() => {
  rmSync(template, { recursive: true, force: true });
});
beforeEach(() => {
  out = realpathSync(mkdtempSync(join(tmpdir(), 'round-trip-')));
  lost = copyTemplate(template);
});
afterEach(() => {
  lost.remove();
  rmSync(out, { recursive: true, force: true });
});

function take(more: Partial<CaptureContext> = {}): Promise<CaptureOutcome> {
  const { worktree: mount, base } = lost;
  return capture({
    ...{ mount, mountPath: mount, url: join(base, 'origin.git'), sessionId: null, out },
    ...{ includeIgnored: false, selfContained: false, signal },
    lsRemote: () => Promise.resolve(new Map<string, string>()),
    ...more,
  });
}

function cloneAgain(): void {
  rmSync(lost.worktree, { recursive: true, force: true });
  const now = { GIT_COMMITTER_DATE: undefined };
  runGit(lost.base, ['clone', '-q', join(lost.base, 'origin.git'), 'work'], now);
}

async function loseAndRestore(more: Partial<RestoreContext> = {}): Promise<RestoreOutcome> {
  const { file } = await take();
  cloneAgain();
  const { worktree: mount } = lost;
  return restore({ file, mount, mountPath: mount, signal, ...more });
}

const modeOf = (name: string): string => (statSync(lost.path(name)).mode & 0o777).toString(8);

test('permissions of clean files come back, those that Git does not know as well', async () => {
  chmodSync(lost.path('file0.txt'), 0o600);
  chmodSync(lost.path('docs/file0.txt'), 0o444);
  chmodSync(lost.path('run.sh'), 0o700);
  lost.write('src/file1.txt', 'changed\n');
  chmodSync(lost.path('src/file1.txt'), 0o640);
  const before = stateOf(lost.worktree);
  await loseAndRestore();
  expect(stateOf(lost.worktree)).toEqual(before);
  const names = ['file0.txt', 'docs/file0.txt', 'run.sh', 'src/file1.txt', 'src/file2.txt'];
  expect(names.map(modeOf)).toEqual(['600', '444', '700', '640', '644']);
});

test('what lies outside of the cone of a sparse index is held against the trees that it names', async () => {
  lost.write('docs/kept.log', 'committed though it is ignored\n');
  lost.git('add', '-f', 'docs/kept.log');
  lost.git('commit', '-qm', 'log');
  const same = readFileSync(lost.path('docs/file1.txt'));
  lost.git('sparse-checkout', 'set', '--cone', '--sparse-index', 'src');
  lost.write('docs/kept.log', 'changed\n');
  lost.write('docs/file1.txt', same);
  lost.write('docs/new.txt', 'new\n');
  const before = stateOf(lost.worktree);
  const { file, counts } = await take();
  expect(counts).toMatchObject({ changed_files: 1, untracked_files: 1 });
  cloneAgain();
  const { worktree: mount } = lost;
  await restore({ file, mount, mountPath: mount, signal });
  expect(stateOf(lost.worktree)).toEqual(before);
});

/** A linked worktree beside the mount, with work in it; gone with everything else. */
function besides(): string {
  const beside = join(lost.base, 'beside');
  lost.git('worktree', 'add', '-q', '-b', 'beside', beside);
  writeFileSync(join(beside, 'file0.txt'), 'changed beside\n');
  mkdirSync(join(beside, 'new'));
  writeFileSync(join(beside, 'new/untracked.txt'), 'new beside\n');
  return beside;
}

test('a linked worktree outside the mount comes back inside, and git takes it where it was', async () => {
  const beside = besides();
  const before = stateOf(lost.worktree);
  const status = runGit(beside, ['status', '--porcelain'], QUIET).toString();
  const { file } = await take();
  cloneAgain();
  rmSync(beside, { recursive: true });
  const { worktree: mount } = lost;
  const outcome = await restore({ file, mount, mountPath: mount, signal });
  expect(existsSync(beside)).toBe(false);
  const inside = lost.path('.git/mount-agent-worktrees/beside');
  expect(readFileSync(join(inside, 'file0.txt'), 'utf8')).toBe('changed beside\n');
  expect(runGit(inside, ['status', '--porcelain'], QUIET).toString()).toBe(status);
  expect(outcome.notRestored).toEqual([
    {
      what: `the place of the linked worktree ${beside}`,
      why: expect.stringContaining('.git/mount-agent-worktrees/beside') as string,
    },
  ]);

  // The next rescue knows it there as well.
  await loseAndRestore();
  lost.git('worktree', 'move', inside, beside);
  expect(stateOf(lost.worktree)).toEqual(before);
});

test('a linked worktree goes back to its place outside only when that is asked for', async () => {
  const beside = besides();
  const before = stateOf(lost.worktree);
  const { file } = await take();
  cloneAgain();
  // Somebody else's by now.
  rmSync(join(beside, '.git'));
  const { worktree: mount } = lost;
  const asked = { file, mount, mountPath: mount, signal, outsideWorktrees: true };
  await expect(restore(asked)).rejects.toMatchObject({ code: 'RESCUE_TARGET_HAS_WORK' });
  rmSync(beside, { recursive: true });
  const { notRestored } = await restore(asked);
  expect(notRestored).toEqual([]);
  expect(stateOf(lost.worktree)).toEqual(before);
});

/** Work on top of what the remote is believed to have. */
async function takeOnBases(): Promise<{ file: string; base: string }> {
  lost.git('remote', 'set-url', 'origin', 'https://git.example/acme/web');
  const base = lost.git('rev-parse', 'HEAD').trim();
  lost.write('src/committed.txt', 'committed\n');
  lost.git('add', '-A');
  lost.git('commit', '-qm', 'mine');
  lost.write('file0.txt', 'changed\n');
  lost.write('new/untracked.txt', 'untracked\n');
  rmSync(lost.path('file1.txt'));
  const url = 'https://git.example/acme/web';
  const lsRemote = () => Promise.reject(new AgentError('TRANSPORT_UNREACHABLE', 'no network'));
  const { file } = await take({ url, lsRemote });
  return { file, base };
}

test('--into gives what the file holds when nothing has the bases, and says what is missing', async () => {
  const { file, base } = await takeOnBases();
  const into = join(out, 'salvaged');
  const outcome = await restoreBeside({ file, mount: join(out, 'no-clone'), into, signal });
  const read = (name: string): string => readFileSync(join(into, name), 'utf8');
  expect(read('worktree/file0.txt')).toBe('changed\n');
  expect(read('worktree/new/untracked.txt')).toBe('untracked\n');
  // Only in a commit that was not pushed.
  expect(read('worktree/src/committed.txt')).toBe('committed\n');
  expect(read('patches/0/0001-mine.patch')).toContain('+committed');
  expect(read('git/0/HEAD')).toBe('ref: refs/heads/main\n');
  expect(
    runGit(out, ['bundle', 'list-heads', join(into, 'bundles/0.bundle')]).toString(),
  ).toContain('refs/heads/main');
  expect(outcome.missing).toContain(`the commit ${base}, which the mount builds on`);
  expect(outcome.missing.join()).toMatch(/the mount: file2.txt \([0-9a-f]{40}\)/);
  expect(outcome.missing.join()).toContain('all unchanged files in docs/');
  expect(read('worktree/empty')).toBe('');
  // It was deleted.
  expect(outcome.missing.join()).not.toContain('mount: file1.txt');
  expect(read('MISSING.txt')).toContain(base);
  expect(readdirSync(into).sort()).toEqual(
    ['MISSING.txt', 'bundles', 'git', 'patches', 'worktree'].sort(),
  );
  expect(readdirSync(out).filter((name) => name.startsWith('.'))).toEqual([]);

  // Once there is a clone that has them, it is all there.
  const clone = join(out, 'clone');
  runGit(out, ['clone', '-q', join(lost.base, 'origin.git'), clone]);
  runGit(clone, ['remote', 'set-url', 'origin', 'https://git.example/acme/web']);
  const whole = join(out, 'whole');
  expect((await restoreBeside({ file, mount: clone, into: whole, signal })).missing).toEqual([]);
  expect(runGit(whole, ['status', '--porcelain']).toString()).toBe(
    lost.git('status', '--porcelain'),
  );
});

test('a clone that has lost the bases lends what it has', async () => {
  const { file, base } = await takeOnBases();
  const clone = join(out, 'clone');
  runGit(out, ['clone', '-q', join(lost.base, 'origin.git'), clone]);
  runGit(clone, ['remote', 'set-url', 'origin', 'https://git.example/acme/web']);
  rmSync(join(clone, '.git/objects'), { recursive: true });
  mkdirSync(join(clone, '.git/objects/pack'), { recursive: true });
  const into = join(out, 'salvaged');
  const { missing } = await restoreBeside({ file, mount: clone, into, signal });
  expect(missing).toContain(`the commit ${base}, which the mount builds on`);
  expect(readFileSync(join(into, 'worktree/file0.txt'), 'utf8')).toBe('changed\n');
});

test('a self-contained rescue needs no clone: --into makes the repository', async () => {
  lost.write('file0.txt', 'changed\n');
  const { file } = await take({ selfContained: true });
  const into = join(out, 'alone');
  const outcome = await restoreBeside({ file, mount: join(out, 'no-clone'), into, signal });
  expect(outcome.missing).toEqual([]);
  expect(runGit(into, ['status', '--porcelain']).toString()).toBe(' M file0.txt\n');
  expect(runGit(into, ['log', '--format=%H']).toString()).toBe(lost.git('log', '--format=%H'));
});
