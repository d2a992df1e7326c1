/**
 * Everything of a mount that its user would miss, as real git and the file system say it: two mounts
 * with equal states are the same to whoever works in them. Nothing is written on the way.
 */
import { createHash } from 'node:crypto';
import {
  existsSync,
  lstatSync,
  readFileSync,
  readdirSync,
  readlinkSync,
  realpathSync,
} from 'node:fs';
import { join, resolve } from 'node:path';
import { runGit } from '../work/scratch-repository.ts';

/** A line for each thing, sorted; what differs between two states can be read. */
export type State = readonly string[];

export interface StateOptions {
  /** Whether configuration and hooks count. */
  readonly withConfig?: boolean;
}

/** Not the user's: objects are named by refs, these two by mount-agent and the daemon of git; a lock is what a
 * git that crashed has left, and only in the way. */
const NOT_STATE =
  /^(?:objects|modules|worktrees|lfs|mount-agent.*|gc\..*|hooks|config|config\.worktree|.*\.lock)$/;
const QUIET = { GIT_OPTIONAL_LOCKS: '0' };

export function stateOf(mount: string, options: StateOptions = {}): State {
  const lines: string[] = [];
  for (const { worktree, name } of repositoriesOf(mount)) {
    const gitdir = gitdirOf(worktree);
    // First of all: the index as it stands, before git is asked anything.
    lines.push(...stateFiles(gitdir).map((line) => `${name} .git/${line}`));
    for (const question of questionsFor(worktree, gitdir)) {
      const answer = tryGit(worktree, ...question).replaceAll(mount, '<mount>');
      lines.push(`${name} ${question.join(' ')}: ${answer}`);
    }
    if (options.withConfig === true) {
      for (const file of ['config', 'hooks'])
        lines.push(...tree(join(gitdir, file), `${name} ${file}`));
    }
  }
  return [...lines, ...tree(mount, 'worktree')].sort();
}

/** Git's words beside the bytes: that they still mean something to it. */
function questionsFor(worktree: string, gitdir: string): string[][] {
  const questions = [
    ['ls-files', '-s', '-v', '-z'],
    ['show-ref', '--head'],
    ['status', '--porcelain=v2', '--branch', '--show-stash', '--untracked-files=all', '-z'],
    [
      '-c',
      'core.commitGraph=false',
      'fsck',
      '--connectivity-only',
      '--no-dangling',
      '--no-progress',
    ],
  ];
  if (existsSync(join(gitdir, 'logs/refs/stash'))) questions.push(['stash', 'list']);
  if (existsSync(join(worktree, '.gitmodules'))) questions.push(['submodule', 'status']);
  return questions;
}

/** Where a `.git` file leads to, or the directory itself. */
function gitdirOf(worktree: string): string {
  const own = join(worktree, '.git');
  if (lstatSync(own).isDirectory()) return own;
  const path = readFileSync(own, 'utf8')
    .trimEnd()
    .replace(/^gitdir: /, '');
  return realpathSync(resolve(worktree, path));
}

interface Found {
  readonly worktree: string;
  readonly name: string;
}

/** The mount, what is nested in it, submodules, and linked worktrees wherever they are. */
function repositoriesOf(mount: string): Found[] {
  const found = new Map<string, string>([[mount, '.']]);
  const visit = (directory: string): void => {
    for (const entry of readdirSync(directory, { withFileTypes: true, encoding: 'buffer' })) {
      // Repositories in these tests have names in ASCII.
      const place = join(directory, entry.name.toString('latin1'));
      if (!entry.isDirectory() || entry.name.toString() === '.git' || !existsSync(place)) continue;
      if (existsSync(join(place, '.git'))) found.set(place, place.slice(mount.length + 1));
      visit(place);
    }
  };
  visit(mount);
  if (!existsSync(join(mount, '.git/worktrees'))) return namesOf(found);
  const listed = tryGit(mount, 'worktree', 'list', '--porcelain');
  for (const [, place = ''] of listed.matchAll(/^worktree (.*)$/gm)) {
    if (!found.has(place) && existsSync(place)) found.set(place, place.split('/').at(-1) ?? '');
  }
  return namesOf(found);
}

function namesOf(found: ReadonlyMap<string, string>): Found[] {
  return [...found].map(([worktree, name]) => ({ worktree, name }));
}

/** Bytes of HEAD, index, refs, logs, pseudo-refs and whatever an operation keeps. */
function stateFiles(gitdir: string): string[] {
  const names = readdirSync(gitdir).filter((name) => !NOT_STATE.test(name));
  return names.flatMap((name) => {
    const lines = tree(join(gitdir, name), name);
    // Directories without a file in them are nothing to git.
    return lines.filter((line) => !line.endsWith(' directory'));
  });
}

/** @param name what `path` is called; `.git` and what is below it does not count. */
function tree(path: string, name: string): string[] {
  const lines: string[] = [];
  const visit = (place: Buffer, shown: string): void => {
    const stats = lstatSync(place, { throwIfNoEntry: false });
    if (stats === undefined || shown.endsWith('/.git')) return;
    if (stats.isSymbolicLink()) {
      lines.push(`${shown} -> ${readlinkSync(place, 'buffer').toString('latin1')}`);
    } else if (stats.isFile()) {
      const content = readFileSync(place);
      const digest = createHash('sha256').update(content).digest('hex').slice(0, 16);
      const text = content.length < 200 ? JSON.stringify(content.toString('latin1')) : digest;
      lines.push(`${shown} ${(stats.mode & 0o777).toString(8)} ${text}`);
    } else if (stats.isDirectory()) {
      const entries = readdirSync(place, { encoding: 'buffer' });
      const isNews = entries.length === 0 || (stats.mode & 0o777) !== 0o755;
      if (isNews) lines.push(`${shown} ${(stats.mode & 0o777).toString(8)} directory`);
      for (const entry of entries) {
        const below = Buffer.concat([place, Buffer.from('/'), entry]);
        visit(below, `${shown}/${entry.toString('latin1')}`);
      }
    }
  };
  visit(Buffer.from(path), name);
  return lines;
}

function git(cwd: string, ...args: string[]): string {
  return runGit(cwd, args, QUIET).toString('latin1');
}

/** A failure is an answer as well. */
function tryGit(cwd: string, ...args: string[]): string {
  try {
    return git(cwd, ...args);
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}

/** Where tests put mounts: without a link on the way, as git shows them. */
export function realDirectory(path: string): string {
  return realpathSync(path);
}
