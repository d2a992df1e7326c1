/** The clone process: see job-worker.ts for what enters and leaves, engine.ts for the work. */
import { serveJobs } from '../job-worker.ts';
import type { CloneJob } from './clone-job.ts';
import { CloneEngine } from './engine.ts';

const engine = new CloneEngine();
serveJobs(
  (job: CloneJob, handles) => engine.clone(job, handles),
  (count) => {
    engine.allowThreads(count);
  },
);
