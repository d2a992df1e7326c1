/** A part of `npm run kill -- --all`, the same one each time. */
import { expect, it } from 'vitest';
import { killEverywhere } from './campaign.ts';
import { sampleOf } from './points.ts';
import { RESCUE, RESTORE } from './rescue-scenarios.ts';
import { CLONE, RESTART, ROTATION } from './scenarios.ts';

const SEED = 4;
const MOST_SECONDS = 300;

it.each([
  [20, CLONE.name, CLONE],
  [12, RESTART.name, RESTART],
  [10, ROTATION.name, ROTATION],
  [2, RESCUE.name, RESCUE],
  [3, RESTORE.name, RESTORE],
] as const)(
  'SIGKILL at %d points of a %s leaves nothing that the next start does not mend',
  async (count, _name, scenario) => {
    const choose = (points: Parameters<typeof sampleOf>[0]) => sampleOf(points, count, SEED);
    const { points, killed, violations } = await killEverywhere(scenario, choose);
    expect(violations).toEqual([]);
    expect(points).toBe(count);
    expect(killed).toBeGreaterThan(count / 2);
  },
  MOST_SECONDS * 1000,
);
