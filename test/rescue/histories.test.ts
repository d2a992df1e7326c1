/** A part of `npm run rescue:histories`, the same one each time. */
import { rmSync } from 'node:fs';
import fc from 'fast-check';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { createTemplate } from '../work/scratch-repository.ts';
import { anyHistory, replay } from './histories.ts';

const RUNS = 3;
const SEED = 7;

let template = '';

beforeAll(() => {
  template = createTemplate();
});
afterAll(() => {
  rmSync(template, { recursive: true, force: true });
});

it(`restore(capture(state)) is the state, and capture changes nothing, after ${RUNS} histories`, async () => {
  await fc.assert(
    fc.asyncProperty(anyHistory, async (history) => {
      expect(await replay(template, history)).toEqual([]);
    }),
    { numRuns: RUNS, seed: SEED, endOnFailure: true },
  );
}, 300_000);
