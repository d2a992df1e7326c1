/**
 * A session in a fresh temporary directory for the tests of credentials/: resources with canary
 * tokens, the run directory written for them, and real programs run in the command's environment.
 */
import { execFileSync, spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { searchForTokens } from '../canary.ts';
import type { Finding } from '../canary.ts';
import { CredentialFiles } from '../../agent/credentials/credential-files.ts';
import type { CredentialFilesContext } from '../../agent/credentials/credential-files.ts';
import { commandEnvironment } from '../../agent/credentials/environment.ts';
import type { Resource } from '../../agent/resource.ts';
import { Token } from '../../agent/token.ts';

/** git before 2.37 knows no push.autoSetupRemote: a new branch has to be told where it goes. */
const [, major = 0, minor = 0] =
  /(\d+)\.(\d+)/.exec(execFileSync('git', ['--version'], { encoding: 'utf8' }))?.map(Number) ?? [];
export const PUSH: readonly string[] =
  major > 2 || minor >= 37 ? ['push', '-q'] : ['push', '-q', '-u', 'origin', 'HEAD'];

export interface RunOutcome {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stdout: string;
  readonly stderr: string;
}

export interface RunOptions {
  readonly cwd?: string;
  readonly env?: Readonly<Record<string, string | undefined>>;
  readonly stdin?: string | Buffer;
}

export function run(
  program: string,
  args: readonly string[],
  options: RunOptions = {},
): Promise<RunOutcome> {
  return new Promise((resolve, reject) => {
    const child = spawn(program, args, { cwd: options.cwd, env: { ...options.env } });
    let stdout = '';
    let stderr = '';
    child.stdout.setEncoding('utf8').on('data', (text: string) => (stdout += text));
    child.stderr.setEncoding('utf8').on('data', (text: string) => (stderr += text));
    child.on('error', reject);
    child.on('close', (code, signal) => {
      resolve({ code, signal, stdout, stderr });
    });
    // A program that reads no input ends before it is written.
    child.stdin.on('error', (error: NodeJS.ErrnoException) => {
      if (error.code !== 'EPIPE') reject(error);
    });
    child.stdin.end(options.stdin ?? '');
  });
}

export interface ResourceParts {
  readonly url: string;
  readonly mountPath: string;
  readonly token: string;
}

export function resourceOf({ url, mountPath, token }: ResourceParts): Resource {
  const { protocol, host, pathname } = new URL(url);
  const [, owner = '', name = ''] = pathname.split('/');
  return {
    type: 'github_repository',
    id: null,
    url,
    protocol: protocol === 'http:' ? 'http' : 'https',
    host,
    owner,
    name,
    mountPath,
    token: new Token(token),
    checkout: null,
  };
}

/** The environment that the daemon of a test has: nothing of this machine's configuration. */
export function cleanEnvironment(home: string): Record<string, string> {
  return {
    PATH: process.env['PATH'] ?? '',
    HOME: home,
    LC_ALL: 'C',
    GIT_CONFIG_NOSYSTEM: '1',
    GIT_CONFIG_GLOBAL: '/dev/null',
    GIT_AUTHOR_NAME: 'A',
    GIT_AUTHOR_EMAIL: 'a@example.com',
    GIT_AUTHOR_DATE: '2024-01-01T00:00:00Z',
    GIT_COMMITTER_NAME: 'A',
    GIT_COMMITTER_EMAIL: 'a@example.com',
    GIT_COMMITTER_DATE: '2024-01-01T00:00:00Z',
  };
}

export class Session {
  readonly root = realpathSync(mkdtempSync(join(tmpdir(), 'credentials-')));
  readonly runDirectory: string;
  readonly home = join(this.root, 'home');
  readonly files: CredentialFiles;
  /** Tokens that were made known before they were written. */
  readonly announced: string[] = [];

  /** @param systemText the content of the system's git configuration; null: there is none. */
  constructor(
    changes: Partial<CredentialFilesContext> = {},
    systemText: ((session: Session) => string) | null = null,
    runDirectory: readonly string[] = ['run'],
  ) {
    this.runDirectory = join(this.root, ...runDirectory);
    mkdirSync(this.home);
    const system = join(this.root, 'etc-gitconfig');
    if (systemText !== null) writeFileSync(system, systemText(this));
    this.files = new CredentialFiles({
      runDirectory: this.runDirectory,
      owner: null,
      readerUid: process.getuid?.() ?? 0,
      systemGitConfig: systemText === null ? null : system,
      onToken: (token) => this.announced.push(token.reveal()),
      ...changes,
    });
  }

  directory(...names: readonly string[]): string {
    const path = join(this.root, ...names);
    mkdirSync(path, { recursive: true });
    return path;
  }

  environment(
    extra: Readonly<Record<string, string | undefined>> = {},
  ): Record<string, string | undefined> {
    const base = cleanEnvironment(this.home);
    return { ...commandEnvironment(base, this.files.commandContext), ...extra };
  }

  run(program: string, args: readonly string[], options: RunOptions = {}): Promise<RunOutcome> {
    return run(program, args, {
      cwd: this.root,
      ...options,
      env: this.environment(options.env),
    });
  }

  /** An empty repository, made without the session's configuration. */
  async repository(...names: readonly string[]): Promise<string> {
    const path = this.directory(...names);
    const env = cleanEnvironment(this.home);
    await run('git', ['init', '-q', '-b', 'main', path], { env });
    await run('git', ['-C', path, 'commit', '-q', '--allow-empty', '-m', 'x'], { env });
    return path;
  }

  /** The password that git finds in `cwd` for `url`, or null. */
  async passwordFor(url: string, cwd: string): Promise<string | null> {
    const { stdout } = await this.run('git', ['credential', 'fill'], {
      cwd,
      stdin: `url=${url}\n\n`,
    });
    return /^password=(.*)$/m.exec(stdout)?.[1] ?? null;
  }

  /** Where else than in their own files the tokens stand, in everything that the session left. */
  findTokens(tokens: readonly string[]): Promise<Finding[]> {
    return searchForTokens(tokens, {
      directories: [this.root],
      allow: [
        join(this.runDirectory, 'env'),
        `${join(this.runDirectory, 'credentials')}/`,
        `${join(this.runDirectory, 'gh')}/`,
      ],
    });
  }

  remove(): void {
    rmSync(this.root, { recursive: true, force: true });
  }
}
