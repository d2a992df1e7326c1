import { mkdtempSync, realpathSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { restore } from '../../agent/rescue/restore.ts';
import { copyTemplate, createTemplate, runGit } from '../work/scratch-repository.ts';
import { takeStep } from '../work/steps.ts';
import { writeRescue } from './make-rescue.ts';
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
