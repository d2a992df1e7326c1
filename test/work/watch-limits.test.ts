/** Limits of the system, set in namespaces and by users of their own. */
import { spawn, spawnSync } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import {
  chmodSync,
  chownSync,
  cpSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
} from 'node:fs';
import { join, resolve } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { toBytePath } from '../../agent/repository/byte-path.ts';
import { listGitDirectories } from '../../agent/repository/git-directories.ts';
import { statOrUndefined } from '../../agent/repository/repository.ts';
import type { AtRisk } from '../../agent/status.ts';
import type { WatchReport } from '../../agent/watch-report.ts';
import type { ExpectedRisk } from './git-answers.ts';
import { copyTemplate, createTemplate } from './scratch-repository.ts';

const CHILD = join(import.meta.dirname, 'watch-in-child.ts');
/** On a machine that does much else a look at everything takes long, and is rare for that. */
const DEADLINE_MS = 90_000;
const UNPRIVILEGED = 65_534;

interface Line {
  readonly atRisk?: AtRisk | null;
  readonly live?: boolean;
  readonly watch?: WatchReport;
  readonly activity?: boolean;
}

function lastRisk(lines: readonly Line[]): AtRisk | null | undefined {
  return lines.findLast(({ atRisk }) => atRisk !== undefined)?.atRisk;
}

let template = '';
const children: ChildProcess[] = [];
const bases: string[] = [];

beforeAll(() => {
  template = createTemplate();
});
afterAll(() => {
  rmSync(template, { recursive: true, force: true });
});
afterEach(() => {
  for (const child of children.splice(0)) child.kill('SIGKILL');
  for (const base of bases.splice(0)) rmSync(base, { recursive: true, force: true });
});

function fresh() {
  const repository = copyTemplate(template);
  bases.push(repository.base);
  return repository;
}

