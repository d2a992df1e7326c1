/**
 * `npm run bench:ledger`: what watching costs in a worktree of 50,000 files and 5,000 directories,
 * against `git status` in the same run. Prints the table of docs/work-at-risk.md.
 */
import { appendFileSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { measure } from '../measure.ts';
import { percentile } from '../percentile.ts';
import { createSubject, ENVIRONMENT, fileName, git } from './subject.ts';
import { bundle, WatchedProcess } from './watched-process.ts';
import type { Answer } from './watched-process.ts';

const ROUNDS = Number(process.argv[2] ?? '3');
const STORM_FILES = 30_000;
/** Longer than any debounce and pause of the watcher. */
const SETTLE_MS = 2_000;
const IDLE_MS = 3_000;
const MB = 2 ** 20;

interface Row {
  readonly what: string;
  readonly goal: string;
  readonly measured: string;
}

const base = mkdtempSync(join(tmpdir(), 'bench-ledger-'));
const worktree = join(base, 'work');
const rows: Row[] = [];
try {
  mkdirSync(worktree);
  createSubject(worktree);
  const program = await bundle(base);
  await run(program);
  for (const { what, goal, measured } of rows) console.log(`| ${what} | ${goal} | ${measured} |`);
} finally {
  rmSync(base, { recursive: true, force: true });
}

function add(what: string, goal: string, measured: string): void {
  rows.push({ what, goal, measured });
}

function median(values: readonly number[]): number {
  return percentile(values, 0.5);
}

function ms(value: number): string {
  return `${value.toFixed(value < 10 ? 1 : 0)} ms`;
}

/** One `git status`; the shell counts CPU in steps of 10 ms, so several are run. */
async function status(count: number): Promise<{ wallMs: number; cpuMs: number }> {
  const script = `for n in $(seq ${count}); do git status --porcelain >/dev/null; done`;
  const program = { argv: ['sh', '-c', script], cwd: worktree, env: ENVIRONMENT };
  const { wallMs, cpuMs } = await measure(program, 'time');
  return { wallMs: wallMs / count, cpuMs: cpuMs / count };
}

/** From disk, where this process may say so; else from memory. */
function dropCaches(): boolean {
  try {
    writeFileSync('/proc/sys/vm/drop_caches', '3');
    return true;
  } catch {
    return false;
  }
}

async function run(program: string): Promise<void> {
  await sleep(1_100); // The index is older than its files then, and git trusts it.
  const warm = await status(ROUNDS * 2);
  await start(program, warm);
  await using watched = new WatchedProcess(program, worktree);
  const idle = await watched.ask('idle');
  const started = await watched.ask('start');
  await sleep(SETTLE_MS);
  await oneFile(watched, warm);
  await branchSwitch(watched);
  await storm(watched);
  const before = await watched.ask('rest');
  await sleep(IDLE_MS);
  const after = await watched.ask('usage');
  const above = (bytes: number): string => `${((bytes - idle.rssBytes) / MB).toFixed(0)} MB`;
  add('memory above an idle daemon, settled', '≤ 60 MB', above(after.rssBytes));
  add('memory above an idle daemon, peak', '≤ 120 MB', above(after.peakBytes));
  add(
    'memory after the first ledger',
    '',
    `${above(started.rssBytes)}, peak ${above(started.peakBytes)}`,
  );
  add(`CPU in ${IDLE_MS / 1000} s without a change`, '0', ms(after.cpuMs - before.cpuMs));
  add('`git status` in the same run', '', `${ms(warm.wallMs)}, CPU ${ms(warm.cpuMs)}`);
}

/** Cold: nothing of the worktree is in memory. */
async function start(program: string, warm: { wallMs: number }): Promise<void> {
  const git: number[] = [];
  const own: { wallMs: number; answer: Answer; idle: Answer }[] = [];
  const isCold = dropCaches();
  for (let round = 0; round < ROUNDS; round++) {
    dropCaches();
    git.push((await status(1)).wallMs);
    await using watched = new WatchedProcess(program, worktree);
    const idle = await watched.ask('idle');
    dropCaches();
    // Dropping them takes a second where much is cached.
    const at = Date.now();
    const answer = await watched.ask('start');
    own.push({ wallMs: answer.at - at, answer, idle });
  }
  const wallMs = median(own.map((one) => one.wallMs));
  const cpuMs = median(own.map(({ answer, idle }) => answer.cpuMs - idle.cpuMs));
  const cold = isCold ? median(git) : warm.wallMs;
  add(
    'time to the first complete ledger, all watches in place',
    '≤ 3 × one cold `git status`',
    `${ms(wallMs)} = ${(wallMs / cold).toFixed(2)} × ${ms(cold)}, CPU ${ms(cpuMs)}, ` +
      `longest turn ${ms(median(own.map(({ answer }) => answer.longestTurnMs)))}`,
  );
}

async function oneFile(watched: WatchedProcess, warm: { cpuMs: number }): Promise<void> {
  const waits: number[] = [];
  const costs: number[] = [];
  for (let round = 0; round < ROUNDS * 2; round++) {
    const before = await watched.ask('usage');
    const path = join(worktree, fileName(round * 977));
    const seen = watched.until(({ atRisk }) => atRisk?.unstaged === round + 1);
    const at = Date.now();
    appendFileSync(path, '// changed\n');
    waits.push((await seen).at - at);
    await sleep(SETTLE_MS / 4);
    costs.push((await watched.ask('usage')).cpuMs - before.cpuMs);
  }
  add('one file changed: until a reading shows it', '≤ 300 ms', ms(median(waits)));
  const ratio = median(costs) / warm.cpuMs;
  add('the same: CPU', '≤ 0.2 × one `git status`', `${ms(median(costs))} = ${ratio.toFixed(2)} ×`);
  const seen = watched.until(({ atRisk }) => atRisk === null);
  git(worktree, ['checkout', '-q', '--', '.']);
  await seen;
  await sleep(SETTLE_MS);
}

async function branchSwitch(watched: WatchedProcess): Promise<void> {
  const waits: number[] = [];
  const costs: number[] = [];
  const turns: number[] = [];
  for (const branch of ['other', 'main']) {
    const before = await watched.ask('usage');
    git(worktree, ['checkout', '-q', branch]);
    const at = Date.now();
    await sleep(2 * SETTLE_MS);
    const { readings } = watched;
    const lastWrong = readings.findLastIndex(({ atRisk }) => atRisk !== null);
    waits.push(Math.max(0, (readings[lastWrong + 1]?.at ?? NaN) - at));
    const after = await watched.ask('usage');
    costs.push(after.cpuMs - before.cpuMs);
    turns.push(after.longestTurnMs);
  }
  add(
    'a branch of 10,000 other files: right again after git ends',
    '≤ 2 s',
    ms(Math.max(...waits)),
  );
  add('the same: CPU, longest turn', '', `${ms(median(costs))}, ${ms(Math.max(...turns))}`);
}

async function storm(watched: WatchedProcess): Promise<void> {
  const before = await watched.ask('usage');
  for (let at = 0; at < STORM_FILES; at++) {
    const directory = join(worktree, 'node_modules', `package${Math.floor(at / 30)}`);
    if (at % 30 === 0) mkdirSync(directory, { recursive: true });
    writeFileSync(join(directory, `file${at % 30}.js`), 'content');
    // The other side of the queue is read while files are written, as in life.
    if (at % 1000 === 0) await sleep(1);
  }
  await sleep(SETTLE_MS);
  const after = await watched.ask('usage');
  add(
    'a storm of 30,000 ignored files: CPU, longest turn',
    '≤ 1 s, < 100 ms',
    `${ms(after.cpuMs - before.cpuMs)}, ${ms(after.longestTurnMs)}`,
  );
  rmSync(join(worktree, 'node_modules'), { recursive: true });
  await sleep(SETTLE_MS);
}
