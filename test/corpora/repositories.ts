/**
 * Every branch and tag of a repository, checked out by us and by `git read-tree -u` with
 * core.protectHFS and core.protectNTFS. Where both do it, `git status` must find nothing.
 */
import { spawnSync } from 'node:child_process';
import { cpSync, mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { checkOut } from '../../agent/checkout/check-out.ts';
import { ObjectStore } from '../../agent/pack/object-store.ts';
import { FuzzDirectory, GIT_ENV } from '../fuzz/git-batch.ts';
import { ACCEPTED, codeOf, compare } from '../fuzz/verdict.ts';
import type { Verdict } from '../fuzz/verdict.ts';

const PROTECTIONS = ['-c', 'core.protectHFS=true', '-c', 'core.protectNTFS=true'];
/** A corpus has repositories in states that git refuses to work in; their objects are what counts. */
const NEUTRAL = ['-c', 'safe.directory=*', '-c', 'core.bare=false'];
const STRICTER: readonly (readonly [RegExp, string])[] = [
  [/a slash in a name/, 'slash'],
  [/name of \d+ bytes/, 'long name'],
  [/unsorted or duplicate/, 'order'],
  [/is of no known type|mode over 16 bits/, 'unknown mode'],
];

export async function judgeRepository(original: string): Promise<Verdict[]> {
  using directory = new FuzzDirectory();
  const gitdir = join(directory.path, 'gitdir');
  cpSync(original, gitdir, { recursive: true, verbatimSymlinks: true });
  rmSync(join(gitdir, 'config'), { force: true });
  const listed = run(['for-each-ref', '--format=%(objectname) %(refname)'], gitdir, directory.path);
  const verdicts: Verdict[] = [];
  for (const line of listed.stdout.split('\n').filter((each) => each !== '')) {
    const [oid = ''] = line.split(' ', 1);
    const parsed = run(
      ['rev-parse', '--verify', '--quiet', `${oid}^{tree}`],
      gitdir,
      directory.path,
    );
    if (parsed.status !== 0) continue;
    verdicts.push(
      await judgeTree(directory.path, gitdir, parsed.stdout.trim(), `${original} ${line}`),
    );
  }
  return verdicts;
}

async function judgeTree(
  directory: string,
  gitdir: string,
  treeOid: string,
  how: string,
): Promise<Verdict> {
  const ours = join(directory, 'ours');
  const theirs = join(directory, 'theirs');
  for (const path of [ours, theirs]) {
    rmSync(path, { recursive: true, force: true });
    mkdirSync(join(path, '.git'), { recursive: true });
  }
  let words = '';
  const code = await codeOf(async () => {
    try {
      const store = ObjectStore.open(join(gitdir, 'objects'));
      await checkOut({ store, worktree: ours, gitdir: join(ours, '.git'), treeOid });
    } catch (error) {
      words = String(error);
      throw error;
    }
  });
  const read = run(['read-tree', '-u', '--reset', treeOid], gitdir, theirs);
  const each = { how: `${how}: ${words}`, bytes: Buffer.alloc(0) };
  const rule = STRICTER.find(([pattern]) => pattern.test(words))?.[1] ?? null;
  const verdict = compare(each, code, read.status === 0, rule);
  if (code !== ACCEPTED || verdict.disagreement !== null) return verdict;
  const changed = run(['diff-index', '--name-only', treeOid], gitdir, ours);
  return changed.stdout === '' ? verdict : compare(each, 'crash: another worktree', true);
}

function run(
  args: readonly string[],
  gitdir: string,
  worktree: string,
): { status: number | null; stdout: string } {
  return spawnSync('git', [...PROTECTIONS, ...NEUTRAL, ...args], {
    cwd: worktree,
    encoding: 'latin1',
    env: {
      ...GIT_ENV,
      GIT_DIR: gitdir,
      GIT_WORK_TREE: worktree,
      GIT_INDEX_FILE: join(worktree, '.git/index'),
    },
  });
}
