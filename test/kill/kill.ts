/**
 * `npm run kill -- [--all [--part K/N] | --points N] [--scenario NAME] [--seed S] [--error ERRNO]`:
 * SIGKILL at calls that change the disk, or one such call that fails, a new start, and the invariants.
 * Ends with 1 when one did not hold.
 */
import { parseArgs } from 'node:util';
import { killEverywhere } from './campaign.ts';
import { failingAt, killingAt, sampleOf } from './points.ts';
import { RESCUE, RESTORE } from './rescue-scenarios.ts';
import { SCENARIOS } from './scenarios.ts';

const { values } = parseArgs({
  options: {
    all: { type: 'boolean', default: false },
    part: { type: 'string', default: '1/1' },
    points: { type: 'string', default: '50' },
    scenario: { type: 'string' },
    seed: { type: 'string', default: '1' },
    error: { type: 'string' },
  },
});
const disturbance = values.error === undefined ? killingAt : failingAt(values.error);
const [part = 1, parts = 1] = values.part.split('/').map(Number);
let violations = 0;
for (const scenario of [...SCENARIOS, RESCUE, RESTORE]) {
  if (values.scenario !== undefined && values.scenario !== scenario.name) continue;
  const tally = await killEverywhere(
    scenario,
    (all) => {
      if (!values.all) return sampleOf(all, Number(values.points), Number(values.seed));
      return all.filter((_, at) => at % parts === part - 1);
    },
    ({ points, killed }) => {
      if (process.stderr.isTTY) process.stderr.write(`\r${scenario.name} ${points} (${killed}) `);
    },
    disturbance,
  );
  violations += tally.violations.length;
  console.log(
    `${scenario.name}: ${tally.points} points, ${tally.killed} ${values.error === undefined ? 'killed' : 'failed'}, ${tally.changing} at a change of the disk, ${tally.violations.length} violations`,
  );
  for (const violation of tally.violations.slice(0, 20)) console.log(`  ${violation}`);
}
process.exitCode = violations === 0 ? 0 : 1;
