/**
 * Watches argv[2] in a process of its own, as the daemon does, and says on each line that it is
 * asked to ("idle", "start", "usage", "rest", "full") what that cost so far; a line of JSON per answer and
 * per reading.
 */
import { readFileSync } from 'node:fs';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { createInterface } from 'node:readline';
import { createLog, Redactor } from '../../../agent/log.ts';
import { watchMount } from '../../../agent/work/watch.ts';
import type { WorkWatcher } from '../../../agent/work/watch.ts';

const worktree = process.argv[2];
if (worktree === undefined) throw new TypeError('expected a worktree');
const log = createLog({ level: 'warn', destination: process.stderr }, new Redactor());
const delay = monitorEventLoopDelay({ resolution: 5 });
let watcher: WorkWatcher | undefined;

function memoryOf(field: string): number {
  const status = readFileSync('/proc/self/status', 'utf8');
  return Number(new RegExp(`^${field}:\\s+(\\d+)`, 'm').exec(status)?.[1] ?? NaN) * 1024;
}

function say(line: Readonly<Record<string, unknown>>): void {
  process.stdout.write(`${JSON.stringify(line)}\n`);
}

async function start(): Promise<void> {
  watcher = await watchMount({
    worktree: worktree ?? '',
    log,
    onReading: ({ atRisk, watch }) => {
      say({ reading: { atRisk, watch, at: Date.now() } });
    },
    onActivity: () => undefined,
    signal: new AbortController().signal,
  });
}

async function answer(line: string): Promise<void> {
  if (line === 'start') await start();
  if (line === 'full') await watcher?.rescan();
  const { user, system } = process.cpuUsage();
  say({
    answer: line,
    at: Date.now(),
    cpuMs: (user + system) / 1000,
    rssBytes: memoryOf('VmRSS'),
    peakBytes: memoryOf('VmHWM'),
    longestTurnMs: delay.max / 1e6,
  });
  delay.reset();
  // Measuring turns takes CPU itself.
  if (line === 'rest') delay.disable();
  else delay.enable();
}

delay.enable();
createInterface({ input: process.stdin }).on('line', (line) => {
  answer(line).catch((error: unknown) => {
    console.error(error);
    process.exitCode = 1;
    process.stdin.destroy();
  });
});
