/** A part of `npm run rescue:histories`, the same one each time. */
import { rmSync } from 'node:fs';
import { afterAll, beforeAll, it } from 'vitest';
import { assertHistories, historiesOfATestRun } from '../work/histories.ts';
import type { Replay } from '../work/histories.ts';
import { createTemplate } from '../work/scratch-repository.ts';
import { replayWithRescue } from './histories.ts';

const HISTORIES = historiesOfATestRun(10);
const SEED = 7;

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
