/** Repositories as users make them by hand: each is made by git, and told as git status tells it. */
import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { takeLedger } from '../../agent/work/ledger.ts';
import { createTemplate, runGit } from './scratch-repository.ts';

let base = '';

beforeAll(() => {
  base = createTemplate();
  runGit(join(base, 'origin.git'), ['config', 'uploadpack.allowFilter', 'true']);
});
afterAll(() => {
  rmSync(base, { recursive: true, force: true });
});

/** Runs in the clone `it`, which the first command makes. */
const KINDS: Readonly<Record<string, readonly string[]>> = {
  'a shallow clone': ['clone -q --depth 1 file://BASE/origin.git it'],
  'a partial clone': ['clone -q --filter=blob:none file://BASE/origin.git it'],
  'a clone with alternates': ['clone -q --shared origin.git it'],
  'a commit-graph': ['clone -q origin.git it', '-C it commit-graph write --reachable'],
  'a .git file': ['clone -q --separate-git-dir=elsewhere.git origin.git it'],
  'a sparse index': [
    'clone -q origin.git it',
    '-C it sparse-checkout set --cone --sparse-index docs',
  ],
  'fsmonitor and untracked cache': [
    'clone -q origin.git it',
    '-C it update-index --fsmonitor --force-untracked-cache',
  ],
  'index version 4': ['clone -q origin.git it', '-C it update-index --index-version 4'],
};

test.each(Object.entries(KINDS))(
  '%s: a commit, a staged and an untracked file',
  async (_, made) => {
    const worktree = join(base, 'it');
    try {
      for (const command of made) runGit(base, command.replace('BASE', base).split(' '));
      // The tags that came with the clone are told by the time of its first reflog entry.
      const clonedTags = new Map(
        runGit(worktree, ['for-each-ref', '--format=%(refname) %(objectname)', 'refs/tags'])
          .toString()
          .split('\n')
          .filter(Boolean)
          .map((line) => [line.slice(0, -41), line.slice(-40)] as const),
      );
      expect((await takeLedger({ worktree, clonedTags })).risk).toBeNull();
      runGit(worktree, ['commit', '-q', '--allow-empty', '-m', 'mine']);
      writeFileSync(join(worktree, 'docs/staged'), 'new');
      runGit(worktree, ['add', 'docs/staged']);
      writeFileSync(join(worktree, 'docs/new'), 'new');
      const { risk } = await takeLedger({ worktree, clonedTags });
      expect(risk).toMatchObject({ unpushed_commits: 1, staged: 1, untracked: 1, unknown: null });
    } finally {
      for (const name of ['it', 'elsewhere.git']) {
        rmSync(join(base, name), { recursive: true, force: true });
      }
    }
  },
);
