/**
 * `npm run cuts -- [--points N] [--seed S]`: the answers of a small clone cut at every byte, both
 * ways, and those of a larger one at N random places. Ends with 1 when a clone was not refused.
 */
import { parseArgs } from 'node:util';
import { Random } from '../fuzz/random.ts';
import { largerAnswers, smallAnswers } from './cut-repositories.ts';
import { CuttingHost, violationsAt } from './cuts.ts';
import type { Answers, Manner } from './cuts.ts';

const { values } = parseArgs({
  options: {
    points: { type: 'string', default: '2000' },
    seed: { type: 'string', default: '1' },
  },
});
const random = new Random(Number(values.seed));

await cut('small clone', smallAnswers(), (total) =>
  Array.from({ length: total }, (_, at): [number, Manner][] => [
    [at, 'hang up'],
    [at, 'end'],
  ]).flat(),
);
await cut('larger clone', largerAnswers(), (total) =>
  Array.from({ length: Number(values.points) }, (): [number, Manner] => [
    random.below(total),
    random.pick(['hang up', 'end']),
  ]),
);

async function cut(
  what: string,
  answers: Answers,
  choose: (total: number) => [number, Manner][],
): Promise<void> {
  await using host = await CuttingHost.start(answers);
  const places = choose(host.total);
  const violations = await violationsAt(host, places);
  console.log(
    `${what} of ${host.total} bytes: cut at ${places.length} places, ${violations.length} violations`,
  );
  for (const violation of violations.slice(0, 20)) console.log(`  ${violation}`);
  if (violations.length > 0) process.exitCode = 1;
}
