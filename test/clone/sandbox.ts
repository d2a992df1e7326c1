/** A temporary directory with real git in it, in a clean environment with fixed dates. */
import { execFile, execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';

export const GIT_ENV = {
  PATH: process.env['PATH'],
  HOME: '/nonexistent',
  LC_ALL: 'C',
  GIT_CONFIG_NOSYSTEM: '1',
  GIT_CONFIG_GLOBAL: '/dev/null',
  GIT_TERMINAL_PROMPT: '0',
  GIT_AUTHOR_NAME: 'A U Thor',
  GIT_AUTHOR_EMAIL: 'author@example.com',
  GIT_AUTHOR_DATE: '1700000000 +0000',
  GIT_COMMITTER_NAME: 'C O Mitter',
  GIT_COMMITTER_EMAIL: 'committer@example.com',
  GIT_COMMITTER_DATE: '1700000000 +0000',
};

export class Sandbox implements Disposable {
  readonly directory = mkdtempSync(join(tmpdir(), 'mount-agent-clone-'));

  path(...names: string[]): string {
    return join(this.directory, ...names);
  }

  makeDirectory(name: string): string {
    const path = this.path(name);
    mkdirSync(path, { recursive: true });
    return path;
  }

  write(name: string, content: string | Buffer): void {
    mkdirSync(dirname(this.path(name)), { recursive: true });
    writeFileSync(this.path(name), content);
  }

  [Symbol.dispose](): void {
    rmSync(this.directory, { recursive: true, force: true });
  }
}

export function git(cwd: string, ...args: string[]): string {
  return gitWithInput(cwd, '', ...args);
}

export function gitWithInput(cwd: string, input: string | Buffer, ...args: string[]): string {
  return execFileSync('git', args, {
    cwd,
    input,
    env: GIT_ENV,
    encoding: 'latin1',
    maxBuffer: 2 ** 28,
  });
}

/** For commands that talk to a server in this very process. */
export async function gitOverNetwork(cwd: string, ...args: string[]): Promise<string> {
  const run = promisify(execFile);
  const { stdout } = await run('git', args, { cwd, env: GIT_ENV, encoding: 'latin1' });
  return stdout;
}

/** A repository `<name>.git` with two branches, tags of both kinds, a symlink and an executable. */
export function makeOrigin(sandbox: Sandbox, name: string): string {
  const work = sandbox.makeDirectory(`${name}-work`);
  git(work, 'init', '--quiet', '--initial-branch=main');
  sandbox.write(`${name}-work/README.md`, '# origin\n');
  sandbox.write(`${name}-work/src/run.sh`, '#!/bin/sh\necho hello\n');
  execFileSync('chmod', ['+x', join(work, 'src/run.sh')]);
  execFileSync('ln', ['-s', 'src/run.sh', join(work, 'link')]);
  git(work, 'add', '.');
  git(work, 'commit', '--quiet', '-m', 'first');
  git(work, 'tag', 'light');
  git(work, 'tag', '-a', 'v1.0', '-m', 'annotated');
  git(work, 'branch', 'feature/deep');
  sandbox.write(`${name}-work/README.md`, '# origin\n\nmore\n');
  git(work, 'commit', '--quiet', '-am', 'second');
  const bare = sandbox.path(`${name}.git`);
  git(sandbox.directory, 'clone', '--quiet', '--bare', work, bare);
  git(bare, 'config', 'http.receivepack', 'true');
  git(bare, 'remote', 'remove', 'origin');
  return bare;
}
