import {
  existsSync,
  mkdtempSync,
  readFileSync,
  realpathSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { restoreBeside } from '../../agent/rescue/restore-beside.ts';
import { restore } from '../../agent/rescue/restore.ts';
import { copyTemplate, createTemplate, runGit } from '../work/scratch-repository.ts';
import type { ScratchRepository } from '../work/scratch-repository.ts';
import { takeStep } from '../work/steps.ts';
import { member, writeRescue } from './make-rescue.ts';
import { scriptedCapture } from './scripted-capture.ts';
import { stateOf } from './state.ts';

let template = '';
let base = '';

beforeAll(() => {
  template = createTemplate();
  base = realpathSync(mkdtempSync(join(tmpdir(), 'restore-')));
});
afterAll(() => {
  rmSync(template, { recursive: true, force: true });
  rmSync(base, { recursive: true, force: true });
});

const HISTORIES: readonly (readonly string[])[] = [
  ['rebase stopped'],
  ['edit', 'new file', 'stash with untracked', 'stash', 'commit', 'edit, add, edit', 'chmod'],
  ['directory becomes a file', 'file becomes a directory', 'symlink changed', 'rm of a file'],
  ['merge conflict', 'empty directories', 'bisect'],
  ['packed refs', 'amend', 'detached commit', 'split index', 'info/exclude'],
];

it.each(HISTORIES.map((steps) => [steps.join(', '), steps] as const))(
  'a fresh clone is as the lost one was after: %s',
  async (_name, steps) => {
    const lost = copyTemplate(template);
    try {
      for (const [at, step] of steps.entries()) takeStep(lost, step, at);
      const file = join(base, 'one.rescue.tar.gz');
      await writeRescue(file, scriptedCapture(lost.worktree));
      const before = stateOf(lost.worktree);
      rmSync(lost.worktree, { recursive: true });
      // At the time that it really is, as the tags that came with it are told by that.
      const now = { GIT_COMMITTER_DATE: undefined };
      runGit(lost.base, ['clone', '-q', join(lost.base, 'origin.git'), 'work'], now);
      const { signal } = new AbortController();
      const mount = lost.worktree;
      const outcome = await restore({ file, mount, mountPath: mount, signal });
      expect(stateOf(mount)).toEqual(before);
      expect(outcome.lost).toEqual([]);
    } finally {
      lost.remove();
    }
  },
);

describe('restore()', () => {
  let lost: ScratchRepository;
  let file = '';
  let mount = '';
  const { signal } = new AbortController();

  beforeAll(async () => {
    lost = copyTemplate(template);
    for (const step of ['edit', 'new file', 'commit', 'stash']) takeStep(lost, step, 1);
    file = join(base, 'two.rescue.tar.gz');
    await writeRescue(file, scriptedCapture(lost.worktree));
    mount = join(base, 'clone');
    const now = { GIT_COMMITTER_DATE: undefined };
    runGit(base, ['clone', '-q', join(lost.base, 'origin.git'), 'clone'], now);
  });
  afterAll(() => {
    lost.remove();
  });

  it('refuses a clone with work of its own and names it; beside it, the work comes back', async () => {
    writeFileSync(join(mount, 'mine.txt'), 'mine');
    const failure = restore({ file, mount, mountPath: mount, signal });
    await expect(failure).rejects.toMatchObject({ code: 'RESCUE_TARGET_HAS_WORK', exit: 69 });
    await expect(failure).rejects.toThrow('"mine.txt"');
    const into = join(base, 'beside');
    await restoreBeside({ file, mount, into, signal });
    const theirs = stateOf(into).filter((line) => !line.startsWith('. config'));
    expect(theirs).toEqual(
      stateOf(lost.worktree).map((line) => line.replaceAll(lost.worktree, into)),
    );
    expect(readFileSync(join(mount, 'mine.txt'), 'utf8')).toBe('mine');
    const again = restoreBeside({ file, mount, into, signal });
    await expect(again).rejects.toMatchObject({ code: 'RESCUE_TARGET_HAS_WORK' });
    rmSync(join(mount, 'mine.txt'));
  });

  it('leaves ignored files alone, and refuses rather than replace one', async () => {
    writeFileSync(join(mount, 'mine.log'), 'ignored');
    const rescue = scriptedCapture(lost.worktree);
    const other = join(base, 'three.rescue.tar.gz');
    await writeRescue(other, {
      ...rescue,
      members: [
        ...rescue.members,
        member('mine.log', 'theirs', { kind: 'file', repository: 0, path: 'mine.log' }),
      ],
    });
    const failure = restore({ file: other, mount, mountPath: mount, signal });
    await expect(failure).rejects.toMatchObject({ code: 'RESCUE_TARGET_HAS_WORK' });
    await restore({ file, mount, mountPath: mount, signal });
    expect(readFileSync(join(mount, 'mine.log'), 'utf8')).toBe('ignored');
    rmSync(join(mount, 'mine.log'));
    expect(stateOf(mount)).toEqual(
      stateOf(lost.worktree).map((line) => line.replaceAll(lost.worktree, mount)),
    );
    expect(existsSync(join(mount, '.git/mount-agent-restore.json'))).toBe(false);
  });
});
