/**
 * `mount-agent run` as a real process for the demo: what the command says line by line, the log
 * kept for the case of a failure, and the health endpoint as a probe sees it.
 */
import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { request } from 'node:http';
import type { IncomingMessage } from 'node:http';
import { createInterface } from 'node:readline';
import { text } from 'node:stream/consumers';
import type { StatusSnapshot } from '../../agent/status.ts';

export interface DaemonOptions {
  readonly argv: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  readonly cwd: string;
  readonly port: number;
  /** Called with each line of standard output, in order. */
  readonly onLine: (line: string) => void;
}

export class Daemon implements AsyncDisposable {
  /** The exit code, or the signal's name. */
  readonly ended: Promise<number | string>;
  /** Standard error so far. */
  readonly log: string[] = [];
  readonly #child: ChildProcess;
  readonly #port: number;

  constructor({ argv, env, cwd, port, onLine }: DaemonOptions) {
    const [program = '', ...args] = argv;
    const child = spawn(program, args, { cwd, env, stdio: ['ignore', 'pipe', 'pipe'] });
    this.#child = child;
    this.#port = port;
    createInterface({ input: child.stdout }).on('line', onLine);
    createInterface({ input: child.stderr }).on('line', (line) => this.log.push(line));
    // `close` and not `exit`: by then every line has been read.
    this.ended = once(child, 'close').then(
      ([code, signal]: (number | string | null)[]) => code ?? signal ?? 'nothing',
    );
  }

  get running(): boolean {
    return this.#child.exitCode === null && this.#child.signalCode === null;
  }

  /** @returns the HTTP status of a probe, or null while nothing listens. */
  async probe(path: string): Promise<number | null> {
    const response = await this.#get(path);
    response?.resume();
    return response?.statusCode ?? null;
  }

  async status(): Promise<StatusSnapshot | null> {
    const response = await this.#get('/status');
    if (response === null) return null;
    return JSON.parse(await text(response)) as StatusSnapshot;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.running) this.#child.kill('SIGTERM');
    const late = setTimeout(() => this.#child.kill('SIGKILL'), 10_000);
    await this.ended;
    clearTimeout(late);
  }

  async #get(path: string): Promise<IncomingMessage | null> {
    const asked = request({
      host: '127.0.0.1',
      port: this.#port,
      path,
      agent: false,
      timeout: 5000,
    });
    asked.end();
    try {
      const [response] = (await once(asked, 'response')) as [IncomingMessage];
      return response;
    } catch (error) {
      const code = error instanceof Error && 'code' in error ? error.code : undefined;
      if (code === 'ECONNREFUSED' || code === 'ECONNRESET') return null;
      throw error;
    }
  }
}
