/**
 * A clone with a bit of everything in a fresh temp directory, and what real git says about it: the
 * oracle of the ledger.
 */
import { execFile, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  chmodSync,
  cpSync,
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  realpathSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import type { Risk } from '../../agent/work/risk.ts';
import { statOrUndefined } from '../../agent/repository/repository.ts';

/** In memory where that can be had: histories are made of small files. */
const SCRATCH = existsSync('/dev/shm') ? '/dev/shm' : tmpdir();

let clock = 1_700_000_000;

/** Clean of the machine's configuration; each command one second after the last. */
function gitEnv(): NodeJS.ProcessEnv {
  const date = `${clock++} +0000`;
  return {
    PATH: process.env['PATH'],
    HOME: '/nonexistent',
    LC_ALL: 'C',
    GIT_CONFIG_NOSYSTEM: '1',
    GIT_TEMPLATE_DIR: '',
    GIT_CONFIG_GLOBAL: '/dev/null',
    GIT_AUTHOR_NAME: 'A U Thor',
    GIT_AUTHOR_EMAIL: 'author@example.com',
    GIT_AUTHOR_DATE: date,
    GIT_COMMITTER_NAME: 'C O Mitter',
    GIT_COMMITTER_EMAIL: 'committer@example.com',
    GIT_COMMITTER_DATE: date,
    GIT_ALLOW_PROTOCOL: 'file',
    GIT_EDITOR: 'true',
    GIT_MERGE_AUTOEDIT: 'no',
  };
}

export class ScratchRepository {
  /** Holds `work` (the clone), `origin.git`, `sub.git`, and whatever steps put beside them. */
  readonly base: string;
  readonly worktree: string;
  readonly clonedTags: ReadonlyMap<string, string>;

  constructor(base: string) {
    this.base = base;
    this.worktree = join(base, 'work');
    const lines = this.git('show-ref', '--tags').split('\n').filter(Boolean);
    this.clonedTags = new Map(lines.map((line) => [line.slice(41), line.slice(0, 40)]));
  }

  /** Runs git in the clone; throws with its words when it fails. */
  git(...args: string[]): string {
    return runGit(this.worktree, args).toString('latin1');
  }

  /** Runs git in the clone; a failure (a conflict, mostly) is part of the story. */
  tryGit(...args: string[]): void {
    spawnSync('git', args, { cwd: this.worktree, env: gitEnv() });
  }

  /** As tryGit, at the time that it really is. */
  tryGitNow(...args: string[]): void {
    const env = { ...gitEnv(), GIT_AUTHOR_DATE: undefined, GIT_COMMITTER_DATE: undefined };
    spawnSync('git', args, { cwd: this.worktree, env });
  }

  path(name: string): string {
    return join(this.worktree, name);
  }

  write(name: string, content: string | Buffer): void {
    writeFile(this.path(name), content);
  }

  exists(name: string): boolean {
    return statOrUndefined(() => lstatSync(this.path(name))) !== undefined;
  }

  remove(): void {
    rmSync(this.base, { recursive: true, force: true });
  }

  /** What real git says would be lost. */
  async expectedRisk(): Promise<Expected | null> {
    const tags = [...this.clonedTags.values()];
    const answers = (await runScript(this.worktree, QUESTIONS, tags)).split(BETWEEN);
    const [plain = '', unpushed = '', stashList = '', words = '', listed = ''] = answers;
    const marked = listed.split('\0').filter((line) => /^[a-zS] /.test(line));
    const status = this.#count(marked.length === 0 ? plain : await this.#withoutBlinkers(marked));
    const operation = this.#operation(words);
    const stashes = stashList.split('\n').filter(Boolean).length;
    const unpushedCommits = Number(unpushed);
    if (status.paths_total + unpushedCommits + stashes === 0 && operation === null) return null;
    return { ...status, unpushed_commits: unpushedCommits, stashes, operation, unknown: null };
  }

  #count(output: string) {
    const counts = { staged: 0, unstaged: 0, untracked: 0, conflicted: 0 };
    const paths = new Set<string>();
    let untrackedBytes = 0;
    for (const line of output.split('\0').filter(Boolean)) {
      const kind = line.charAt(0);
      const path = line.split(' ').slice({ '1': 8, u: 10, '?': 1 }[kind]).join(' ');
      paths.add(path);
      if (kind === 'u') counts.conflicted++;
      if (kind === '1' && line.charAt(2) !== '.') counts.staged++;
      if (kind === '1' && line.charAt(3) !== '.') counts.unstaged++;
      if (kind !== '?') continue;
      counts.untracked++;
      const stats = lstatSync(Buffer.from(`${this.worktree}/${path}`, 'latin1'));
      if (!stats.isDirectory()) untrackedBytes += stats.size;
    }
    return { ...counts, untracked_bytes: untrackedBytes, paths_total: paths.size };
  }

  /**
   * The ledger also looks at files that git was told not to look at. So that git answers the same
   * question, it gets a copy of the index in which those marks are off.
   */
  async #withoutBlinkers(marked: readonly string[]): Promise<string> {
    const index = join(this.base, 'index-copy');
    cpSync(this.path('.git/index'), index, { preserveTimestamps: true });
    const env = { GIT_INDEX_FILE: index };
    for (const line of marked) {
      const name = line.slice(2);
      if (/^s/i.test(line) && !this.#isReallyThere(name)) continue;
      for (const option of ['--no-skip-worktree', '--no-assume-unchanged']) {
        runGit(this.worktree, ['update-index', option, '--', name], env);
      }
    }
    return await runScript(this.worktree, STATUS, [], env);
  }

  /** And not at the end of a linked directory. */
  #isReallyThere(name: string): boolean {
    return this.exists(name) && realpathSync(dirname(this.path(name))) === dirname(this.path(name));
  }

  /** In git's own words. */
  #operation(words: string): string | null {
    // A merge in the middle of a rebase: git speaks of the merge, the ledger of the whole.
    if (existsSync(this.path('.git/rebase-merge'))) return 'rebase';
    if (/rebase in progress|currently (rebasing|editing)/.test(words)) return 'rebase';
    if (/still merging|fix conflicts and run "git commit"/.test(words)) {
      // A stash that did not apply leaves conflicts too, and no merge.
      if (existsSync(this.path('.git/MERGE_HEAD'))) return 'merge';
    }
    if (/am session/.test(words)) return 'am';
    if (/cherry-pick/i.test(words)) return 'cherry-pick';
    if (/revert/i.test(words)) return 'revert';
    return /bisecting/.test(words) ? 'bisect' : null;
  }
}

