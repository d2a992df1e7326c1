/** A rescue of a real clone, the disk gone, a fresh clone, and the rescue put back. */
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  realpathSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest';
import { capture } from '../../agent/rescue/capture.ts';
import type { CaptureOutcome } from '../../agent/rescue/capture.ts';
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

function take(): Promise<CaptureOutcome> {
  const { worktree: mount, base } = lost;
  return capture({
    ...{ mount, mountPath: mount, url: join(base, 'origin.git'), sessionId: null, out },
    ...{ includeIgnored: false, selfContained: false, signal },
    lsRemote: () => Promise.resolve(new Map<string, string>()),
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
