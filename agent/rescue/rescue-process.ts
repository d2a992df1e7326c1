/**
 * A capture or a restore in a process of its own: the daemon's memory and event loop stay as they are,
 * and what is made belongs to the owner of the clone. In: a job; out: its outcome, or its error.
 */
import { JobProcess } from '../job-process.ts';
import { startJobProcess } from '../job-start.ts';
import type { SpawnContext } from '../job-start.ts';
import type { Log } from '../log.ts';
import { builtFile } from '../own-files.ts';
import type { CaptureOutcome } from './capture.ts';
import type {
  CaptureJob,
  InspectJob,
  InspectOutcome,
  RescueJob,
  RescueProgress,
  RestoreJob,
} from './rescue-job.ts';
import type { RestoreOutcome } from './restore.ts';

export interface RescueProcessContext extends SpawnContext {
  readonly signal: AbortSignal;
  readonly log: Log;
  readonly onProgress?: (progress: RescueProgress) => void;
}

/** @throws what capture() throws; RESCUE_WORKER_DIED; the signal's reason. */
export function captureInProcess(
  job: CaptureJob,
  context: RescueProcessContext,
): Promise<CaptureOutcome> {
  return runRescueJob(job, context);
}

/** @throws what restore() throws; RESCUE_WORKER_DIED; the signal's reason. */
export function restoreInProcess(
  job: RestoreJob,
  context: RescueProcessContext,
): Promise<RestoreOutcome> {
  return runRescueJob(job, context);
}

/** @throws RESCUE_INVALID, RESCUE_UNSUPPORTED; RESCUE_WORKER_DIED; the signal's reason. */
export function inspectInProcess(
  job: InspectJob,
  context: RescueProcessContext,
): Promise<InspectOutcome> {
  return runRescueJob(job, context);
}

async function runRescueJob<Outcome>(
  job: RescueJob,
  context: RescueProcessContext,
): Promise<Outcome> {
  const { signal, log, onProgress = () => undefined } = context;
  signal.throwIfAborted();
  const worker = new JobProcess(startJobProcess(builtFile('rescue-worker.js'), context));
  const name = `the ${job.kind} process`;
  try {
    return await worker.run(job, { name, diedCode: 'RESCUE_WORKER_DIED', signal, log, onProgress });
  } finally {
    await worker.end();
  }
}
