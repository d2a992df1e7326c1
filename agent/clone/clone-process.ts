/**
 * A clone in a process of its own. Enters: a job. Leaves: its outcome, or its error as it was thrown
 * there.
 *
 * Why a process: measured on two busy cores with repositories of 33,000 to 290,000 objects, the
 * daemon's event loop was late by 45 to 136 ms at worst (p99 16 to 33 ms) beside a process, 75 ms
 * (p99 28 ms) beside a thread, and 492 ms (p99 242 ms) with the clone in the daemon itself. The
 * daemon's memory was as before after a process, and 33 to 36 MB larger after a thread; and a process
 * that runs out of memory takes nobody along. Its price is 4 ms in spawn() and the time that its code
 * takes to load, which a spare process hides (spare-process.ts).
 */
import { runJob } from '../job-process.ts';
import type { Log } from '../log.ts';
import type { CloneJob, CloneOutcome, CloneProgress } from './clone-job.ts';
import { spawnWorker } from './spare-process.ts';
import type { SpareProcess, SpawnContext } from './spare-process.ts';

export interface CloneProcessContext extends SpawnContext {
  readonly signal: AbortSignal;
  readonly onProgress: (progress: CloneProgress) => void;
  readonly log: Log;
  /** Used when it is still there, else a process is started. */
  readonly spare?: SpareProcess;
}

/** @throws the clone's AgentError; CLONE_WORKER_DIED; the signal's reason, once the process is gone. */
export async function cloneInProcess(
  job: CloneJob,
  context: CloneProcessContext,
): Promise<CloneOutcome> {
  const { signal, log, onProgress } = context;
  signal.throwIfAborted();
  return runJob(context.spare?.take() ?? spawnWorker(context), job, {
    name: 'the clone process',
    diedCode: 'CLONE_WORKER_DIED',
    signal,
    onProgress,
    log,
  });
}
