/**
 * Starts a process that will do jobs (job-process.ts). Enters: a file of JavaScript, the daemon's
 * environment. Leaves: a process that waits on its standard input. Small, because main.js runs it before
 * anything else is loaded. No flags of V8: Node's code cache of its own modules is only for a V8 without,
 * and a clone process is 15 ms sooner up with it.
 */
import type { ChildProcess } from 'node:child_process';
import { availableParallelism, constants, getPriority, setPriority } from 'node:os';
import type { Environment, Owner } from './host.ts';

/**
 * V8's own, for compiling and collecting: it takes four, and each start pays for them. The option is Node's,
 * so that the code caches stay good.
 */
const V8_THREADS = Math.min(4, availableParallelism());

/**
 * What Node and its TLS read from the environment by themselves; all else is in the job. So is
 * NODE_EXTRA_CA_CERTS: Node 20 would parse it at every start, 75 ms for a distribution's bundle.
 */
const INHERITED = ['SSL_CERT_DIR', 'SSL_CERT_FILE', 'TMPDIR', 'TZ'];

export interface SpawnContext {
  /** The daemon's environment, of which the process gets a few variables; never a token. */
  readonly env: Environment;
  /** Variables beside those. */
  readonly settings?: Environment;
  /** Added to the daemon's own; 0 unless told. */
  readonly niceness?: number;
  /** Who the process runs as, and so who owns what it makes; the daemon's own user unless told. */
  readonly owner?: Owner | null;
}

/** When it cannot be started, it has no pid, and emits an error. */
export function startJobProcess(
  path: string,
  { env, owner, settings, niceness = 0 }: SpawnContext,
): ChildProcess {
  // Loaded here: `mount` mostly starts none.
  const { spawn } = process.getBuiltinModule('node:child_process');
  const worker = spawn(process.execPath, [`--v8-pool-size=${V8_THREADS}`, path], {
    stdio: ['pipe', 'ignore', 'pipe', 'pipe'],
    env: { ...Object.fromEntries(INHERITED.map((name) => [name, env[name]])), ...settings },
    ...owner,
  });
  yieldTo(worker, niceness);
  return worker;
}

/** Threads inherit it, and a process that was only just started has none yet. */
function yieldTo({ pid }: ChildProcess, niceness: number): void {
  if (pid === undefined || niceness === 0) return;
  try {
    setPriority(pid, Math.min(getPriority() + niceness, constants.priority.PRIORITY_LOW));
  } catch (error) {
    // Root without CAP_SYS_NICE may not, for another user's process: then it is one among equals.
    if (!(error instanceof Error && 'code' in error && error.code === 'ERR_SYSTEM_ERROR')) {
      throw error;
    }
  }
}
