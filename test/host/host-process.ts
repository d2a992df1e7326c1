/**
 * Starts the loopback host in a process of its own, so that what is measured does not share an
 * event loop with it; the calls that a measurement needs go over IPC.
 */
import { fork } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import type { HostOptions, HostRepository } from './host.ts';
import type { RemoteRequest, RemoteState } from './process.ts';

interface Reply {
  readonly id: number;
  readonly result?: RemoteState | null;
  readonly error?: string;
}

export class HostProcess implements AsyncDisposable {
  readonly port: number;
  readonly environment: Readonly<Record<string, string>>;
  readonly #child: ChildProcess;
  #calls = 0;

  private constructor(child: ChildProcess, started: Pick<HostProcess, 'port' | 'environment'>) {
    this.#child = child;
    this.port = started.port;
    this.environment = started.environment;
  }

  static async start({ repositories, ...options }: HostOptions = {}): Promise<HostProcess> {
    const entry = fileURLToPath(new URL('process.ts', import.meta.url));
    const child = fork(entry, [JSON.stringify(options)], {
      execArgv: ['--import', 'tsx'],
      cwd: fileURLToPath(new URL('../..', import.meta.url)),
    });
    const ended = once(child, 'exit').then(([code]: unknown[]) => {
      throw new Error(`the host process ended with ${String(code)} before it listened`);
    });
    const [started] = (await Promise.race([once(child, 'message'), ended])) as [HostProcess];
    ended.catch(() => undefined);
    const host = new HostProcess(child, started);
    // Their tokens go over the pipe: a command line can be read by everybody.
    for (const repository of repositories ?? []) await host.addRepository(repository);
    return host;
  }

  url(owner: string, name: string): string {
    return `http://github.localhost/${owner}/${name}`;
  }

  directUrl(owner: string, name: string): string {
    return `http://127.0.0.1:${this.port}/${owner}/${name}`;
  }

  async addRepository(repository: HostRepository): Promise<void> {
    await this.#call({ method: 'addRepository', args: [repository] });
  }

  async throttle(bytesPerSecond: number | null): Promise<void> {
    await this.#call({ method: 'throttle', args: [bytesPerSecond] });
  }

  async record(directory: string): Promise<void> {
    await this.#call({ method: 'record', args: [directory] });
  }

  async replay(directory: string): Promise<void> {
    await this.#call({ method: 'replay', args: [directory] });
  }

  async state(): Promise<RemoteState> {
    return (await this.#call({ method: 'state', args: [] }))!;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    const exited = once(this.#child, 'exit');
    this.#child.disconnect();
    await exited;
  }

  async #call(call: RemoteRequest): Promise<RemoteState | null> {
    this.#calls += 1;
    const id = this.#calls;
    const answered = new Promise<Reply>((resolve) => {
      const listen = (reply: Reply): void => {
        if (reply.id !== id) return;
        this.#child.off('message', listen);
        resolve(reply);
      };
      this.#child.on('message', listen);
    });
    this.#child.send({ id, call });
    const { result, error } = await answered;
    if (error !== undefined) throw new Error(error);
    return result ?? null;
  }
}
