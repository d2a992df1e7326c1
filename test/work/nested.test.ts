/** Repositories that would be lost together with a mount: their own numbers, under their path. */
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { takeLedger } from '../../agent/work/ledger.ts';
import type { Risk } from '../../agent/work/risk.ts';
import { copyTemplate, createTemplate, runGit } from './scratch-repository.ts';
import type { ScratchRepository } from './scratch-repository.ts';

let template = '';
let repository: ScratchRepository;

beforeAll(() => {
  template = createTemplate();
});
afterAll(() => {
  rmSync(template, { recursive: true, force: true });
});
afterEach(() => {
  repository.remove();
});

async function risk(): Promise<Risk | null> {
  const { worktree, clonedTags } = repository;
  return (await takeLedger({ worktree, clonedTags })).risk;
}

const NOTHING = {
  staged: 0,
  unstaged: 0,
  untracked: 0,
  conflicted: 0,
  untracked_bytes: 0,
  unpushed_commits: 0,
  stashes: 0,
  operation: null,
  unknown: null,
};

test('a linked worktree elsewhere is at risk with its files; its commits are the mount’s own', async () => {
  repository = copyTemplate(template);
  const linked = join(repository.base, 'linked');
  repository.git('worktree', 'add', '-q', '-b', 'side', linked);
  expect(await risk()).toBeNull();
  runGit(linked, ['commit', '-q', '--allow-empty', '-m', 'side']);
  writeFileSync(join(linked, 'new.txt'), 'new');
  writeFileSync(join(linked, 'file0.txt'), 'changed');
  expect(await risk()).toMatchObject({
    untracked: 0,
    unstaged: 0,
    unpushed_commits: 1,
    paths: [`${linked}/`],
    paths_total: 1,
    repositories: [
      { ...NOTHING, path: linked, kind: 'worktree', unstaged: 1, untracked: 1, untracked_bytes: 3 },
    ],
  });
  rmSync(linked, { recursive: true });
  expect(await risk()).toMatchObject({ repositories: [], unpushed_commits: 1 });
});

test('a linked worktree inside the mount is listed once', async () => {
  repository = copyTemplate(template);
  repository.git('worktree', 'add', '-q', '--detach', 'inside');
  repository.write('inside/new.txt', 'new');
  const found = await risk();
  expect(found).toMatchObject({ untracked: 1, paths: ['inside/'], paths_total: 1 });
  expect(found?.repositories).toEqual([
    { ...NOTHING, path: 'inside', kind: 'worktree', untracked: 1, untracked_bytes: 3 },
  ]);
});

test('a linked worktree in an ignored directory is at risk with its files all the same', async () => {
  repository = copyTemplate(template);
  repository.git('worktree', 'add', '-q', '--detach', 'build/side');
  expect(await risk()).toBeNull();
  repository.write('build/side/new.txt', 'new');
  expect(await risk()).toMatchObject({
    ...{ untracked: 0, paths: ['build/side/'], paths_total: 1 },
    repositories: [{ path: 'build/side', kind: 'worktree', untracked: 1 }],
  });
});

test('a nested repository tells of its files, commits, stashes and operation, and so does one in it', async () => {
  repository = copyTemplate(template);
  for (const path of ['work/nested', 'work/nested/inner']) {
    // At the time that it really is: what a clone leaves tells which tags came with it.
    runGit(repository.base, ['clone', '-q', 'origin.git', path], { GIT_COMMITTER_DATE: undefined });
  }
  const nested = repository.path('nested');
  repository.write('nested/file0.txt', 'stashed');
  runGit(nested, ['stash', '-q']);
  runGit(nested, ['commit', '-q', '--allow-empty', '-m', 'mine']);
  runGit(nested, ['bisect', 'start', 'HEAD', 'HEAD~1']);
  repository.write('nested/inner/new.txt', 'new');
  const found = await risk();
  expect(found).toMatchObject({
    untracked: 1,
    paths: ['nested/'],
    unpushed_commits: 0,
    stashes: 0,
  });
  expect(found?.repositories).toEqual([
    {
      ...NOTHING,
      path: 'nested',
      kind: 'nested',
      untracked: 1,
      unpushed_commits: 1,
      stashes: 1,
      operation: 'bisect',
    },
    { ...NOTHING, path: 'nested/inner', kind: 'nested', untracked: 1, untracked_bytes: 3 },
  ]);
});

test('a clean submodule with a commit or a stash that only it has makes the mount at risk', async () => {
  repository = copyTemplate(template);
  repository.tryGitNow('submodule', '--quiet', 'add', '../sub.git', 'lib/sub');
  repository.git('commit', '-qm', 'submodule');
  repository.git('push', '-q', 'origin', 'HEAD:refs/heads/pushed');
  expect(await risk()).toBeNull();
  const inside = repository.path('lib/sub');
  runGit(inside, ['checkout', '-q', '-b', 'side']);
  runGit(inside, ['commit', '-q', '--allow-empty', '-m', 'mine']);
  runGit(inside, ['checkout', '-q', '--detach', 'HEAD~1']);
  repository.write('lib/sub/file0.txt', 'stashed');
  runGit(inside, ['stash', '-q']);
  expect(await risk()).toMatchObject({
    ...{ unstaged: 0, unpushed_commits: 0, stashes: 0, paths: ['lib/sub/'], paths_total: 1 },
    repositories: [
      { ...NOTHING, path: 'lib/sub', kind: 'submodule', unpushed_commits: 1, stashes: 1 },
    ],
  });
});

test('a nested repository that cannot be read is unknown, and so is the mount', async () => {
  repository = copyTemplate(template);
  mkdirSync(repository.path('nested'));
  runGit(repository.path('nested'), ['init', '-q']);
  writeFileSync(repository.path('nested/.git/index'), 'x'.repeat(100));
  const found = await risk();
  expect(found?.unknown).toMatch(/^nested: .*DIRC/);
  expect(found?.repositories).toMatchObject([{ path: 'nested', kind: 'nested' }]);
});
