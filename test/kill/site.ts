/**
 * One place where the program is killed again and again: a run directory, a mount and a manifest, in
 * front of a shared host. Says what is on the disk, and what must be true of it at any moment.
 */
import { execFileSync, spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { searchForTokens } from '../canary.ts';
import { PROGRAM } from '../end-to-end/session.ts';
import { CLEAN_GIT_ENVIRONMENT } from '../fixtures/cache.ts';
import { TOKENS } from '../host/host-fixture.ts';
import type { Host } from '../host/host.ts';

export const TOKEN = TOKENS.web;
/** Reads the same repository: what the first one is rotated to. */
export const NEXT_TOKEN = TOKENS.reader;
const LONGEST_MS = 300_000;
/** One for the file system and none of V8's, so that the n-th call is most often the same call. */
export const FEW_THREADS = { UV_THREADPOOL_SIZE: '1', NODE_OPTIONS: '--v8-pool-size=0' };

export interface Ended {
  readonly code: number | null;
  readonly killed: boolean;
  readonly output: string;
}

export class KillSite {
  readonly directory: string;
  readonly mountPath: string;
  readonly runDir: string;
  readonly manifestPath: string;
  readonly #host: Host;

  constructor(host: Host, directory: string) {
    this.#host = host;
    this.directory = directory;
    this.mountPath = join(directory, 'app/web');
    this.runDir = join(directory, 'run');
    this.manifestPath = join(directory, 'manifest.json');
  }

  /** As before the first start. */
  reset(): void {
    rmSync(this.directory, { recursive: true, force: true });
    mkdirSync(join(this.directory, 'app'), { recursive: true });
    this.dropManifest(TOKEN);
  }

  dropManifest(token: string): void {
    const url = this.#host.url('acme', 'web');
    const resources = [{ type: 'github_repository', url, authorization_token: token }];
    const text = JSON.stringify({ session_id: 'sess_kill', resources });
    writeFileSync(`${this.manifestPath}.new`, text, { mode: 0o600 });
    renameSync(`${this.manifestPath}.new`, this.manifestPath);
  }

  /** How often the host was asked for the refs or a pack. */
  get fetches(): number {
    return this.#host.requests.filter(({ service }) => service === 'git-upload-pack').length;
  }

  /** `mount-agent COMMAND …`, behind `prefix` if there is one. */
  start(prefix: readonly string[], command: string, ...args: readonly string[]): ChildProcess {
    const flags = ['--manifest', this.manifestPath, '--mount-root', join(this.directory, 'app')];
    flags.push(
      '--run-dir',
      this.runDir,
      '--allow-http',
      '--retry-for',
      '0',
      '--log-format',
      'json',
    );
    if (command === 'run') flags.push('--listen', '127.0.0.1:0');
    const [program = '', ...rest] = [
      ...prefix,
      process.execPath,
      PROGRAM,
      command,
      ...flags,
      ...args,
    ];
    const home = { HOME: this.directory, ...FEW_THREADS };
    const env = { ...CLEAN_GIT_ENVIRONMENT, ...this.#host.environment, ...home };
    return spawn(program, rest, { cwd: this.directory, env, stdio: ['ignore', 'pipe', 'pipe'] });
  }

  async run(
    prefix: readonly string[],
    command: string,
    ...args: readonly string[]
  ): Promise<Ended> {
    return endOf(this.start(prefix, command, ...args));
  }

  /** What is wrong with the mount: nothing when it is absent or a complete clone. */
  mountViolations(): string[] {
    if (!existsSync(this.mountPath)) return [];
    const found: string[] = [];
    for (const args of [
      ['fsck', '--full', '--strict'],
      ['rev-parse', '--verify', 'HEAD^{commit}'],
    ]) {
      try {
        this.git(...args);
      } catch (error) {
        found.push(`I1: git ${args.join(' ')}: ${String(error)}`);
      }
    }
    return found;
  }

  /** The mount after a start that was not disturbed: there, whole, and nothing beside it. */
  settledViolations(): string[] {
    if (!existsSync(this.mountPath)) return ['I3: the next start did not make the mount'];
    const beside = readdirSync(join(this.directory, 'app')).filter((name) => name !== 'web');
    const stale = beside.map((name) => `I3: left behind: ${name}`);
    const drafts = readdirSync(join(this.mountPath, '.git'), { recursive: true })
      .map(String)
      .filter((name) => /tmp_|\.lock$|\.new$/.test(name));
    return [
      ...this.mountViolations(),
      ...stale,
      ...drafts.map((name) => `I3: left in .git: ${name}`),
    ];
  }

  /** @param drafts whether files that were being written may still be there, as private as the rest. */
  async tokenViolations(drafts: 'drafts may be left' | 'no drafts'): Promise<string[]> {
    const run = this.runDir;
    const names = drafts === 'no drafts' || !existsSync(run) ? [] : readdirSync(run);
    const findings = await searchForTokens([TOKEN, NEXT_TOKEN], {
      directories: [this.directory],
      allow: [
        this.manifestPath,
        `${this.manifestPath}.new`,
        ...names.filter((name) => name.startsWith('.new-')).map((name) => join(run, name)),
        join(run, 'env'),
        `${join(run, 'credentials')}/`,
        `${join(run, 'gh')}/`,
      ],
    });
    return findings.map(({ where, form }) => `I4: ${form} in ${where}`);
  }

  /** Everything of the user's in the mount: files, index, refs, logs; as one digest. */
  userState(): string {
    const hash = createHash('sha256');
    for (const name of readdirSync(this.mountPath, { recursive: true }).map(String).sort()) {
      const path = join(this.mountPath, name);
      const stats = lstatSync(path);
      hash.update(`${name} ${stats.mode} ${stats.mtimeMs}\n`);
      if (stats.isFile()) hash.update(readFileSync(path));
    }
    return hash.digest('hex');
  }

  /** Names, modes and bytes of all below the mount, with the place of it. */
  mountDigest(): string {
    const hash = createHash('sha256').update(this.mountPath);
    const visit = (path: string): void => {
      const stats = lstatSync(path);
      hash.update(`${path}\0${stats.mode}\0`);
      if (stats.isSymbolicLink()) hash.update(readlinkSync(path));
      else if (stats.isFile()) hash.update(readFileSync(path));
      else for (const name of readdirSync(path).sort()) visit(join(path, name));
    };
    visit(this.mountPath);
    return hash.digest('hex');
  }

  /** What a reader of each token file would get. */
  heldTokens(): string[] {
    const directory = join(this.runDir, 'credentials');
    return readdirSync(directory)
      .filter((name) => /-[0-9a-f]{12}$/.test(name))
      .map((name) => readFileSync(join(directory, name), 'utf8').replace(/\n$/, ''));
  }

  /** What git is given for the mount's host. */
  credential(): string {
    const { origin } = new URL(this.#host.url('acme', 'web'));
    const [protocol = '', host = ''] = origin.split('://');
    const system = { GIT_CONFIG_SYSTEM: join(this.runDir, 'system.gitconfig') };
    return execFileSync('git', ['credential', 'fill'], {
      cwd: this.mountPath,
      env: {
        ...CLEAN_GIT_ENVIRONMENT,
        ...system,
        GIT_CONFIG_NOSYSTEM: '',
        GIT_TERMINAL_PROMPT: '0',
      },
      input: `protocol=${protocol}\nhost=${host}\npath=acme/web\n\n`,
      encoding: 'utf8',
      stdio: 'pipe',
    });
  }

  /** strace on a program that runs already. */
  async attach(
    prefix: readonly string[],
    pid: number,
  ): Promise<{ readonly ended: Promise<Ended> }> {
    const [program = '', ...args] = prefix;
    const tracer = spawn(program, [...args.filter((arg) => arg !== '-qq'), '-p', String(pid)], {
      stdio: ['ignore', 'ignore', 'pipe'],
    });
    const ended = endOf(tracer);
    await new Promise<void>((resolve, reject) => {
      tracer.stderr.on('data', (text: string) => {
        if (text.includes('attached')) resolve();
      });
      tracer.once('close', reject);
    });
    return { ended };
  }

  git(...args: string[]): string {
    return execFileSync('git', args, {
      cwd: this.mountPath,
      env: { ...CLEAN_GIT_ENVIRONMENT, GIT_OPTIONAL_LOCKS: '0' },
      encoding: 'utf8',
      stdio: 'pipe',
    });
  }
}

export function endOf(child: ChildProcess): Promise<Ended> {
  let output = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream?.setEncoding('utf8').on('data', (text: string) => (output += text));
  }
  const timer = setTimeout(() => child.kill('SIGKILL'), LONGEST_MS);
  return new Promise((resolve) => {
    child.once('close', (code, signal) => {
      clearTimeout(timer);
      // strace ends as what it traces did.
      resolve({ code, killed: signal === 'SIGKILL' || code === 137, output });
    });
  });
}
