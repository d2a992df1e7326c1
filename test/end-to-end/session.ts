/**
 * A session as the platform runs it: the loopback GitHub, a manifest in a fresh directory, and the
 * built program as a real process with an environment of its own. Every test that uses it ends
 * with the search for its tokens, in everything that was written, said or passed on.
 */
import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { mkdir, readFile, readdir, rename, writeFile } from 'node:fs/promises';
import { request } from 'node:http';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect } from 'vitest';
import { errnoOf } from '../../agent/errors.ts';
import type { StatusSnapshot } from '../../agent/status.ts';
import { searchForTokens } from '../canary.ts';
import { CLEAN_GIT_ENVIRONMENT } from '../fixtures/cache.ts';
import { TOKENS, hostWithTwoRepositories, run } from '../host/host-fixture.ts';
import type { HostOptions } from '../host/host.ts';
import type { Ran, TwoRepositories } from '../host/host-fixture.ts';

export const PROGRAM = fileURLToPath(new URL('../../dist/main.js', import.meta.url));
/** A step that takes longer than this hangs; the machine may be busy. */
const STEP_TIMEOUT_MS = 25_000;

export interface ResourceText {
  readonly type?: string;
  readonly url?: string;
  readonly mount_path?: string;
  readonly authorization_token?: string;
  readonly checkout?: unknown;
}

export class TestSession implements AsyncDisposable {
  readonly two: TwoRepositories;
  readonly directory: string;
  readonly runDir: string;
  readonly manifestPath: string;
  /** Beside what every program gets. */
  moreEnvironment: Readonly<Record<string, string>> = {};
  /** What each program is started with: a program and its arguments that start another one. */
  wrapper: readonly string[] = [];
  readonly #programs: RunningProgram[] = [];
  readonly #texts: Record<string, string> = {};

  private constructor(two: TwoRepositories) {
    this.two = two;
    this.directory = join(two.directory, 'session');
    this.runDir = join(this.directory, 'run');
    this.manifestPath = join(this.directory, 'orchestrator', 'manifest.json');
  }

  static async open(options: HostOptions = {}): Promise<TestSession> {
    const session = new TestSession(await hostWithTwoRepositories(options));
    for (const name of ['orchestrator', 'app', 'home']) {
      await mkdir(join(session.directory, name), { recursive: true });
    }
    return session;
  }

  mountPath(name: string): string {
    return join(this.directory, 'app', name);
  }

  /** acme/web and acme/api, each with its own token. */
  get bothResources(): ResourceText[] {
    return [this.resource('web', TOKENS.web), this.resource('api', TOKENS.api)];
  }

  resource(name: string, token: string): ResourceText {
    return {
      type: 'github_repository',
      url: this.two.host.url('acme', name),
      authorization_token: token,
    };
  }

  /** Dropped as an orchestrator does: written aside and renamed. */
  async dropManifest(resources: readonly ResourceText[], more: object = {}): Promise<void> {
    const text = JSON.stringify({ session_id: 'sess_test', ...more, resources });
    await writeFile(`${this.manifestPath}.new`, text, { mode: 0o600 });
    await rename(`${this.manifestPath}.new`, this.manifestPath);
  }

  get environment(): Record<string, string> {
    return {
      ...CLEAN_GIT_ENVIRONMENT,
      GIT_CONFIG_NOSYSTEM: '',
      ...this.two.host.environment,
      HOME: join(this.directory, 'home'),
      ...this.moreEnvironment,
    };
  }

  /** Starts `mount-agent COMMAND …` with the flags that every command of it needs. */
  start(command: string, ...args: string[]): RunningProgram {
    const common = ['--run-dir', this.runDir];
    if (['run', 'mount', 'check'].includes(command)) {
      common.push('--manifest', this.manifestPath, '--allow-http');
      common.push('--mount-root', join(this.directory, 'app'));
    }
    if (command === 'run') common.push('--listen', '127.0.0.1:0');
    const program = new RunningProgram(
      [command, ...common, ...args],
      this.environment,
      this.directory,
      this.wrapper,
    );
    this.#programs.push(program);
    return program;
  }

  /** Runs a command of the program to its end. */
  async call(command: string, ...args: string[]): Promise<Ran> {
    const program = this.start(command, ...args);
    const code = await program.exitCode;
    return { code, stdout: program.stdout, stderr: program.stderr };
  }

  async status(): Promise<StatusSnapshot> {
    const { stdout } = await this.call('status', '--json');
    return JSON.parse(stdout) as StatusSnapshot;
  }

  /** git in a mount, with what the daemon wired and nothing else. */
  git(name: string, ...args: string[]): Promise<Ran> {
    const env = {
      ...this.environment,
      GIT_CONFIG_SYSTEM: join(this.runDir, 'system.gitconfig'),
      GIT_AUTHOR_NAME: 'A U Thor',
      GIT_AUTHOR_EMAIL: 'author@example.com',
      GIT_COMMITTER_NAME: 'A U Thor',
      GIT_COMMITTER_EMAIL: 'author@example.com',
      GIT_TERMINAL_PROMPT: '0',
    };
    return run('git', args, { cwd: this.mountPath(name), env });
  }

  /** Keeps an answer for the search at the end. */
  keep(name: string, text: string): string {
    this.#texts[name] = text;
    return text;
  }