type Expected = Omit<Risk, 'paths' | 'branches' | 'repositories'>;

const BETWEEN = '\n-- 8< --\n';
const STATUS = 'git status --porcelain=v2 --no-renames --untracked-files=all -z';
/** All questions in one shell: processes are what a history costs. Arguments: the cloned tags. */
const QUESTIONS = [
  STATUS,
  'heads=$(git worktree list --porcelain | sed -n "/^HEAD 0*$/d; s/^HEAD //p")\n' +
    'git rev-list --count --branches --tags $heads --not --remotes "$@"',
  'git stash list',
  'git status --no-ahead-behind -uno',
  'git ls-files -v -z',
].join(`\nprintf '${BETWEEN.replaceAll('\n', '\\n').replace('--', '%s')}' --\n`);

const run = promisify(execFile);

async function runScript(
  cwd: string,
  script: string,
  args: readonly string[],
  env: NodeJS.ProcessEnv = {},
): Promise<string> {
  const { stdout } = await run('sh', ['-ec', script, 'sh', ...args], {
    cwd,
    env: { ...gitEnv(), GIT_OPTIONAL_LOCKS: '0', ...env },
    encoding: 'latin1',
    maxBuffer: 2 ** 28,
  });
  return stdout;
}

export function runGit(cwd: string, args: string[], env: NodeJS.ProcessEnv = {}): Buffer {
  const options = { cwd, env: { ...gitEnv(), ...env }, maxBuffer: 2 ** 28 };
  const { status, stdout, stderr } = spawnSync('git', args, options);
  if (status !== 0) throw new Error(`git ${args.join(' ')}: ${stderr.toString()}`);
  return stdout;
}

