/**
 * `npm run soak -- [--minutes N] [--seed S] [--repositories N] [--json FILE]`: the daemon in a fleet's
 * weather, see soak-run.ts. Prints a table, writes the figures as JSON with the daemon's log beside
 * them, and ends with 1 when an invariant did not hold.
 */
import { copyFileSync, mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { tmpdir } from 'node:os';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { freePort } from '../demo/stage.ts';
import { reportOn, tableOf } from './report.ts';
import type { SoakReport } from './report.ts';
import { Soak } from './soak-run.ts';
import { SoakStage } from './stage.ts';

const { values } = parseArgs({
  options: {
    minutes: { type: 'string', default: '10' },
    seed: { type: 'string', default: '1' },
    repositories: { type: 'string', default: '10' },
    json: {
      type: 'string',
      default: fileURLToPath(new URL('../../.cache/soak.json', import.meta.url)),
    },
  },
});
const seed = Number(values.seed);

async function main(): Promise<number> {
  await using stage = await SoakStage.open(Number(values.repositories));
  await using soak = new Soak({
    stage,
    port: await freePort(),
    seed,
    minutes: Number(values.minutes),
    keepIn: join(tmpdir(), `soak-finding-${seed}`),
    onViolation: ({ minute, round, invariant, words }) => {
      console.error(`minute ${minute.toFixed(1)}, round ${round}: ${invariant}: ${words}`);
    },
    onRound: (soak) => {
      const { minute, rounds, users, daemon, violations } = soak;
      const done = `${users.counts.steps} steps, ${daemon.starts} starts`;
      console.error(
        `minute ${minute.toFixed(1)}, round ${rounds}: ${done}, ${violations.length} violations`,
      );
      write(soak, false);
    },
  });
  await soak.run();
  const report = write(soak, true);
  copyFileSync(soak.daemon.logPath, `${values.json}.log`);
  console.log(tableOf(report));
  return report.violations.length === 0 ? 0 : 1;
}

/** After each round as well: a soak that is ended from outside has said what it had found. */
function write(soak: Soak, isEnd: boolean): SoakReport {
  const report = reportOn(soak, seed, isEnd);
  mkdirSync(dirname(values.json), { recursive: true });
  writeFileSync(values.json, `${JSON.stringify(report, null, 2)}\n`);
  return report;
}

process.exitCode = await main();
process.exit();
