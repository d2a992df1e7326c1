/**
 * The built program as a process that is started, stopped and killed again and again: its log kept as
 * a file, each record handed on as it comes, and nothing of it left behind by its end.
 */
import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { createWriteStream, readFileSync, readdirSync } from 'node:fs';
import type { WriteStream } from 'node:fs';
import { request } from 'node:http';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { errnoOf } from '../../agent/errors.ts';
import type { StatusSnapshot } from '../../agent/status.ts';
import { PROGRAM } from './program.ts';
import type { SoakStage } from './stage.ts';

export type LogRecord = Readonly<Record<string, unknown>>;

export interface DaemonOptions {
  readonly stage: SoakStage;
  readonly port: number;
  readonly onRecord: (record: LogRecord) => void;
}

/** Whether there is a --rescue-dir, and what becomes of a rescue at the start. */
export type Shelf = 'none' | 'announce' | 'auto';

const COMMAND = ['sleep', '86400'];
const LAST_RECORDS = 12;
export const FLAGS = {
  reclaimAfterSeconds: 45,
  warnBeforeSeconds: [35, 25],
  /** Ten mounts, on a machine that may do much besides. */
  rescueTimeoutSeconds: 120,
} as const;

export class SoakDaemon {
  readonly logPath: string;
  /** How often it was killed from here. */
  kills = 0;
  readonly #options: DaemonOptions;
  readonly #log: WriteStream;
  #child: ChildProcess | null = null;
  #ended: Promise<number | string> = Promise.resolve(0);
  #signalled = false;
  /** Of the last start. */
  shelf: Shelf = 'none';
  starts = 0;
  /** The end of the log, for a finding. */
  readonly lastRecords: string[] = [];

  constructor(options: DaemonOptions) {
    this.#options = options;
    this.logPath = join(options.stage.directory, 'daemon.log');
    this.#log = createWriteStream(this.logPath);
  }

  get pid(): number {
    return this.#child?.pid ?? 0;
  }

  /** Running, and nobody has asked it to end. */
  get isUp(): boolean {
    const child = this.#child;
    return child?.exitCode === null && child.signalCode === null && !this.#signalled;
  }

  start(shelf: Shelf): void {
    this.shelf = shelf;
    const { stage, port, onRecord } = this.#options;
    const flags = ['--manifest', stage.manifestPath, '--run-dir', stage.runDir, '--allow-http'];
    flags.push('--mount-root', stage.directory, '--listen', `127.0.0.1:${port}`);
    flags.push('--reclaim-after', `${FLAGS.reclaimAfterSeconds}s`, '--wait', 'none');
    flags.push('--warn-before', FLAGS.warnBeforeSeconds.map((seconds) => `${seconds}s`).join());
    flags.push('--retry-for', '90s', '--log-format', 'json');
    if (shelf !== 'none') {
      flags.push('--rescue-dir', stage.shelf, '--restore', shelf);
      flags.push('--rescue-timeout', `${FLAGS.rescueTimeoutSeconds}s`);
    }
    const child = spawn(process.execPath, [PROGRAM, 'run', ...flags, '--', ...COMMAND], {
      cwd: stage.directory,
      env: { ...stage.environment, SOAK: stage.directory },
      stdio: ['ignore', 'ignore', 'pipe'],
    });
    this.#child = child;
    this.#signalled = false;
    this.starts += 1;
    createInterface({ input: child.stderr }).on('line', (line) => {
      this.#log.write(`${line}\n`);
      this.lastRecords.push(line.slice(0, 200));
      if (this.lastRecords.length > LAST_RECORDS) this.lastRecords.shift();
      onRecord(parsed(line));
    });
    this.#ended = new Promise((resolve) => {
      child.once('exit', (code, signal) => {
        resolve(code ?? signal ?? 'nothing');
      });
    });
  }

  /** @returns the exit code, or the signal that ended it. */
  get ended(): Promise<number | string> {
    return this.#ended;
  }

  signal(signal: NodeJS.Signals): void {
    if (signal !== 'SIGHUP') this.#signalled = true;
    if (signal === 'SIGKILL') this.kills += 1;
    this.#child?.kill(signal);
  }

  /** As when a container's PID 1 is killed: everything in it is. @returns what ran on by itself. */
  async kill(): Promise<string[]> {
    this.signal('SIGKILL');
    await this.#ended;
    const { gaps } = this.#options.stage;
    const deadline = gaps.now() + 10_000;
    // The clone processes notice by themselves; the command does not know of the daemon.
    while (this.#own().some(isOurs) && gaps.now() < deadline) await pause(100);
    const left = this.#own();
    for (const { pid } of left) killIfThere(pid);
    return left.filter(isOurs).map(({ line }) => line);
  }

  /** One shot of another command of the program. @returns its exit code. */
  async call(...args: readonly string[]): Promise<number> {
    const { stage } = this.#options;
    const child = spawn(process.execPath, [PROGRAM, ...args, '--run-dir', stage.runDir], {
      cwd: stage.directory,
      env: stage.environment,
      stdio: 'ignore',
    });
    return new Promise((resolve) => {
      child.once('exit', (code) => {
        resolve(code ?? -1);
      });
    });
  }

  /** @returns null while nothing answers. */
  async get(path: string): Promise<{ readonly code: number; readonly body: string } | null> {
    return new Promise((resolve, reject) => {
      const { port } = this.#options;
      const asked = request({ host: '127.0.0.1', port, path, agent: false, timeout: 20_000 });
      asked.on('response', (response) => {
        let body = '';
        response.setEncoding('utf8').on('data', (text: string) => (body += text));
        response.on('end', () => {
          resolve({ code: response.statusCode ?? 0, body });
        });
        response.on('error', () => {
          resolve(null);
        });
      });
      asked.on('timeout', () => asked.destroy(new Error(`no answer of ${path} in 20 s`)));
      asked.on('error', (error) => {
        if (['ECONNREFUSED', 'ECONNRESET', 'EPIPE'].includes(errnoOf(error) ?? '')) resolve(null);
        else reject(error);
      });
      asked.end();
    });
  }

  async status(): Promise<StatusSnapshot | null> {
    const answer = await this.get('/status');
    return answer === null ? null : (JSON.parse(answer.body) as StatusSnapshot);
  }

  /** Processes that any start of the daemon has left or has. */
  #own(): { readonly pid: number; readonly line: string }[] {
    const marker = `SOAK=${this.#options.stage.directory}`;
    return readdirSync('/proc')
      .filter((name) => /^\d+$/.test(name))
      .map((name) => ({ pid: Number(name), line: content(`/proc/${name}/cmdline`) }))
      .filter(({ pid }) => content(`/proc/${pid}/environ`).split('\0').includes(marker))
      .map(({ pid, line }) => ({ pid, line: line.replaceAll('\0', ' ') }));
  }
}

function isOurs({ line }: { readonly line: string }): boolean {
  return line.includes('/dist/');
}

function parsed(line: string): LogRecord {
  try {
    return JSON.parse(line) as LogRecord;
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
    return { level: 'not JSON', msg: line };
  }
}

function killIfThere(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch (error) {
    if (errnoOf(error) !== 'ESRCH') throw error;
  }
}

function content(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    if (['ENOENT', 'ESRCH', 'EACCES'].includes(errnoOf(error) ?? '')) return '';
    throw error;
  }
}

export function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