function writeFile(path: string, content: string | Buffer): void {
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, content);
}

/** Makes the repositories once; copies of the directory are cheap. */
export function createTemplate(): string {
  const base = mkdtempSync(join(SCRATCH, 'ledger-template-'));
  const author = join(base, 'author');
  mkdirSync(author);
  const git = (...args: string[]): void => void runGit(author, args);
  git('init', '-q', '-b', 'main');
  for (let n = 0; n < 4; n++) {
    for (const directory of ['', 'src/', 'src/deep/er/', 'docs/']) {
      writeFile(join(author, `${directory}file${n}.txt`), `${directory} ${n}\nline\nline\n`);
    }
  }
  writeFile(join(author, 'empty'), '');
  writeFile(join(author, 'crlf.txt'), 'one\r\ntwo\r\n');
  writeFile(join(author, 'run.sh'), '#!/bin/sh\n');
  chmodSync(join(author, 'run.sh'), 0o755);
  symlinkSync('src/file1.txt', join(author, 'link'));
  writeFile(join(author, '.gitignore'), '*.log\nbuild/\n/only-here\n!keep.log\n');
  writeFile(join(author, 'src/.gitignore'), 'tmp*\n!tmp-kept\n');
  git('add', '-A');
  git('commit', '-qm', 'one');
  git('checkout', '-qb', 'release');
  writeFile(join(author, 'release.txt'), 'release\n');
  git('add', '-A');
  git('commit', '-qm', 'release');
  git('tag', '-a', '-m', 'released', 'v1.0');
  git('checkout', '-q', 'main');
  git('branch', '-D', 'release');
  for (const word of ['two', 'three', 'four']) {
    writeFile(join(author, 'src/file2.txt'), `${word}\nline\nline\n`);
    git('commit', '-qam', word);
  }
  git('tag', 'light');
  git('checkout', '-qb', 'topic', 'HEAD~1');
  writeFile(join(author, 'src/file2.txt'), 'topic\nline\nline\n');
  writeFile(join(author, 'topic.txt'), 'topic\n');
  git('add', '-A');
  git('commit', '-qm', 'topic');
  git('checkout', '-q', 'main');
  runGit(base, ['clone', '-q', '--bare', 'author', 'origin.git']);
  runGit(base, ['clone', '-q', '--bare', 'author', 'sub.git']);
  rmSync(author, { recursive: true });
  // At the time that it really is: what a clone leaves tells which tags came with it.
  runGit(base, ['clone', '-q', 'origin.git', 'work'], { GIT_COMMITTER_DATE: undefined });
  return base;
}

/** A fresh copy; git refreshes the index, because a copy has other inodes and times. */
export function copyTemplate(template: string): ScratchRepository {
  const base = mkdtempSync(join(SCRATCH, 'ledger-'));
  cpSync(template, base, { recursive: true, verbatimSymlinks: true, preserveTimestamps: true });
  const repository = new ScratchRepository(base);
  repository.git('remote', 'set-url', 'origin', join(base, 'origin.git'));
  repository.git('update-index', '-q', '--refresh');
  return repository;
}

/** Names, kinds, modes, contents and change times of everything below: equal when nothing was written. */
export function fingerprint(directory: string): string {
  const hash = createHash('sha256');
  const visit = (path: Buffer): void => {
    const stats = lstatSync(path, { bigint: true });
    hash.update(path).update(`${stats.mode} ${stats.size} ${stats.mtimeNs} ${stats.ctimeNs}`);
    if (stats.isSymbolicLink()) hash.update(readlinkSync(path, 'buffer'));
    if (stats.isFile()) hash.update(readFileSync(path));
    if (!stats.isDirectory()) return;
    for (const name of readdirSync(path, { encoding: 'buffer' }).sort((a, b) => a.compare(b))) {
      visit(Buffer.concat([path, Buffer.from('/'), name]));
    }
  };
  visit(Buffer.from(directory));
  return hash.digest('hex');
}
