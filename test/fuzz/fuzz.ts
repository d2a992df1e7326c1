/**
 * `npm run fuzz -- --runs N [--seed S] [--kind NAME] [--first I]`: damaged inputs, judged by us and
 * by git. Ends with 1 when the two disagree; each disagreement is printed with what makes it again.
 */
import { parseArgs } from 'node:util';
import { KINDS, runKind, sharesOf } from './campaign.ts';
import type { Disagreement, Tally } from './campaign.ts';

const SHOWN_BYTES = 400;
const SHOWN_DISAGREEMENTS = 20;

const { values } = parseArgs({
  options: {
    runs: { type: 'string', default: '10000' },
    seed: { type: 'string', default: String(Date.now() % 2 ** 31) },
    kind: { type: 'string' },
    first: { type: 'string', default: '0' },
  },
});
const [runs, seed, first] = [Number(values.runs), Number(values.seed), Number(values.first)];
const chosen = KINDS.filter(({ name }) => name === values.kind);
const shares =
  values.kind === undefined ? sharesOf(runs) : chosen.map((kind) => [kind, runs] as const);

console.log(`seed ${seed}`);
const disagreements: Disagreement[] = [];
for (const [kind, count] of shares) {
  const startedMs = performance.now();
  const tally = await runKind(kind, seed, count, first, ({ runs: done }) => {
    if (process.stderr.isTTY) process.stderr.write(`\r${kind.name} ${done} `);
  });
  disagreements.push(...tally.disagreements);
  console.log(lineOf(tally, (performance.now() - startedMs) / 1000));
}
for (const each of disagreements.slice(0, SHOWN_DISAGREEMENTS)) console.log(textOf(each));
process.exitCode = disagreements.length === 0 ? 0 : 1;

function lineOf(tally: Tally, seconds: number): string {
  const { kind, runs: done, accepted, refused, stricter } = tally;
  const rules = [...stricter].map(([rule, count]) => `${count} ${rule}`);
  const stricterText = rules.length === 0 ? '' : ` (stricter: ${rules.join(', ')})`;
  const rate = Math.round(done / seconds);
  return `${kind}: ${done} runs, ${accepted} accepted, ${refused} refused${stricterText}, ${tally.disagreements.length} disagreements, ${rate}/s`;
}

function textOf({ kind, seed: own, index, verdict }: Disagreement): string {
  const hex = verdict.bytes.toString('hex', 0, SHOWN_BYTES);
  return `${kind}: --seed ${own} --first ${index} --runs 1 --kind ${kind}\n  ${verdict.how}\n  ${verdict.disagreement ?? ''}\n  ${verdict.bytes.length} bytes: ${hex}`;
}
