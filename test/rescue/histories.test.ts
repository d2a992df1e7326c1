/** A part of `npm run rescue:histories`, the same one each time. */
import { rmSync } from 'node:fs';
import { afterAll, beforeAll, it } from 'vitest';
import { assertHistories, historiesOfATestRun } from '../work/histories.ts';
import type { History, Replay } from '../work/histories.ts';
import { createTemplate } from '../work/scratch-repository.ts';
import { replayWithRescue } from './histories.ts';

const HISTORIES = historiesOfATestRun(10);
const SEED = 7;

/** That a campaign once found something wrong with. */
const FOUND: Readonly<Record<string, History>> = {
  'directories that git does not know the permissions of': [
    ['permissions of directories', 0],
    ['linked worktree with work in it', 0],
  ],
  'a sparse index without a HEAD to hold it against': [
    ['orphan branch', 0],
    ['sparse checkout', 10],
  ],
};

let template = '';

beforeAll(() => {
  template = createTemplate();
});
afterAll(() => {
  rmSync(template, { recursive: true, force: true });
});

it(
  `restore(capture(state)) is the state, and capture changes nothing, after ${HISTORIES} histories`,
  async () => {
    const replay: Replay = (history) => replayWithRescue(template, history);
    await assertHistories(replay, HISTORIES, SEED);
  },
  300_000 + HISTORIES * 10_000,
);

it.each(Object.entries(FOUND))(
  'restore(capture(state)) is the state: %s',
  async (_name, history) => {
    await replayWithRescue(template, history);
  },
);
