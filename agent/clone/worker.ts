/** The clone process: see job-worker.ts for what enters and leaves, clone-repository.ts for the work. */
import { serveJobs } from '../job-worker.ts';
import type { JobHandles } from '../job-worker.ts';
import { Turns } from '../pack/turns.ts';
import type { CloneJob } from './clone-job.ts';
import { cloneRepository } from './clone-repository.ts';

const turns = new Turns();

serveJobs(
  (job: CloneJob, handles: JobHandles<unknown>) => cloneRepository(job, { ...handles, turns }),
  (count) => {
    turns.threads = count;
  },
);

// Loaded while the job is on its way; cloneRepository() meets a failure again, and reports it.
import('isomorphic-git').catch(() => undefined);
