/** A small part of `npm run fuzz`, the same one each time. */
import { expect, it } from 'vitest';
import { runKind, sharesOf } from './campaign.ts';

const RUNS = 2000;
const SEED = 20_251_122;
/** A few seconds on a machine that does nothing else. */
const MOST_SECONDS = 120;

it.each(sharesOf(RUNS).map(([kind, runs]) => [runs, kind.name, kind] as const))(
  'git and we agree on %d damaged inputs of the kind "%s"',
  async (runs, _name, kind) => {
    const { runs: done, accepted, refused, disagreements } = await runKind(kind, SEED, runs);
    expect(disagreements.map(({ index, verdict }) => [index, verdict.disagreement])).toEqual([]);
    expect(done).toBe(runs);
    expect(accepted).toBeGreaterThan(0);
    expect(refused).toBeGreaterThan(0);
  },
  MOST_SECONDS * 1000,
);
