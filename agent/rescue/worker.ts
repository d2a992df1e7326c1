/** The rescue process: see job-worker.ts for what enters and leaves; capture.ts, restore.ts for the work. */
import { serveJobs } from '../job-worker.ts';
import type { JobHandles } from '../job-worker.ts';
import { capture } from './capture.ts';
import { gapsIn } from './gaps.ts';
import type { RescueJob, RescueJobOutcome } from './rescue-job.ts';
import { restore } from './restore.ts';
import { verifyRescue } from './verify.ts';

serveJobs(async (job: RescueJob, handles: JobHandles<unknown>): Promise<RescueJobOutcome> => {
  if (job.kind === 'restore') return restore({ ...job, ...handles });
  if (job.kind === 'inspect') return { gaps: gapsIn(await verifyRescue(job.file, handles)) };
  const { remoteRefs, ...context } = job;
  const lsRemote =
    remoteRefs === null ? {} : { lsRemote: () => Promise.resolve(new Map(remoteRefs)) };
  return capture({ ...context, ...handles, ...lsRemote });
});
