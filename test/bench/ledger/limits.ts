/**
 * `npm run bench:limits -- [--directories N] [--watches N] [--under DIR]`: a worktree of very many
 * directories, once with all watches that the system gives and once with few (in a user namespace of
 * its own). Prints time and CPU of the first ledger, memory, the longest turn of the event loop, what
 * is watched, when an edit is seen, and the share of a core while nothing changes.
 */
import { spawnSync } from 'node:child_process';
import { appendFileSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { git } from './subject.ts';
import { bundle, WatchedProcess } from './watched-process.ts';

const { values } = parseArgs({
  options: {
    directories: { type: 'string', default: '200000' },
    watches: { type: 'string', default: '100' },
    under: { type: 'string', default: tmpdir() },
    seconds: { type: 'string', default: '20' },
  },
});
const DIRECTORIES = Number(values.directories);
const SETS_THE_LIMIT = 'echo "$0" > /proc/sys/user/max_inotify_watches && exec "$@"';

function fileName(at: number): string {
  return `p${at % 400}/d${Math.floor(at / 400)}/file.ts`;
}

function createSubject(worktree: string): void {
  mkdirSync(worktree);
  git(worktree, ['init', '-q', '-b', 'main']);
  const stream = ['commit refs/heads/main\ncommitter A <a@example.com> 1700000000 +0000\ndata 0\n'];
  for (let at = 0; at < DIRECTORIES; at++) {
    stream.push(`M 100644 inline ${fileName(at)}\ndata 6\n${String(at).padStart(6, '0')}\n`);
  }
  git(worktree, ['fast-import', '--quiet'], stream.join(''));
  git(worktree, ['update-ref', 'refs/remotes/origin/main', 'main']);
  git(worktree, ['reset', '-q', '--hard']);
}

async function measure(program: string, worktree: string, watches: string | null): Promise<void> {
  const prefix = watches === null ? [] : ['unshare', '-Ur', 'sh', '-c', SETS_THE_LIMIT, watches];
  await using watched = new WatchedProcess(program, worktree, prefix);
  const idle = await watched.ask('idle');
  const started = await watched.ask('start');
  const { watch } = watched.readings[0]!;
  const show = (what: string, value: string): void => {
    console.log(`  ${what.padEnd(42)} ${value}`);
  };
  console.log(watches === null ? 'as many watches as there are' : `${watches} watches`);
  show('watched, unwatched directories', `${watch.directories}, ${watch.unwatched}`);
  show('first ledger: time, CPU', `${ms(started.at - idle.at)}, ${ms(started.cpuMs - idle.cpuMs)}`);
  show('longest turn of the event loop', ms(started.longestTurnMs));
  const memory = [started.rssBytes, started.peakBytes].map((bytes) => mb(bytes - idle.rssBytes));
  show('memory above an idle daemon, at the peak', memory.join(', '));
  const rest = await watched.ask('rest');
  const from = watched.readings.length;
  await new Promise((resolve) => setTimeout(resolve, Number(values.seconds) * 1000));
  const rested = await watched.ask('rest');
  const share = (rested.cpuMs - rest.cpuMs) / (rested.at - rest.at);
  const scans = `${watched.readings.length - from} readings in ${values.seconds} s`;
  show('CPU without changes, of one core', `${(share * 100).toFixed(1)} % (${scans})`);
  const edited = Date.now();
  appendFileSync(join(worktree, fileName(DIRECTORIES - 1)), 'edited\n');
  const reading = await watched.until(({ atRisk }) => atRisk?.unstaged === 1, 1_200_000);
  show(
    'an edit is seen after; that reading took',
    `${ms(reading.at - edited)}, ${ms(reading.watch.scan_ms)}`,
  );
  git(worktree, ['checkout', '-q', '.']);
}

function ms(value: number): string {
  return `${Math.round(value)} ms`;
}

function mb(bytes: number): string {
  return `${Math.round(bytes / 2 ** 20)} MB`;
}

const base = mkdtempSync(join(values.under, 'limits-'));
try {
  const worktree = join(base, 'work');
  createSubject(worktree);
  const program = await bundle(base);
  const status = spawnSync('git', ['status', '--porcelain'], { cwd: worktree });
  if (status.status !== 0) throw new Error('git status failed');
  console.log(`${DIRECTORIES} directories with a file each`);
  await measure(program, worktree, null);
  await measure(program, worktree, values.watches);
} finally {
  rmSync(base, { recursive: true });
}
