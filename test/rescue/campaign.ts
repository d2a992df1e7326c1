/**
 * `npm run rescue:histories -- [--runs N] [--seed S] [--minutes M]`: random histories of sessions, each
 * lost and restored. Ends with 1 when one did not come back as it was; says how many really ran.
 */
import { rmSync } from 'node:fs';
import { parseArgs } from 'node:util';
import fc from 'fast-check';
import { createTemplate } from '../work/scratch-repository.ts';
import { anyHistory, replay } from './histories.ts';
import type { History } from './histories.ts';

const { values } = parseArgs({
  options: {
    runs: { type: 'string', default: '100' },
    seed: { type: 'string', default: '1' },
    minutes: { type: 'string', default: '100000' },
  },
});
const until = Date.now() + Number(values.minutes) * 60_000;
const template = createTemplate();
const histories = fc.sample(anyHistory, {
  numRuns: Number(values.runs),
  seed: Number(values.seed),
});
let ran = 0;
let failures = 0;
try {
  for (const history of histories) {
    if (Date.now() > until) break;
    const wrong = await tryHistory(history);
    ran++;
    if (wrong.length === 0) continue;
    failures++;
    console.log(`history ${ran}: ${JSON.stringify(history)}`);
    for (const line of wrong.slice(0, 12)) console.log(`  ${line.slice(0, 400)}`);
  }
} finally {
  rmSync(template, { recursive: true, force: true });
}
console.log(`${ran} histories, ${failures} failures (seed ${values.seed})`);
process.exitCode = failures === 0 ? 0 : 1;

async function tryHistory(history: History): Promise<readonly string[]> {
  try {
    return await replay(template, history);
  } catch (error) {
    return [error instanceof Error ? (error.stack ?? error.message) : String(error)];
  }
}
