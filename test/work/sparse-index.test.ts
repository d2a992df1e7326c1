/** What lies where a sparse checkout left something out, with and without a sparse index: as git tells it. */
import { chmodSync, mkdirSync, rmSync, symlinkSync } from 'node:fs';
import { expect, test } from 'vitest';
import { freshRepositories } from './fresh-repositories.ts';
import { compare, takeFresh, watchedLedger } from './ledger-histories.ts';
import type { ScratchRepository } from './scratch-repository.ts';

const repositories = freshRepositories();

/** Only `src/deep` and what is above it; `docs` and `far` are left out. */
function sparse(...options: readonly string[]): ScratchRepository {
  const repository = repositories.fresh();
  for (const path of [
    'far/a/one',
    'far/a/two',
    'far/a.b',
    'far/b/three',
    'far/run',
    'far/.gitignore',
  ]) {
    repository.write(path, path.endsWith('ignore') ? '*.tmp\n' : `${path}\n`);
  }
  chmodSync(repository.path('far/run'), 0o755);
  repository.git('add', '-A');
  repository.git('commit', '-q', '-m', 'far');
  repository.git('sparse-checkout', 'set', '--cone', ...options, 'src/deep');
  expect(repository.exists('docs')).toBe(false);
  return repository;
}

type Step = (repository: ScratchRepository) => void;

const STEPS: Readonly<Record<string, Step>> = {
  'the same content': (r) => {
    r.write('docs/file1.txt', 'docs/ 1\nline\nline\n');
  },
  'other content': (r) => {
    r.write('docs/file2.txt', 'other');
  },
  'a new file': (r) => {
    r.write('docs/new', 'new');
  },
  'an empty directory': (r) => {
    mkdirSync(r.path('far/a'), { recursive: true });
  },
  'deeper down, ignored by rules that are not on disk': (r) => {
    r.write('far/a/two', 'other');
    r.write('far/a/x.tmp', 'ignored');
  },
  'another mode, another type': (r) => {
    r.write('far/run', 'far/run\n');
    symlinkSync('run', r.path('far/a.b'));
  },
  'a file where a directory was': (r) => {
    r.write('far/b', 'a file');
  },
  'the index written anew': (r) => {
    r.git('add', '--sparse', 'docs/new');
  },
  'a commit': (r) => {
    r.git('commit', '-q', '-m', 'docs');
  },
  'ignored as a whole': (r) => {
    rmSync(r.path('far'), { recursive: true });
    r.write('.gitignore', 'far\n');
  },
  'and there': (r) => {
    r.write('far/a/one', 'other');
    r.write('far/untracked', 'ignored');
  },
  'put away': (r) => {
    for (const name of ['docs', 'far']) rmSync(r.path(name), { recursive: true, force: true });
  },
  'all of it again': (r) => {
    r.git('sparse-checkout', 'disable');
  },
};

test.each([['--sparse-index'], ['--no-sparse-index']])(
  'files in directories that a sparse checkout left out say what git says (%s)',
  async (option) => {
    const repository = sparse(option);
    using watched = watchedLedger(repository);
    await compare(repository, watched, 'nothing');
    for (const [name, step] of Object.entries(STEPS)) {
      step(repository);
      await compare(repository, watched, name);
    }
  },
  60_000,
);

test('a directory outside of the cone whose tree is not there is unknown, and the rest is counted', async () => {
  const repository = sparse('--sparse-index');
  const oid = repository.git('rev-parse', 'HEAD:far').trim();
  rmSync(repository.path(`.git/objects/${oid.slice(0, 2)}/${oid.slice(2)}`));
  repository.write('new', 'x');
  expect((await takeFresh(repository)).risk?.unknown).toBeNull();
  repository.write('far/a/one', 'other');
  const { risk } = await takeFresh(repository);
  expect(risk?.unknown).toContain(oid);
  expect(risk?.paths).toEqual(expect.arrayContaining(['new', 'far/a/one']));
});
