/**
 * The built program as a process, with a manifest of its own and whatever stands around it: a PID
 * namespace, tini, pipes that nobody reads. Disposing of it ends every process that it started.
 */
import { spawn } from 'node:child_process';
import type { ChildProcess, StdioOptions } from 'node:child_process';
import { mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { get } from 'node:http';
import { createServer } from 'node:net';
import type { AddressInfo, Server, Socket } from 'node:net';
import { once } from 'node:events';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { errnoOf } from '../../agent/errors.ts';

const PROGRAM = fileURLToPath(new URL('../../dist/main.js', import.meta.url));
const DEADLINE_MS = 25_000;

export interface DaemonOptions {
  /** Before `node main.js run …`. */
  readonly before?: readonly string[];
  readonly flags?: readonly string[];
  readonly command?: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  /** URLs to be mounted. */
  readonly urls?: readonly string[];
  readonly stdio?: StdioOptions;
}

export class Daemon implements AsyncDisposable {
  readonly directory = mkdtempSync(join(tmpdir(), 'entrypoint-'));
  readonly exitCode: Promise<number | null>;
  readonly #child: ChildProcess;
  output = '';

  constructor(options: DaemonOptions) {
    const { before = [], flags = [], command = [], urls = [] } = options;
    const manifest = join(this.directory, 'manifest.json');
    const resources = urls.map((url) => ({
      ...{ type: 'github_repository', url, authorization_token: 'ghp_none0123456789' },
    }));
    writeFileSync(manifest, JSON.stringify({ session_id: 'sess_entrypoint', resources }));
    const places = ['--run-dir', join(this.directory, 'run'), '--mount-root', this.directory];
    const run = ['run', '--manifest', manifest, '--allow-http', '--listen', '127.0.0.1:0'];
    const rest = command.length === 0 ? [] : ['--', ...command];
    const argv = [...before, process.execPath, PROGRAM, ...run, ...places, ...flags, ...rest];
    this.#child = spawn(argv[0] ?? '', argv.slice(1), {
      stdio: options.stdio ?? ['ignore', 'pipe', 'pipe'],
      env: { PATH: process.env['PATH'] ?? '', DIRECTORY: this.directory, ...options.env },
    });
    for (const stream of [this.#child.stdout, this.#child.stderr]) {
      stream?.setEncoding('utf8').on('data', (text: string) => (this.output += text));
    }
    this.exitCode = once(this.#child, 'exit').then(([code]) => code as number | null);
  }

  /** @throws when it could not be started at all. */
  get pid(): number {
    const { pid } = this.#child;
    if (pid === undefined) throw new Error('the program was not started');
    return pid;
  }

  get log(): Record<string, unknown>[] {
    const lines = this.output.split('\n').filter((line) => /^\{.*\}$/.test(line));
    return lines.map((line) => JSON.parse(line) as Record<string, unknown>);
  }

  logged(message: string): Promise<Record<string, unknown>> {
    return eventually(
      () => this.log.find(({ msg }) => String(msg).includes(message)),
      () => `"${message}" in ${this.output}`,
    );
  }

  /** Waits for words that the command says. */
  said(words: string): Promise<true> {
    return eventually(
      () => this.output.includes(words),
      () => `"${words}" in ${this.output}`,
    );
  }

  async get(path: string): Promise<number> {
    const { listen } = await this.logged('serving');
    return statusOf((listen as { port: number }[])[0]?.port ?? 0, path);
  }

  /** To the program itself, also where `before` has started it. */
  async signal(signal: NodeJS.Signals): Promise<void> {
    process.kill(await this.ownPid(), signal);
  }

  /** The process that runs the program, as this side of a namespace numbers it. */
  async ownPid(): Promise<number> {
    return eventually(
      () => [this.pid, ...descendantsOf(this.pid)].find((pid) => commandLineOf(pid)[1] === PROGRAM),
      () => 'the program to start',
    );
  }

  async [Symbol.asyncDispose](): Promise<void> {
    // Never a kill by a number that stands for a group, or for everybody.
    const all = [this.pid, ...descendantsOf(this.pid), ...processesOf(this.directory)];
    for (const pid of all) killNow(pid);
    await this.exitCode;
    rmSync(this.directory, { recursive: true });
  }
}

export async function eventually<T>(
  look: () => T | undefined | false | Promise<T | undefined | false>,
  what: () => string,
): Promise<T> {
  const deadline = performance.now() + DEADLINE_MS;
  for (;;) {
    const found = await look();
    if (found !== undefined && found !== false) return found;
    if (performance.now() > deadline) throw new Error(`waited too long for ${what()}`);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

/** A host that takes connections and never answers. */
export class SilentHost implements AsyncDisposable {
  readonly #sockets = new Set<Socket>();
  readonly #server: Server = createServer((socket) => {
    this.#sockets.add(socket);
    socket.on('error', () => undefined);
  });

  static async open(): Promise<SilentHost> {
    const host = new SilentHost();
    host.#server.listen(0, '127.0.0.1');
    await once(host.#server, 'listening');
    return host;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}/acme/web`;
  }

  /** Somebody waits for its answer. */
  async asked(): Promise<void> {
    await eventually(
      () => this.#sockets.size > 0,
      () => 'a connection',
    );
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    this.#server.close();
    await once(this.#server, 'close');
  }
}

export function statusOf(port: number, path: string): Promise<number> {
  return new Promise((resolve, reject) => {
    get({ host: '127.0.0.1', port, path, agent: false }, (response) => {
      response.resume();
      resolve(response.statusCode ?? 0);
    }).on('error', reject);
  });
}

interface Stat {
  readonly pid: number;
  readonly parent: number;
  readonly state: string;
}

/** Those below, by the parents that they have now. */
export function descendantsOf(pid: number): number[] {
  const below = (parent: number): number[] =>
    stats()
      .filter((each) => each.parent === parent)
      .flatMap((each) => [each.pid, ...below(each.pid)]);
  return below(pid);
}

export function zombiesBelow(pid: number): number {
  const below = new Set(descendantsOf(pid));
  return stats().filter((each) => below.has(each.pid) && each.state === 'Z').length;
}

export function isRunning(pid: number): boolean {
  return stats().some((each) => each.pid === pid && each.state !== 'Z');
}

/** Whoever carries the directory in its environment. */
export function processesOf(directory: string): number[] {
  return stats()
    .map(({ pid }) => pid)
    .filter((pid) => textOf(`/proc/${pid}/environ`).includes(`DIRECTORY=${directory}\0`));
}

function stats(): Stat[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .flatMap((name) => {
      const text = textOf(`/proc/${name}/stat`);
      const [state = '', parent] = text.slice(text.lastIndexOf(')') + 2).split(' ');
      return text === '' ? [] : [{ pid: Number(name), parent: Number(parent), state }];
    });
}

function commandLineOf(pid: number): string[] {
  return textOf(`/proc/${pid}/cmdline`).split('\0');
}

/** Nothing, of a process that is gone. */
function textOf(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    if (errnoOf(error) === undefined) throw error;
    return '';
  }
}

function killNow(pid: number): void {
  if (!(pid > 1)) throw new RangeError(`expected a process to kill, got ${pid}`);
  try {
    process.kill(pid, 'SIGKILL');
  } catch (error) {
    if (errnoOf(error) !== 'ESRCH') throw error;
  }
}
