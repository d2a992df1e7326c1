/** What is ignored, counted in the background: git is the oracle, real directories of every kind. */
import { execFileSync } from 'node:child_process';
import { lstatSync, mkdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { IgnoredCount } from '../../agent/work/ignored-count.ts';
import { countIgnored } from '../../agent/work/ignored-walk.ts';
import { takeLedger } from '../../agent/work/ledger.ts';
import { freshRepositories } from './fresh-repositories.ts';
import { runGit } from './scratch-repository.ts';
import type { ScratchRepository } from './scratch-repository.ts';

const LIST = ['ls-files', '-z', '--others', '--ignored', '--exclude-standard'];
const DEADLINE_MS = 20_000;
const NO_LIMIT = 1e9;
const EAGER = { due: false, rest: () => Promise.resolve() };

const repositories = freshRepositories();

/** `*.log` and `build/` are ignored everywhere, `tmp*` in `src`. */
function fresh(): ScratchRepository {
  return repositories.fresh();
}

/** A repository is one file, and nobody looks at its size. */
function saidByGit({ worktree }: ScratchRepository) {
  const paths = runGit(worktree, LIST).toString('latin1').split('\0').filter(Boolean);
  const sizes = paths
    .filter((path) => !path.endsWith('/'))
    .map((path) => lstatSync(Buffer.from(`${worktree}/${path}`, 'latin1')).size);
  return { files: paths.length, bytes: sizes.reduce((sum, size) => sum + size, 0) };
}

async function counted({ worktree }: ScratchRepository) {
  const { ignored } = await takeLedger({ worktree });
  const { files, bytes, isWhole } = await countIgnored(
    { worktree, limitFiles: NO_LIMIT, pace: EAGER },
    ignored.directories,
  );
  expect(isWhole).toBe(true);
  return { files: ignored.files + files, bytes: ignored.bytes + bytes };
}

/** As `git status` shows them: directories that are ignored as a whole, and single files. */
function shownByGit({ worktree }: ScratchRepository, mode: string): string[] {
  const lines = runGit(worktree, ['status', '--porcelain=v2', '-z', `--ignored=${mode}`]);
  const ignored = lines.toString('latin1').split('\0');
  return ignored.filter((line) => /^! .*\/$/.test(line)).map((line) => line.slice(2, -1));
}

async function until(condition: () => boolean, what: string): Promise<void> {
  const deadline = Date.now() + DEADLINE_MS;
  while (!condition()) {
    if (Date.now() > deadline) throw new Error(`still not: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

function fill(repository: ScratchRepository): void {
  for (let n = 0; n < 200; n++) repository.write(`build/${n % 7}/d${n % 11}/${n}`, 'x'.repeat(n));
  repository.write('beside.log', 'beside');
  repository.write('src/tmp/one', '1');
  repository.write('docs/build/keep.log', 'below an ignored directory nothing is kept');
  // An ignored directory in which the index has a file.
  repository.write('src/deep/build/tracked', 't');
  repository.git('add', '-f', 'src/deep/build/tracked');
  repository.write('src/deep/build/beside', 'b');
  repository.write('src/deep/build/more/f', 'f');
  // Repositories, one of them without a commit, one linked; and something that only looks like one.
  runGit(repository.worktree, ['init', '-q', 'build/repository']);
  repository.write('build/repository/file', 'not counted');
  repository.git('worktree', 'add', '-q', '-b', 'linked', 'build/linked');
  runGit(repository.worktree, ['init', '-q', 'tools/build']);
  repository.write('build/no-repository/.git/junk', 'j');
  repository.write('build/no-repository/file', 'f');
  symlinkSync('../..', repository.path('build/up'));
  symlinkSync('nowhere', repository.path('build/dangling'));
  mkdirSync(repository.path('build/empty/empty'), { recursive: true });
  execFileSync('mkfifo', [repository.path('build/fifo')]);
  writeFileSync(Buffer.from(`${repository.path('build')}/\xff.bin`, 'latin1'), 'not UTF-8');
}

test('ignored files are as many as git lists, and as large, in directories that are ignored as a whole too', async () => {
  const repository = fresh();
  fill(repository);
  const said = saidByGit(repository);
  expect(said.files).toBeGreaterThan(205);
  expect(await counted(repository)).toEqual(said);
  const { ignored } = await takeLedger(repository);
  expect(ignored.directories).toEqual(shownByGit(repository, 'matching').sort());
  // This mode shows a directory in which everything is ignored instead of what is in it.
  const shown = shownByGit(repository, 'traditional').map((path) => `${path}/`);
  const own = ignored.directories.map((path) => `${path}/`);
  expect(own.every((path) => shown.some((above) => path.startsWith(above)))).toBe(true);
  expect(shown.every((above) => own.some((path) => path.startsWith(above)))).toBe(true);
  rmSync(repository.path('build/3'), { recursive: true });
  repository.write('.git/info/exclude', 'docs/\n');
  expect(await counted(repository)).toEqual(saidByGit(repository));
});

test('a directory that vanishes meanwhile, links in its place, and a limit are no surprise', async () => {
  const repository = fresh();
  const { worktree } = repository;
  fill(repository);
  let turns = 0;
  const pace = {
    due: true,
    rest: () => {
      if (++turns === 20) rmSync(repository.path('build'), { recursive: true });
      return Promise.resolve();
    },
  };
  const whole = { worktree, limitFiles: NO_LIMIT, pace };
  const sum = await countIgnored(whole, ['build', 'docs/build']);
  expect(sum.isWhole).toBe(true);
  expect(sum.files).toBeGreaterThan(0);
  expect(sum.files).toBeLessThan(200);
  symlinkSync('docs', repository.path('build'));
  expect((await countIgnored(whole, ['build'])).files).toBe(0);
  const some = await countIgnored({ ...whole, limitFiles: 3 }, ['src/deep', 'docs']);
  expect(some).toMatchObject({ files: 3, isWhole: false });
});

test('the count goes on in the background, is said to be under way, and ends without being asked', async () => {
  const repository = fresh();
  fill(repository);
  let ends = 0;
  const failures: unknown[] = [];
  using count = new IgnoredCount({
    worktree: repository.worktree,
    onCounted: () => ends++,
    onFailure: (error) => failures.push(error),
  });
  count.request([], false);
  expect([count.state, count.sum.files]).toEqual(['counted', 0]);
  const { directories } = (await takeLedger(repository)).ignored;
  count.request(directories, false);
  expect([count.state, count.sum.files]).toEqual(['counting', 0]);
  await until(() => ends === 1, 'counted');
  expect(count.state).toBe('counted');
  const first = count.sum.files;
  expect(first).toBe((await counted(repository)).files - 2);
  // Somebody relies on it: counted at once, though the directories are the same.
  repository.write('build/another', 'x');
  count.request(directories, true);
  expect(count.state).toBe('counted');
  await until(() => ends === 2, 'counted again');
  expect(count.sum.files).toBe(first + 1);
  count.request([], false);
  expect([count.state, count.sum.files]).toEqual(['counted', 0]);
  expect(failures).toEqual([]);
});
