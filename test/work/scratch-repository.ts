/**
 * A clone with a bit of everything in a fresh temp directory, to be worked in with real git; what git
 * says about it stands in git-answers.ts.
 */
import { createHash } from 'node:crypto';
import {
  chmodSync,
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { statOrUndefined } from '../../agent/repository/repository.ts';
import { Shell } from './git-shell.ts';
import type { ShellOutcome } from './git-shell.ts';
import { askGit } from './git-answers.ts';
import type { ExpectedRisk } from './git-answers.ts';

/** In memory where that can be had: histories are made of small files. */
const SCRATCH = existsSync('/dev/shm') ? '/dev/shm' : tmpdir();

/** Clean of the machine's configuration. */
const GIT_ENV = {
  HOME: '/nonexistent',
  LC_ALL: 'C',
  GIT_CONFIG_NOSYSTEM: '1',
  GIT_CONFIG_GLOBAL: fileURLToPath(new URL('scratch.gitconfig', import.meta.url)),
  GIT_TEMPLATE_DIR: '',
  GIT_AUTHOR_NAME: 'A U Thor',
  GIT_AUTHOR_EMAIL: 'author@example.com',
  GIT_COMMITTER_NAME: 'C O Mitter',
  GIT_COMMITTER_EMAIL: 'committer@example.com',
  GIT_ALLOW_PROTOCOL: 'file',
  GIT_EDITOR: 'true',
  GIT_MERGE_AUTOEDIT: 'no',
};

/** Commits of copies are younger than those of the template, and the same in each copy. */
const COPIES_BEGIN = 1_700_001_000;
let clock = 1_700_000_000;
let shell: Shell | undefined;

type GitEnv = Readonly<Record<string, string | undefined>>;

/** Each command one second after the last. */
function run(cwd: string, argv: readonly string[], env: GitEnv = {}): ShellOutcome {
  shell ??= new Shell(GIT_ENV);
  const date = `${clock++} +0000`;
  const dates = { GIT_AUTHOR_DATE: date, GIT_COMMITTER_DATE: date };
  return shell.run({ cwd, argv, env: { PATH: process.env['PATH'], ...dates, ...env } });
}

export class ScratchRepository {
  /** Holds `work` (the clone), `origin.git`, `sub.git`, and whatever steps put beside them. */
  readonly base: string;
  readonly worktree: string;
  readonly clonedTags: ReadonlyMap<string, string>;
  /** Whether git may have been told not to look at files: a fresh copy knows that it was not. */
  blinkered = true;
  /** Whether the tags that came with the clone may be gone or elsewhere. */
  retagged = true;

  /** @param clonedTags those that are there, where nobody knows better. */
  constructor(base: string, clonedTags?: ReadonlyMap<string, string>) {
    this.base = base;
    this.worktree = join(base, 'work');
    this.clonedTags = clonedTags ?? readTags(this.worktree);
  }

  /** Runs git in the clone; throws with its words when it fails. */
  git(...args: string[]): string {
    this.#note(args);
    return runGit(this.worktree, args).toString('latin1');
  }

  /** Runs git in the clone; a failure (a conflict, mostly) is part of the story. */
  tryGit(...args: string[]): void {
    this.#note(args);
    run(this.worktree, ['git', ...args]);
  }

  /** As tryGit, at the time that it really is. */
  tryGitNow(...args: string[]): void {
    const now = { GIT_AUTHOR_DATE: undefined, GIT_COMMITTER_DATE: undefined };
    run(this.worktree, ['git', ...args], now);
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
  expectedRisk(): ExpectedRisk | null {
    return askGit(this).risk;
  }

  #note(args: readonly string[]): void {
    this.retagged ||= args[0] === 'tag';
    this.blinkered ||=
      args[0] === 'sparse-checkout' ||
      args.some((arg) => /^--(?:assume-unchanged|skip-worktree)$/.test(arg));
  }
}

/** Full name → oid. */
export function readTags(worktree: string): Map<string, string> {
  const lines = runGit(worktree, [
    'for-each-ref',
    '--format=%(objectname) %(refname)',
    'refs/tags',
  ]);
  const found = lines.toString('latin1').split('\n').filter(Boolean);
  return new Map(found.map((line) => [line.slice(41), line.slice(0, 40)]));
}

export function runGit(cwd: string, args: readonly string[], env: GitEnv = {}): Buffer {
  return runOrThrow(cwd, ['git', ...args], env);
}

function runOrThrow(cwd: string, argv: readonly string[], env: GitEnv = {}): Buffer {
  const { status, stdout, stderr } = run(cwd, argv, env);
  if (status !== 0) throw new Error(`${argv.join(' ')}: ${stderr.toString()}`);
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
  git('repack', '-adq');
  runGit(base, ['clone', '-q', '--bare', 'author', 'origin.git']);
  runGit(base, ['clone', '-q', '--bare', 'author', 'sub.git']);
  rmSync(author, { recursive: true });
  // At the time that it really is: what a clone leaves tells which tags came with it.
  runGit(base, ['clone', '-q', 'origin.git', 'work'], { GIT_COMMITTER_DATE: undefined });
  return base;
}

const tagsOfTemplates = new Map<string, ReadonlyMap<string, string>>();

/** A fresh copy; git refreshes the index, because a copy has other inodes and times. */
export function copyTemplate(template: string): ScratchRepository {
  const base = mkdtempSync(join(SCRATCH, 'ledger-'));
  const tags = tagsOfTemplates.get(template) ?? readTags(join(template, 'work'));
  tagsOfTemplates.set(template, tags);
  clock = COPIES_BEGIN;
  runOrThrow(base, ['cp', '-a', `${template}/.`, '.']);
  const repository = new ScratchRepository(base, tags);
  const config = repository.path('.git/config');
  writeFileSync(config, readFileSync(config, 'utf8').replaceAll(template, base));
  repository.git('update-index', '-q', '--refresh');
  [repository.blinkered, repository.retagged] = [false, false];
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
