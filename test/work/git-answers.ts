/**
 * What real git says would be lost with a repository: the oracle of the ledger. A process for each
 * question, and none for a question whose answer is known: what names no operation has none, and the
 * same refs lead to the same commits.
 */
import { cpSync, existsSync, lstatSync, readdirSync, readFileSync, realpathSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { statOrUndefined } from '../../agent/repository/repository.ts';
import type { Risk } from '../../agent/work/risk.ts';
import { readTags, runGit } from './scratch-repository.ts';
import type { ScratchRepository } from './scratch-repository.ts';

export type ExpectedRisk = Omit<Risk, 'paths' | 'branches' | 'repositories'>;

const STATUS = 'status --porcelain=v2 --no-renames --untracked-files=all --show-stash -z'.split(
  ' ',
);
const NO_LOCKS = { GIT_OPTIONAL_LOCKS: '0' };
/** In a Git directory in which nothing is under way. */
const AT_REST =
  /^(?:HEAD|ORIG_HEAD|FETCH_HEAD|COMMIT_EDITMSG|AUTO_MERGE|branches|config|description|hooks|index|info|logs|modules|mount-agent\.json|objects|packed-refs|refs|shallow|sharedindex\..*|worktrees)$/;

export interface Expected {
  readonly risk: ExpectedRisk | null;
  /** Everything that counts in `paths_total`, bytes as Latin-1. */
  readonly paths: ReadonlySet<string>;
}

export function askGit(repository: ScratchRepository): Expected {
  const { paths: own, ...counts } = count(repository.worktree, askStatus(repository));
  const paths = new Set([...own, ...linkedWithWork(repository, own)]);
  const unpushedCommits = countUnpushed(repository);
  const operation = findOperation(repository);
  const isSafe = paths.size + counts.stashes + unpushedCommits === 0 && operation === null;
  const risk = {
    ...{ ...counts, paths_total: paths.size, unpushed_commits: unpushedCommits },
    ...{ operation, unknown: null },
  };
  return { risk: isSafe ? null : risk, paths };
}

function ask({ worktree }: ScratchRepository, args: readonly string[], env = {}): string {
  return runGit(worktree, args, { ...NO_LOCKS, ...env }).toString('latin1');
}

function count(worktree: string, output: string) {
  const counts = { staged: 0, unstaged: 0, untracked: 0, conflicted: 0, stashes: 0 };
  const paths = new Set<string>();
  let untrackedBytes = 0;
  for (const line of output.split('\0').filter(Boolean)) {
    const kind = line.charAt(0);
    if (kind === '#') {
      counts.stashes = Number(line.replace(/^# stash /, ''));
      continue;
    }
    const path = line.split(' ').slice({ '1': 8, u: 10, '?': 1 }[kind]).join(' ');
    paths.add(path);
    if (kind === 'u') counts.conflicted++;
    if (kind === '1' && line.charAt(2) !== '.') counts.staged++;
    if (kind === '1' && line.charAt(3) !== '.') counts.unstaged++;
    if (kind !== '?') continue;
    counts.untracked++;
    const stats = lstatSync(Buffer.from(`${worktree}/${path}`, 'latin1'));
    if (!stats.isDirectory()) untrackedBytes += stats.size;
  }
  return { ...counts, untracked_bytes: untrackedBytes, paths };
}

/**
 * The ledger also looks at files that git was told not to look at. So that git answers the same
 * question, it gets a copy of the index in which those marks are off.
 */
function askStatus(repository: ScratchRepository): string {
  if (!repository.blinkered) return ask(repository, STATUS);
  const listed = ask(repository, ['ls-files', '-v', '-z']).split('\0');
  const marked = listed
    .filter((line) => /^[a-zS] /.test(line))
    .filter((line) => !/^s/i.test(line) || isReallyThere(repository, line.slice(2)))
    .map((line) => line.slice(2));
  if (marked.length === 0) return ask(repository, STATUS);
  const index = join(repository.base, 'index-copy');
  cpSync(repository.path('.git/index'), index, { preserveTimestamps: true });
  const env = { GIT_INDEX_FILE: index };
  for (const option of ['--no-skip-worktree', '--no-assume-unchanged']) {
    ask(repository, ['update-index', option, '--', ...marked], env);
  }
  return ask(repository, STATUS, env);
}

/** Linked worktrees in which something would be lost, unless they are among the untracked paths. */
function linkedWithWork(repository: ScratchRepository, counted: ReadonlySet<string>): string[] {
  const { worktree } = repository;
  return listWorktrees(repository)
    .filter(({ path }) => {
      if (path === worktree || counted.has(`${path.slice(worktree.length + 1)}/`)) return false;
      // In a directory that is a worktree no longer git would answer for the one around it.
      if (!existsSync(join(path, '.git'))) return false;
      return (
        runGit(path, STATUS, NO_LOCKS)
          .toString('latin1')
          .replace(/# stash \d+\0/, '') !== ''
      );
    })
    .map(({ path }) => `${path.replace(`${worktree}/`, '')}/`);
}

/** Of the commits that a HEAD can name; the one of a branch is the branch's. */
function listWorktrees(repository: ScratchRepository): { path: string; head: string }[] {
  if (namesIn(repository.path('.git/worktrees')).length === 0) {
    const head = readFileSync(repository.path('.git/HEAD'), 'latin1').trim();
    return [{ path: repository.worktree, head: head.startsWith('ref: ') ? '' : head }];
  }
  const listed = ask(repository, ['worktree', 'list', '--porcelain']);
  const found = listed.matchAll(/^worktree (.*)\n(?:HEAD (.*)$)?/gm);
  return [...found].map(([, path = '', head = '']) => ({ path, head }));
}

/** And not at the end of a linked directory. */
function isReallyThere(repository: ScratchRepository, name: string): boolean {
  const parent = dirname(repository.path(name));
  return repository.exists(name) && realpathSync(parent) === parent;
}

const COUNTS_KEPT = 10_000;
const countsByRefs = new Map<string, number>();

function countUnpushed(repository: ScratchRepository): number {
  const refs = [...repository.clonedTags.values(), ...refsOf(repository.path('.git'))].join('\n');
  const known = countsByRefs.get(refs);
  if (known !== undefined) return known;
  const heads = listWorktrees(repository).flatMap(({ head }) => (/[^0]/.test(head) ? [head] : []));
  const own = ['--branches', '--tags', ...heads];
  const remote = ['--not', '--remotes', ...tagsOfTheRemote(repository)];
  if (countsByRefs.size > COUNTS_KEPT) countsByRefs.clear();
  const answer = Number(ask(repository, ['rev-list', '--count', ...own, ...remote]));
  countsByRefs.set(refs, answer);
  return answer;
}

/** Those that came with the clone and are where they were: what has been moved proves nothing. */
function tagsOfTheRemote(repository: ScratchRepository): string[] {
  const { clonedTags, retagged, worktree } = repository;
  const tags = retagged ? readTags(worktree) : clonedTags;
  return [...clonedTags].flatMap(([name, oid]) => (tags.get(name) === oid ? [oid] : []));
}

/** Every byte that names a commit: with equal ones the question about unpushed commits is the same. */
function refsOf(gitdir: string): string[] {
  const files = ['HEAD', 'packed-refs', 'shallow', ...filesBelow(gitdir, 'refs')];
  for (const name of namesIn(join(gitdir, 'worktrees'))) files.push(`worktrees/${name}/HEAD`);
  return files.map((name) => {
    const content = statOrUndefined(() => readFileSync(join(gitdir, name), 'latin1'));
    return `${name}: ${content ?? 'none'}`;
  });
}

function filesBelow(gitdir: string, directory: string): string[] {
  const entries = readdirSync(join(gitdir, directory), { withFileTypes: true });
  return entries.flatMap((entry) => {
    const name = `${directory}/${entry.name}`;
    return entry.isDirectory() ? filesBelow(gitdir, name) : [name];
  });
}

function namesIn(directory: string): readonly string[] {
  return statOrUndefined(() => readdirSync(directory)) ?? [];
}

/** In git's own words. */
function findOperation(repository: ScratchRepository): string | null {
  if (namesIn(repository.path('.git')).every((name) => AT_REST.test(name))) return null;
  const words = ask(repository, ['status', '--no-ahead-behind', '-uno']);
  const isThere = (name: string): boolean => existsSync(repository.path(`.git/${name}`));
  // A merge in the middle of a rebase: git speaks of the merge, the ledger of the whole.
  if (isThere('rebase-merge')) return 'rebase';
  if (isThere('rebase-apply') && !isThere('rebase-apply/applying')) return 'rebase';
  if (/rebase in progress|currently (rebasing|editing)/.test(words)) return 'rebase';
  if (/still merging|fix conflicts and run "git commit"/.test(words)) {
    // A stash that did not apply leaves conflicts too, and no merge.
    if (isThere('MERGE_HEAD')) return 'merge';
  }
  if (/am session/.test(words)) return 'am';
  if (/cherry-pick/i.test(words)) return 'cherry-pick';
  if (/revert/i.test(words)) return 'revert';
  return /bisecting/.test(words) ? 'bisect' : null;
}
