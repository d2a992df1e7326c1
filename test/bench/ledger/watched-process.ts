/** The bench's side of watched.ts: started from a bundle, asked by lines, its readings kept. */
import { spawn } from 'node:child_process';
import type { ChildProcessWithoutNullStreams } from 'node:child_process';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { build } from 'esbuild';
import type { WatchReport } from '../../../agent/watch-report.ts';
import { ENVIRONMENT } from './subject.ts';

export interface Answer {
  readonly answer: string;
  /** Milliseconds since the epoch. */
  readonly at: number;
  readonly cpuMs: number;
  readonly rssBytes: number;
  readonly peakBytes: number;
  /** Since the answer before. */
  readonly longestTurnMs: number;
}

export interface Reading {
  readonly atRisk: { readonly unstaged: number; readonly untracked: number } | null;
  readonly watch: WatchReport;
  readonly at: number;
}

const DEADLINE_MS = 60_000;

/** One file, so that loading it costs what the daemon's does. */
export async function bundle(directory: string): Promise<string> {
  const outfile = join(directory, 'watched.cjs');
  await build({
    entryPoints: [join(import.meta.dirname, 'watched.ts')],
    outfile,
    bundle: true,
    platform: 'node',
    format: 'cjs',
    target: 'node20.19',
    logLevel: 'error',
  });
  return outfile;
}

export class WatchedProcess implements AsyncDisposable {
  readonly readings: Reading[] = [];
  readonly #child: ChildProcessWithoutNullStreams;
  #onAnswer: (answer: Answer) => void = () => undefined;
  #onReading: () => void = () => undefined;

  /** @param prefix sets limits and executes what follows it. */
  constructor(program: string, worktree: string, prefix: readonly string[] = []) {
    const whole = [...prefix, process.execPath, program, worktree];
    this.#child = spawn(whole[0] ?? '', whole.slice(1), { env: ENVIRONMENT });
    this.#child.stderr.pipe(process.stderr);
    createInterface({ input: this.#child.stdout }).on('line', (line) => {
      const said = JSON.parse(line) as Answer | { readonly reading: Reading };
      if ('reading' in said) {
        this.readings.push(said.reading);
        this.#onReading();
      } else {
        this.#onAnswer(said);
      }
    });
  }

  ask(question: 'idle' | 'start' | 'usage' | 'rest' | 'full'): Promise<Answer> {
    return new Promise((resolve) => {
      this.#onAnswer = resolve;
      this.#child.stdin.write(`${question}\n`);
    });
  }

  /** The first reading from now on of which `isIt` is true. */
  until(isIt: (reading: Reading) => boolean, deadlineMs = DEADLINE_MS): Promise<Reading> {
    const from = this.readings.length;
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        reject(new Error(`no such reading: ${JSON.stringify(this.readings.at(-1))}`));
      }, deadlineMs);
      this.#onReading = () => {
        const found = this.readings.slice(from).find(isIt);
        if (found === undefined) return;
        clearTimeout(timer);
        resolve(found);
      };
    });
  }

  [Symbol.asyncDispose](): Promise<void> {
    return new Promise((resolve) => {
      this.#child.on('exit', () => {
        resolve();
      });
      this.#child.kill('SIGKILL');
    });
  }
}
