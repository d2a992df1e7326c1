/** A worktree with many directories: read in another way than small ones, and as right. */
import { chmodSync, renameSync, rmSync, symlinkSync, utimesSync, writeFileSync } from 'node:fs';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { nextTurn } from '../../agent/lifetime.ts';
import { Ledger, takeLedger } from '../../agent/work/ledger.ts';
import { WatchSet } from '../../agent/work/watch-set.ts';
import { copyTemplate, createTemplate } from './scratch-repository.ts';
import type { ScratchRepository } from './scratch-repository.ts';

const DIRECTORIES = 520;
const FILES_EACH = 3;

let template = '';
beforeAll(() => {
  template = createTemplate();
});
afterAll(() => {
  rmSync(template, { recursive: true, force: true });
});
function bigRepository(): ScratchRepository & Disposable {
  const repository = copyTemplate(template);
  for (let at = 0; at < DIRECTORIES; at++) {
    for (let n = 0; n < FILES_EACH; n++) repository.write(`big/d${at % 20}/${at}/${n}`, `${n}\n`);
  }
  repository.write('big/naïve/é', 'x');
  repository.git('add', 'big');
  repository.git('commit', '-q', '-m', 'big');
  // Older than the index, so that stat data decides.
  repository.git('checkout', '-q', '-b', 'away', 'HEAD^');
  repository.git('checkout', '-q', '-');
  return Object.assign(repository, {
    [Symbol.dispose]: () => {
      repository.remove();
    },
  });
}

/** A change of each kind, each in another directory. */
function change(repository: ScratchRepository): void {
  const at = (path: string): string => repository.path(`big/${path}`);
  repository.write('big/d0/0/0', 'other\n');
  repository.write('big/d1/1/1', 'X\n');
  chmodSync(at('d2/2/1'), 0o755);
  rmSync(at('d3/3/1'));
  rmSync(at('d4/4'), { recursive: true });
  rmSync(at('d5'), { recursive: true });
  writeFileSync(at('d5'), 'a file now');
  renameSync(at('d6'), repository.path('.git/d6'));
  symlinkSync('../.git/d6', at('d6'));
  rmSync(at('d7/7/1'));
  symlinkSync('2', at('d7/7/1'));
  repository.write('big/d8/8/new', 'untracked\n');
  repository.write('big/d9/9/.gitignore', '*\n');
  repository.write('big/d9/9/hidden', 'ignored\n');
  utimesSync(at('d10/10/1'), 1_000_000_000, 1_000_000_000);
  repository.write('big/naïve/é', 'y');
  repository.git('update-index', '--assume-unchanged', 'big/d11/11/1');
  repository.git('rm', '-q', '--cached', 'big/d12/12/1');
  repository.git('add', '-N', 'big/d8/8/new');
}

async function counts(repository: ScratchRepository, ledger?: Ledger) {
  const { worktree, clonedTags } = repository;
  const { risk } = await (ledger?.take() ?? takeLedger({ worktree, clonedTags }));
  if (risk === null) return null;
  return { ...risk, paths: undefined, branches: undefined, repositories: undefined };
}

test('thousands of files say what git says: from scratch, kept up by events, all anew, on other branches', async () => {
  using repository = bigRepository();
  const { worktree, clonedTags } = repository;
  using watches = new WatchSet({ onLimit: () => undefined, onOverflow: () => undefined });
  using ledger = new Ledger({ worktree, clonedTags }, { watches, onDirty: () => undefined });
  const agrees = async (what: string): Promise<void> => {
    for (let turn = 0; turn < 2; turn++) await nextTurn();
    expect(await counts(repository, ledger), what).toEqual(repository.expectedRisk());
    expect(watches.waiting, what).toBe(0);
  };
  await agrees('first');
  change(repository);
  await agrees('changes');
  expect(await counts(repository), 'from scratch').toEqual(repository.expectedRisk());
  ledger.markAll();
  await agrees('all anew');
  const watched = watches.watched;
  repository.git('reset', '-q', '--hard');
  repository.git('clean', '-qfdx', 'big');
  await agrees('reset');
  repository.git('checkout', '-q', 'away');
  await agrees('a branch without the directories');
  expect(watches.watched).toBeLessThan(watched - DIRECTORIES / 2);
  repository.git('checkout', '-q', '-');
  await agrees('a branch with them');
  repository.write('big/d13/13/1', 'changed\n');
  await agrees('an edit');
}, 60_000);