  /** The search in every process that the programs have started and that still runs. */
  async expectNoTokenInProcesses(): Promise<void> {
    const processes = await processTree(this.#programs.map(({ pid }) => pid));
    const findings = await searchForTokens(Object.values(TOKENS), {
      processes,
      allowVariables: ['GH_TOKEN'],
    });
    expect(findings).toEqual([]);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.expectNoTokenInProcesses();
    for (const program of this.#programs) await program.end();
    const output = this.#programs.map((program, at): [string, string] => [
      `output ${at}: ${program.args.join(' ')}`,
      program.stdout + program.stderr,
    ]);
    const findings = await searchForTokens(Object.values(TOKENS), {
      directories: [this.directory],
      texts: { ...Object.fromEntries(output), ...this.#texts },
      allow: [
        this.manifestPath,
        join(this.runDir, 'env'),
        `${join(this.runDir, 'credentials')}/`,
        `${join(this.runDir, 'gh')}/`,
      ],
    });
    await this.two[Symbol.asyncDispose]();
    expect(findings).toEqual([]);
  }
}

export class RunningProgram {
  readonly args: readonly string[];
  readonly exitCode: Promise<number>;
  readonly #child: ChildProcess;
  stdout = '';
  stderr = '';

  constructor(
    args: readonly string[],
    env: Record<string, string>,
    cwd: string,
    wrapper: readonly string[] = [],
  ) {
    this.args = args;
    const [program = '', ...words] = [...wrapper, process.execPath, PROGRAM, ...args];
    this.#child = spawn(program, words, {
      env,
      cwd,
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    this.#child.stdout?.setEncoding('utf8').on('data', (text: string) => (this.stdout += text));
    this.#child.stderr?.setEncoding('utf8').on('data', (text: string) => (this.stderr += text));
    this.exitCode = new Promise((resolve) => {
      this.#child.once('close', (code, signal) => {
        resolve(code ?? (signal === 'SIGKILL' ? 137 : -1));
      });
    });
  }

  get pid(): number {
    return this.#child.pid ?? 0;
  }

  signal(signal: NodeJS.Signals): void {
    this.#child.kill(signal);
  }

  /** Kills what is left of it, and its command with it. */
  async end(): Promise<void> {
    for (const pid of await processTree([this.pid])) {
      try {
        process.kill(pid, 'SIGKILL');
      } catch (error) {
        if (errnoOf(error) !== 'ESRCH') throw error;
      }
    }
    await this.exitCode;
  }

  /** The log so far, a record per line. */
  get log(): Record<string, unknown>[] {
    return this.stderr
      .split('\n')
      .filter((line) => line.startsWith('{') && line.endsWith('}'))
      .map((line) => JSON.parse(line) as Record<string, unknown>);
  }

  /** Waits for a log line with this message. */
  async logged(message: string): Promise<Record<string, unknown>> {
    return eventually(`log line "${message}"`, () =>
      this.log.find(({ msg }) => String(msg).includes(message)),
    );
  }

  async port(): Promise<number> {
    const { listen } = await this.logged('serving');
    return (listen as { port: number }[])[0]?.port ?? 0;
  }

  /** Asks the health endpoint. */
  async get(path: string): Promise<{ readonly code: number; readonly body: string }> {
    const port = await this.port();
    return new Promise((resolve, reject) => {
      request({ host: '127.0.0.1', port, path, agent: false }, (response) => {
        let body = '';
        response.setEncoding('utf8').on('data', (text: string) => (body += text));
        response.on('end', () => {
          resolve({ code: response.statusCode ?? 0, body });
        });
      })
        .on('error', reject)
        .end();
    });
  }

  async untilReady(): Promise<void> {
    await eventually('/readyz to be 200', async () => (await this.get('/readyz')).code === 200);
  }
}

/** Those of the processes that run, and their descendants. */
async function processTree(roots: readonly number[]): Promise<number[]> {
  const parents = new Map<number, number>();
  for (const name of await readdir('/proc')) {
    const stat = /^\d+$/.test(name) ? await readIfThere(`/proc/${name}/stat`) : undefined;
    // pid (name) state ppid …; the name may hold anything.
    const ppid = stat?.slice(stat.lastIndexOf(')') + 2).split(' ')[1];
    if (ppid !== undefined) parents.set(Number(name), Number(ppid));
  }
  const tree = new Set(roots.filter((pid) => parents.has(pid)));
  for (const pid of tree) {
    for (const [child, parent] of parents) if (parent === pid) tree.add(child);
  }
  return [...tree];
}

/** Looks again and again until the answer is neither false nor undefined. */
export async function eventually<T>(
  what: string,
  look: () => T | undefined | false | Promise<T | undefined | false>,
): Promise<T> {
  const deadline = performance.now() + STEP_TIMEOUT_MS;
  for (;;) {
    const found = await look();
    if (found !== undefined && found !== false) return found;
    if (performance.now() > deadline) throw new Error(`waited too long for ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 25));
  }
}

/** The text of a file, or undefined where there is none (or, in /proc, no such process any more). */
export async function readIfThere(path: string): Promise<string | undefined> {
  try {
    return await readFile(path, 'utf8');
  } catch (error) {
    const errno = errnoOf(error);
    if (errno === 'ENOENT' || errno === 'ESRCH') return undefined;
    throw error;
  }
}
