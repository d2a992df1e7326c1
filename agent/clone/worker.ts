/**
 * The clone process: see job-worker.ts for what enters and leaves, clone-repository.ts for the work.
 * What a clone leaves behind is collected before the next one has as much, here or in another process.
 */
import { serveJobs } from '../job-worker.ts';
import type { JobHandles } from '../job-worker.ts';
import { Turns } from '../pack/turns.ts';
import type { CloneJob, CloneOutcome } from './clone-job.ts';
import { cloneRepository } from './clone-repository.ts';

/** A process without work is mostly ended before that, and has no use for it. */
const COLLECT_AFTER_MS = 50;

const turns = new Turns();
let underWay = 0;
let isLittered = false;

serveJobs(clone, (count) => {
  turns.threads = count;
});

// Loaded while the job is on its way; cloneRepository() meets a failure again, and reports it.
import('isomorphic-git').catch(() => undefined);

async function clone(job: CloneJob, handles: JobHandles<unknown>): Promise<CloneOutcome> {
  underWay++;
  setImmediate(collect);
  try {
    return await cloneRepository(job, { ...handles, turns });
  } finally {
    underWay--;
    isLittered = true;
    // Not before its outcome is on its way.
    setTimeout(collect, underWay > 0 ? 0 : COLLECT_AFTER_MS);
  }
}

/** V8 does not hurry: tables and rings are small objects to it. */
function collect(): void {
  if (!isLittered) return;
  isLittered = false;
  globalThis.gc?.();
}
