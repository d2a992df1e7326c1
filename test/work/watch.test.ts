import { mkdirSync, renameSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Writable } from 'node:stream';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { Redactor, createLog } from '../../agent/log.ts';
import { watchMount } from '../../agent/work/watch.ts';
import type { WorkReading, WorkWatcher } from '../../agent/work/watch.ts';
import { copyTemplate, createTemplate, runGit } from './scratch-repository.ts';
import type { ScratchRepository } from './scratch-repository.ts';

const DEADLINE_MS = 15_000;

let template = '';
const open: { repository: ScratchRepository; watcher: WorkWatcher; stop: AbortController }[] = [];

beforeAll(() => {
  template = createTemplate();
});
afterAll(() => {
  rmSync(template, { recursive: true, force: true });
});
afterEach(async () => {
  for (const { repository, watcher } of open.splice(0)) {
    await watcher[Symbol.asyncDispose]();
    repository.remove();
  }
});

async function watched(prepare?: (repository: ScratchRepository) => void) {
  const repository = copyTemplate(template);
  prepare?.(repository);
  const readings: WorkReading[] = [];
  const activity: Date[] = [];
  let lines = '';
  const destination = new Writable({
    write: (chunk: Buffer, _encoding, done) => {
      lines += chunk.toString();
      done();
    },
  });
  const stop = new AbortController();
  const watcher = await watchMount({
    worktree: repository.worktree,
    clonedTags: repository.clonedTags,
    log: createLog({ level: 'debug', destination }, new Redactor()),
    debounceMs: 20,
    onReading: (reading) => readings.push(reading),
    onActivity: (at) => activity.push(at),
    signal: stop.signal,
  });
  open.push({ repository, watcher, stop });
  const last = () => readings.at(-1);
  return { repository, watcher, stop, readings, activity, last, log: () => lines };
}

/** Polls: what a watcher sees, it sees some time after. */
async function until(condition: () => boolean, what: string): Promise<void> {
  const deadline = Date.now() + DEADLINE_MS;
  while (!condition()) {
    if (Date.now() > deadline) throw new Error(`still not: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

test('an edit, an undo, a new directory and a commit are seen by themselves', async () => {
  const { repository, activity, last } = await watched();
  expect(last()?.atRisk).toBeNull();
  expect(last()?.watch).toMatchObject({ unwatched: 0, remedy: null });

  repository.write('src/deep/er/file1.txt', 'edited\n');
  await until(() => last()?.atRisk?.unstaged === 1, 'an edit');
  expect(last()?.atRisk?.paths).toEqual(['src/deep/er/file1.txt']);
  expect(activity.length).toBeGreaterThan(0);
  const since = last()?.atRisk?.since;

  repository.write('a/b/c/new.txt', 'new\n');
  await until(() => last()?.atRisk?.untracked === 1, 'a file in a new directory');
  repository.write('a/b/c/second.txt', 'new\n');
  await until(() => last()?.atRisk?.untracked === 2, 'a second one there');
  expect(last()?.atRisk?.since).toBe(since);

  repository.git('add', '-A');
  await until(() => last()?.atRisk?.staged === 3, 'git add');
  repository.git('commit', '-qm', 'work');
  await until(() => last()?.atRisk?.unpushed_commits === 1, 'a commit');
  expect(last()?.head?.oid).toBe(repository.git('rev-parse', 'HEAD').trim());
  repository.git('push', '-q', 'origin', 'HEAD:refs/heads/pushed');
  await until(() => last()?.atRisk === null, 'a push');
});

test('stashes, branches and merges are seen by the files that they leave in the Git directory', async () => {
  const { repository, last } = await watched();
  repository.write('file0.txt', 'stashed\n');
  repository.git('stash');
  await until(() => last()?.atRisk?.stashes === 1, 'a stash');
  repository.git('stash', 'drop', '-q');
  await until(() => last()?.atRisk === null, 'the stash gone');
  repository.git('checkout', '-q', '-b', 'deep/branch/name');
  await until(() => last()?.head?.ref === 'refs/heads/deep/branch/name', 'another branch');
  repository.git('commit', '-q', '--allow-empty', '-m', 'empty');
  await until(() => last()?.atRisk?.unpushed_commits === 1, 'a commit on it');
  repository.tryGit('merge', '-q', '--no-commit', '--no-ff', '-X', 'ours', 'origin/topic');
  await until(() => last()?.atRisk?.operation === 'merge', 'a merge');
});

test('neither readings nor git status nor ignored files count as activity', async () => {
  const { repository, watcher, activity, last, readings } = await watched((r) => {
    r.write('seen.log', 'ignored\n');
  });
  await watcher.rescan();
  await watcher.rescan();
  expect(activity).toEqual([]);

  // Makes git status rewrite the index.
  utimesSync(repository.path('file1.txt'), 1_600_000_000, 1_600_000_000);
  await until(() => activity.length === 1, 'the touch itself');
  const before = readings.length;
  repository.git('status');
  await until(() => readings.length > before, 'a reading after git status');
  writeFileSync(repository.path('seen.log'), 'more\n');
  repository.write('build/output/x', 'ignored\n');
  await watcher.rescan();
  await watcher.rescan();
  expect(last()?.atRisk).toBeNull();
  expect(activity.length).toBe(1);
});

test('a directory that is deleted and made again at once stays watched', async () => {
  const { repository, last } = await watched();
  rmSync(repository.path('docs'), { recursive: true });
  mkdirSync(repository.path('docs'));
  await until(() => last()?.atRisk?.unstaged === 4, 'four deletions');
  repository.write('docs/after.txt', 'new\n');
  await until(() => last()?.atRisk?.untracked === 1, 'a file in the new directory');
  renameSync(repository.path('src'), repository.path('sources'));
  await until(() => last()?.atRisk?.paths.includes('sources/file0.txt') === true, 'a rename');
  repository.write('sources/deep/later.txt', 'new\n');
  await until(
    () => last()?.atRisk?.paths.includes('sources/deep/later.txt') === true,
    'a file below the renamed directory',
  );
});

test('without .git, and without the directory, the reading is unknown; it recovers by itself', async () => {
  const { repository, last } = await watched();
  renameSync(repository.path('.git'), join(repository.base, 'kept'));
  await until(() => last()?.atRisk?.unknown != null, 'the Git directory gone');
  renameSync(join(repository.base, 'kept'), repository.path('.git'));
  await until(() => last()?.atRisk === null, 'the Git directory back');

  rmSync(repository.worktree, { recursive: true });
  await until(() => last()?.atRisk?.unknown === 'the directory is gone', 'the directory gone');
  runGit(repository.base, ['clone', '-q', 'origin.git', 'work']);
  repository.write('again.txt', 'new\n');
  await until(() => last()?.atRisk?.untracked === 1, 'a file in a new clone');
});

test('an abort ends the watch, and rescan() says why', async () => {
  const { watcher, stop } = await watched();
  stop.abort(new Error('enough'));
  await expect(watcher.rescan()).rejects.toThrow('enough');
});
