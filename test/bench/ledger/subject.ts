/**
 * The worktree that the ledger is measured on: 50,000 files in 5,000 directories, clean, with a
 * branch `other` in which 10,000 of them differ. Made by git fast-import in a second.
 */
import { spawnSync } from 'node:child_process';

export const FILES = 50_000;
export const DIRECTORIES = 5_000;
export const SWITCHED_FILES = 10_000;
const CLEAN = { GIT_CONFIG_NOSYSTEM: '1', GIT_CONFIG_GLOBAL: '/dev/null', LC_ALL: 'C' };

export const ENVIRONMENT = { PATH: process.env['PATH'] ?? '', HOME: '/nonexistent', ...CLEAN };

export function git(worktree: string, args: readonly string[], input?: string): string {
  const options = { cwd: worktree, env: ENVIRONMENT, maxBuffer: 2 ** 28, input: input ?? '' };
  const { status, stdout, stderr } = spawnSync('git', args, options);
  if (status !== 0) throw new Error(`git ${args.join(' ')}: ${stderr.toString()}`);
  return stdout.toString();
}

export function fileName(at: number): string {
  const directory = at % DIRECTORIES;
  return `src/p${directory % 50}/m${directory}/file${Math.floor(at / DIRECTORIES)}.ts`;
}

export function createSubject(worktree: string): void {
  git(worktree, ['init', '-q', '-b', 'main']);
  const stream: string[] = [];
  const data = (text: string): void => void stream.push(`data ${text.length}\n${text}\n`);
  const commit = (branch: string, date: number): void => {
    stream.push(`commit refs/heads/${branch}\ncommitter A <a@example.com> ${date} +0000\n`);
    data(branch);
  };
  commit('main', 1_700_000_000);
  for (let at = 0; at < FILES; at++) {
    stream.push(`M 100644 inline ${fileName(at)}\n`);
    data(`export const value${at} = ${at};\n`.repeat(20));
  }
  stream.push('M 100644 inline .gitignore\n');
  data('node_modules/\n*.log\n');
  commit('other', 1_700_000_001);
  stream.push('from refs/heads/main\n');
  // Two in each directory: no directory can be passed over.
  for (let at = 0; at < SWITCHED_FILES; at++) {
    stream.push(`M 100644 inline ${fileName(at)}\n`);
    data(`export const other${at} = ${at};\n`.repeat(21));
  }
  git(worktree, ['fast-import', '--quiet'], stream.join(''));
  for (const branch of ['main', 'other']) {
    git(worktree, ['update-ref', `refs/remotes/origin/${branch}`, branch]);
  }
  git(worktree, ['reset', '-q', '--hard']);
}
