import { expect, it } from 'vitest';
import { Random } from '../fuzz/random.ts';
import { largerAnswers, smallAnswers } from './cut-repositories.ts';
import { CuttingHost, violationsAt } from './cuts.ts';
import type { Manner } from './cuts.ts';

const MOST_SECONDS = 120;

it(
  'a small clone whose answers are cut at every third byte is refused, and no index is written',
  async () => {
    await using host = await CuttingHost.start(smallAnswers());
    expect(await host.violationAt(host.total, 'hang up')).toContain('the clone succeeded');
    const places = Array.from({ length: Math.ceil(host.total / 3) }, (_, at): [number, Manner] => [
      at * 3,
      at % 2 === 0 ? 'end' : 'hang up',
    ]);
    expect(await violationsAt(host, places)).toEqual([]);
  },
  MOST_SECONDS * 1000,
);

it(
  'a larger clone that is cut at 40 random places is refused',
  async () => {
    const random = new Random(3);
    await using host = await CuttingHost.start(largerAnswers());
    const places = Array.from({ length: 40 }, (): [number, Manner] => [
      random.below(host.total),
      random.pick(['hang up', 'end']),
    ]);
    expect(await violationsAt(host, places)).toEqual([]);
  },
  MOST_SECONDS * 1000,
);
