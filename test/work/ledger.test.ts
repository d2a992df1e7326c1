import { rmSync, utimesSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { takeLedger } from '../../agent/work/ledger.ts';
import { freshRepositories } from './fresh-repositories.ts';
import { ALL_STEPS, assertHistories, historiesOfATestRun } from './histories.ts';
import type { Replay } from './histories.ts';
import { compare, replayWithLedgers, takeFresh, watchedLedger } from './ledger-histories.ts';
import { fingerprint } from './scratch-repository.ts';
import type { ScratchRepository } from './scratch-repository.ts';
import { FIRST_STEPS, STEPS } from './steps.ts';

const HISTORIES = historiesOfATestRun(40);
const SEED = 20260;

const repositories = freshRepositories();

function fresh(): ScratchRepository {
  return repositories.fresh();
}

test('a fresh clone with a release tag on a deleted branch has nothing at risk', async () => {
  const repository = fresh();
  const { risk, head } = await takeFresh(repository);
  expect(risk).toBeNull();
  expect(head).toEqual({
    ref: 'refs/heads/main',
    oid: repository.git('rev-parse', 'HEAD').trim(),
  });
});

test('tags that came with a clone are told from own ones by what the clone left, until refs are packed', async () => {
  const repository = fresh();
  const { worktree } = repository;
  const unpushed = async () => (await takeLedger({ worktree })).risk?.unpushed_commits ?? 0;
  expect(await unpushed()).toBe(0);
  repository.git('commit', '-q', '--allow-empty', '-m', 'mine');
  repository.git('tag', 'mine');
  repository.git('reset', '-q', '--hard', 'origin/main');
  expect(await unpushed()).toBe(1);
  // Ten seconds on, as far as files tell: nothing tells the two tags apart now.
  repository.git('pack-refs', '--all');
  const later = Date.now() / 1000 + 10;
  utimesSync(repository.path('.git/packed-refs'), later, later);
  expect(await unpushed()).toBe(2);
});

test('the marker of a clone tells its tags from own ones when refs have long been packed', async () => {
  const repository = fresh();
  const { worktree, clonedTags } = repository;
  repository.write(
    '.git/mount-agent.json',
    JSON.stringify({ tags: Object.fromEntries(clonedTags) }),
  );
  repository.git('commit', '-q', '--allow-empty', '-m', 'mine');
  repository.git('tag', 'mine');
  repository.git('reset', '-q', '--hard', 'origin/main');
  repository.git('gc', '-q');
  const later = Date.now() / 1000 + 10;
  utimesSync(repository.path('.git/packed-refs'), later, later);
  expect((await takeLedger({ worktree })).risk?.unpushed_commits).toBe(1);
});

test('the empty tree is known without its object', async () => {
  const repository = fresh();
  repository.git('rm', '-rqf', '.');
  repository.git('commit', '-q', '-m', 'nothing left');
  const oid = repository.git('rev-parse', 'HEAD^{tree}').trim();
  rmSync(repository.path(`.git/objects/${oid.slice(0, 2)}/${oid.slice(2)}`));
  // So that HEAD's tree is asked for, not the index's word of it.
  repository.write('file', 'x');
  repository.git('add', 'file');
  using watched = watchedLedger(repository);
  await compare(repository, watched, 'without the object');
});

test('rules in a .gitignore that a sparse checkout left out still hold', async () => {
  const repository = fresh();
  repository.git('sparse-checkout', 'set', '--no-cone', 'src');
  expect(repository.exists('.gitignore')).toBe(false);
  using watched = watchedLedger(repository);
  await compare(repository, watched, 'a sparse checkout');
  for (const name of ['ignored.log', 'build/x', 'src/seen']) repository.write(name, 'x');
  await compare(repository, watched, 'new files');
  expect((await takeFresh(repository)).risk?.paths).toEqual(['src/seen']);
});

test('a sparse index that differs from HEAD, or has none, is compared by its trees', async () => {
  const repository = fresh();
  repository.write('docs/deep/new.txt', 'x');
  repository.git('rm', '-q', '--cached', 'docs/file0.txt');
  repository.git('add', '-A', '.');
  repository.git('commit', '-q', '-m', 'docs');
  repository.git('sparse-checkout', 'set', '--cone', '--sparse-index', 'src');
  repository.git('reset', '-q', '--soft', 'HEAD^');
  using watched = watchedLedger(repository);
  await compare(repository, watched, 'other trees than HEAD has');
  repository.git('checkout', '-q', '--orphan', 'empty');
  await compare(repository, watched, 'no HEAD');
});

test('attributes that only the index has hold, until they leave it, too', async () => {
  const repository = fresh();
  repository.write('.gitattributes', '*.txt text eol=crlf\n');
  repository.git('add', '.gitattributes');
  repository.git('commit', '-q', '-m', 'line ends');
  rmSync(repository.path('file0.txt'));
  repository.git('checkout', '--', 'file0.txt');
  using watched = watchedLedger(repository);
  await compare(repository, watched, 'written with CRLF');
  // Other stat data: the content is looked at.
  utimesSync(repository.path('file0.txt'), 1_000_000_000, 1_000_000_000);
  rmSync(repository.path('.gitattributes'));
  await compare(repository, watched, 'deleted in the worktree');
  expect((await takeFresh(repository)).risk?.paths).not.toContain('file0.txt');
  repository.git('rm', '-q', '--cached', '.gitattributes');
  await compare(repository, watched, 'and in the index');
  expect((await takeFresh(repository)).risk?.paths).toContain('file0.txt');
});

describe('the ledger says what git says after', () => {
  test.each(Object.entries({ ...ALL_STEPS, ...FIRST_STEPS }))('%s', async (_name, step) => {
    const repository = fresh();
    using watched = watchedLedger(repository);
    await watched.take();
    for (const pick of [0, 1]) {
      step(repository, pick);
      await compare(repository, watched, `pick ${pick}`);
    }
  });
});

test(
  `the ledger says what git says after each step of ${HISTORIES} random histories`,
  async () => {
    const replay: Replay = (history) => replayWithLedgers(repositories.template, history);
    await assertHistories(replay, HISTORIES, SEED);
  },
  120_000 + HISTORIES * 5_000,
);

test('taking a ledger writes nothing, anywhere in worktree and Git directory', async () => {
  const repository = fresh();
  for (const name of [
    'edit',
    'new file',
    'stash',
    'merge conflict',
    'submodule',
    'touch without change',
  ]) {
    STEPS[name]?.(repository, 1);
  }
  const before = fingerprint(repository.base);
  const { risk } = await takeFresh(repository);
  expect(risk).not.toBeNull();
  expect(fingerprint(repository.base)).toBe(before);
});
