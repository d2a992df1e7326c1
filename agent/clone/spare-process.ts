/**
 * A clone process started ahead of its job: Node starts and loads its code (50 ms) while the daemon
 * loads its own and waits for the manifest. Taken once, or ended by disposing of it; when the daemon
 * dies, the end of its standard input ends it.
 */
import type { ChildProcess } from 'node:child_process';
import { spawnJobProcess } from '../job-process.ts';
import type { SpawnContext as JobSpawnContext } from '../job-process.ts';
import { builtFile } from '../own-files.ts';

export interface SpawnContext extends JobSpawnContext {
  /** The built worker; the one in dist/ unless told. */
  readonly workerPath?: string;
}

/**
 * V8's flags for the process; its code cache is made under the same ones, else V8 refuses it. A clone
 * is over before much inlining pays: with a fifth of it, 50,000 files take 15 % less processor time.
 */
export const WORKER_FLAGS: readonly string[] = ['--max-inlined-bytecode-size-cumulative=200'];

/** A process that waits for its job. Without a `pid` it could not be started; "error" says why. */
export function spawnWorker(context: SpawnContext): ChildProcess {
  const path = context.workerPath ?? builtFile('clone-worker.js');
  return spawnJobProcess(path, WORKER_FLAGS, context);
}

export class SpareProcess implements Disposable {
  #worker: ChildProcess | null;

  constructor(context: SpawnContext) {
    this.#worker = spawnWorker(context);
    // Whoever needs a process finds none here and starts one, and hears then why that fails.
    this.#worker.on('error', () => {
      this.#worker = null;
    });
  }

  /** The process, once; null when it is taken, ended, or could not be started. */
  take(): ChildProcess | null {
    const worker = this.#worker;
    this.#worker = null;
    const alive = worker?.pid !== undefined && worker.exitCode === null;
    return alive && worker.signalCode === null ? worker : null;
  }

  [Symbol.dispose](): void {
    this.take()?.kill('SIGKILL');
  }
}