/** Starts the child behind `prefix`, which sets the limits and executes it. */
function watchBehind(prefix: readonly string[], worktree: string) {
  const whole = [...prefix, process.execPath, '--import', 'tsx', CHILD, worktree];
  const child = spawn(whole[0] ?? '', whole.slice(1), { stdio: ['ignore', 'pipe', 'pipe'] });
  children.push(child);
  let output = '';
  let errors = '';
  child.stdout.on('data', (chunk: Buffer) => (output += chunk.toString()));
  child.stderr.on('data', (chunk: Buffer) => (errors += chunk.toString()));
  const lines = (): Line[] =>
    output
      .split('\n')
      .slice(0, -1)
      .map((line) => JSON.parse(line) as Line);
  const until = async (condition: (lines: Line[]) => boolean, what: string): Promise<void> => {
    const deadline = Date.now() + DEADLINE_MS;
    while (!condition(lines())) {
      if (Date.now() > deadline) throw new Error(`still not: ${what}\n${output}\n${errors}`);
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  };
  return { child, until, lines, log: () => errors };
}

const SETS_THE_LIMIT = 'echo "$0" > /proc/sys/user/max_inotify_watches && exec "$@"';
const limitedTo = (watches: number): string[] => {
  return ['unshare', '-Ur', 'sh', '-c', SETS_THE_LIMIT, `${watches}`];
};
const trial = [...limitedTo(10), 'true'];
const canLimit = spawnSync(trial[0] ?? '', trial.slice(1)).status === 0;

/** Inodes of the directories that the process watches. */
function watchedInodes(pid: number | undefined): Set<number> {
  const place = `/proc/${pid ?? 0}/fdinfo`;
  const texts = readdirSync(place).map(
    (fd) => statOrUndefined(() => readFileSync(join(place, fd), 'latin1')) ?? '',
  );
  const found = texts.join('').matchAll(/^inotify wd:\S+ ino:([0-9a-f]+)/gm);
  return new Set([...found].map(([, hex = '']) => Number.parseInt(hex, 16)));
}

test.runIf(canLimit).each([
  [10, 30],
  [100, 400],
])(
  'with %i inotify watches changes in any of %i directories are still found, and the log says what to raise',
  async (watches, directories) => {
    const repository = fresh();
    for (let n = 0; n < directories; n++) repository.write(`many/${n % 7}/${n}/file`, 'x');
    repository.git('add', '-A');
    repository.git('commit', '-qm', 'many directories');
    const watch = watchBehind(limitedTo(watches), repository.worktree);
    const isWatched = (...names: string[]): boolean => {
      const inodes = watchedInodes(watch.child.pid);
      return names.every((name) => inodes.has(statSync(resolve(repository.worktree, name)).ino));
    };
    await watch.until((lines) => lines.some(({ live }) => live === false), 'the limit');
    expect(watch.log()).toContain('fs.inotify.max_user_watches');
    const report = watch.lines().find(({ live }) => live === false)?.watch;
    expect(report?.directories).toBe(watches);
    expect(report?.unwatched).toBeGreaterThan(directories - watches);
    expect(report?.remedy).toContain('max_user_watches');
    const gitDirectories = listGitDirectories(toBytePath(repository.path('.git')));
    const wanted = gitDirectories.length < watches ? gitDirectories : [];
    expect(isWatched(...wanted)).toBe(true);
    const changed = [1, 2, 3].map(
      (back) => `many/${(directories - back) % 7}/${directories - back}`,
    );
    for (const name of changed) repository.write(`${name}/file`, 'changed');
    await watch.until((lines) => lastRisk(lines)?.unstaged === changed.length, 'edits');
    // Of ten watches the Git directory takes all.
    const preferred = watches < gitDirectories.length + changed.length ? [] : changed;
    await watch.until(() => isWatched(...preferred), 'watches where something changed');
    expect(isWatched(...wanted)).toBe(true);
    await watch.until((lines) => lines.some(({ activity }) => activity === true), 'activity');
    repository.git('commit', '-qam', 'more');
    await watch.until(
      (lines) => lastRisk(lines)?.unstaged === 0 && lastRisk(lines)?.unpushed_commits === 2,
      'a commit',
    );
    rmSync(repository.path('many/0'), { recursive: true });
    repository.write('many/1/1/new/deeper/file', 'x');
    const expected = repository.expectedRisk();
    await watch.until(
      (lines) => isDeepStrictEqual(counts(lastRisk(lines)), counts(expected)),
      `what git says: ${JSON.stringify(expected)}`,
    );
  },
  300_000,
);

function counts(risk: Partial<AtRisk> | ExpectedRisk | null | undefined) {
  const { staged, unstaged, untracked, untracked_bytes, unpushed_commits, paths_total } =
    risk ?? {};
  return { staged, unstaged, untracked, untracked_bytes, unpushed_commits, paths_total };
}

test('what happened when the queue of events was full is seen all the same, and watched from then on', async () => {
  const repository = fresh();
  const watch = watchBehind([], repository.worktree);
  await watch.until((lines) => lastRisk(lines) === null, 'a first reading');
  watch.child.kill('SIGSTOP');
  const limit = Number(readFileSync('/proc/sys/fs/inotify/max_queued_events', 'latin1'));
  // Two events each, and none of them like the one before.
  for (let n = 0; n < limit / 2; n++) repository.write(`${n}.log`, 'ignored');
  repository.write('docs/file1.txt', 'edited');
  renameSync(repository.path('src'), repository.path('.git/src'));
  cpSync(repository.path('.git/src'), repository.path('src'), { recursive: true });
  repository.git('commit', '-q', '--allow-empty', '-m', 'mine');
  watch.child.kill('SIGCONT');
  await watch.until(
    (lines) => lastRisk(lines)?.unstaged === 1 && lastRisk(lines)?.unpushed_commits === 1,
    'an edit and a commit of which no event tells',
  );
  repository.write('src/deep/new.txt', 'new');
  await watch.until((lines) => lastRisk(lines)?.untracked === 1, 'a file in the other directory');
}, 120_000);

const canDrop = process.getuid?.() === 0 && spawnSync('setpriv', ['--version']).status === 0;
const dropped = ['setpriv', `--reuid=${UNPRIVILEGED}`, `--regid=${UNPRIVILEGED}`, '--clear-groups'];

test.runIf(canDrop || process.getuid?.() !== 0)(
  'what cannot be read is unknown, with the reason, and counts as at risk',
  async () => {
    const repository = fresh();
    chmodSync(repository.base, 0o755);
    chmodSync(repository.path('docs'), 0o000);
    const prefix = canDrop ? dropped : [];
    const watch = watchBehind(prefix, repository.worktree);
    await watch.until(
      (lines) => lines.some(({ atRisk }) => /docs.*EACCES/.test(atRisk?.unknown ?? '')),
      'a directory that cannot be read',
    );
    chmodSync(repository.path('docs'), 0o755);
    await watch.until((lines) => lastRisk(lines) === null, 'the directory readable again');
    if (canDrop) chownSync(repository.path('.git/index'), 0, 0);
    chmodSync(repository.path('.git/index'), 0o000);
    await watch.until(
      (lines) => /index/.test(lastRisk(lines)?.unknown ?? ''),
      'an index that cannot be read',
    );
  },
  120_000,
);
