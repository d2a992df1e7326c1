/**
 * A clone process started ahead of its job: Node starts and loads its code (50 ms) while the daemon
 * loads its own and waits for the manifest. Taken once, or ended by disposing of it; when the daemon
 * dies, the end of its standard input ends it.
 */
import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import type { Owner } from '../host.ts';
import { builtFile } from '../own-files.ts';

export interface SpawnContext {
  /** The daemon's environment, of which the process gets a few variables; never a token. */
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Who the process runs as, and so who owns the clone; the daemon's own user unless told. */
  readonly owner?: Owner | null;
  /** The built worker; the one in dist/ unless told. */
  readonly workerPath?: string;
}

/**
 * What Node and its TLS read from the environment by themselves; all else is in the job. So is
 * NODE_EXTRA_CA_CERTS: Node 20 would parse it at every start, 75 ms for a distribution's bundle.
 */
const INHERITED = ['SSL_CERT_DIR', 'SSL_CERT_FILE', 'TMPDIR', 'TZ'];

/**
 * V8's flags for the process; its code cache is made under the same ones, else V8 refuses it. A clone
 * is over before much inlining pays: with a fifth of it, 50,000 files take 15 % less processor time.
 */
export const WORKER_FLAGS: readonly string[] = ['--max-inlined-bytecode-size-cumulative=200'];

/** A process that waits for its job. Without a `pid` it could not be started; "error" says why. */
export function spawnWorker({ workerPath, env, owner }: SpawnContext): ChildProcess {
  const path = workerPath ?? builtFile('clone-worker.js');
  return spawn(process.execPath, [...WORKER_FLAGS, path], {
    stdio: ['pipe', 'ignore', 'pipe', 'pipe'],
    env: Object.fromEntries(INHERITED.map((name) => [name, env[name]])),
    ...owner,
  });
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
