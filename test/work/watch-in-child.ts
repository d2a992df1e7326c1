/** Watches argv[2] in a process of its own, under limits that its parent set; a reading a line. */
import { createLog, Redactor } from '../../agent/log.ts';
import { watchMount } from '../../agent/work/watch.ts';

const worktree = process.argv[2];
if (worktree === undefined) throw new TypeError('expected a worktree');
const signal = new AbortController().signal;
await watchMount({
  worktree,
  log: createLog({ level: 'info', destination: process.stderr }, new Redactor()),
  onReading: ({ atRisk, watch }) => {
    process.stdout.write(`${JSON.stringify({ atRisk, live: watch.unwatched === 0, watch })}\n`);
  },
  onActivity: () => {
    process.stdout.write('{"activity":true}\n');
  },
  signal,
});
// The interval's timer does not keep a process alive, nor would watches that could not be had.
setInterval(() => undefined, 60_000);
