/** The clone process: see job-worker.ts for what enters and leaves, clone-repository.ts for the work. */
import { serveJob } from '../job-worker.ts';
import { cloneRepository } from './clone-repository.ts';

serveJob(cloneRepository);

// Loaded while the job is on its way; cloneRepository() meets a failure again, and reports it.
import('isomorphic-git').catch(() => undefined);
