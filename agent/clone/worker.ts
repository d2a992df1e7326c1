/**
 * The clone process: see job-worker.ts for what enters and leaves, clone-repository.ts for the work.
 * What a clone leaves behind is collected before the next one has as much, here or in another process.
 */
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { serveJobs } from '../job-worker.ts';
import type { JobHandles } from '../job-worker.ts';
import { Turns } from '../pack/turns.ts';
import type { CloneJob, CloneOutcome, CloneProgress } from './clone-job.ts';
import { cloneRepository } from './clone-repository.ts';

/**
 * What the socket gives comes in pieces of 64 KiB, each a small young object to V8: it would let 30 to 40 MB
 * of them pile up.
 */
const YOUNG_BYTES = 4 * 2 ** 20;

/** A process without work is mostly ended before that, and has no use for it. */
const COLLECT_AFTER_MS = 50;

/**
 * A clone is over before much inlining pays: with a fifth of it, 50,000 files take 15 % less processor time.
 * Nor does it pay to optimise what is not very hot, the kernel aside: 8 % for 35,000 objects.
 * Set when the threads are up: under other flags than those of a start, no code cache is taken, neither
 * ours nor Node's own, and a thread is 50 ms later.
 */
const WHILE_RECEIVING = ['--max-inlined-bytecode-size-cumulative=200', lessOptimisation()];

const turns = new Turns();
let underWay = 0;
let isLittered = false;

turns.onThreads = () => {
  for (const flag of WHILE_RECEIVING) setFlagsFromString(flag);
};

serveJobs(clone, (count) => {
  turns.threads = count;
});

// Loaded while the job is on its way; cloneRepository() meets a failure again, and reports it.
import('isomorphic-git').catch(() => undefined);

async function clone(job: CloneJob, handles: JobHandles<unknown>): Promise<CloneOutcome> {
  underWay++;
  setImmediate(collect);
  let collectedAt = 0;
  const onProgress = (progress: CloneProgress): void => {
    const { received_bytes: received } = progress.progress;
    if (received >= collectedAt + YOUNG_BYTES) {
      collectedAt = received;
      gc({ type: 'minor' });
    }
    handles.onProgress(progress);
  };
  try {
    return await cloneRepository(job, { ...handles, onProgress, turns });
  } finally {
    underWay--;
    isLittered = true;
    // Not before its outcome is on its way.
    setTimeout(collect, underWay > 0 ? 0 : COLLECT_AFTER_MS);
  }
}

/** The bytecode that a function runs before it is optimised, times five; Node 22 and later count calls. */
function lessOptimisation(): string {
  const [version] = process.versions.v8.split('.');
  return Number(version) < 12
    ? '--interrupt-budget=300000'
    : '--invocation-count-for-turbofan=15000';
}

/** V8 does not hurry: tables and rings are small objects to it. */
function collect(): void {
  if (!isLittered) return;
  isLittered = false;
  gc();
  // The first one frees what WASI holds the kernel's memory by, and only then is that free.
  gc();
}

type Gc = (options?: { readonly type: 'minor' }) => void;
let collector: Gc | undefined;

/** All, unless told. Called with `undefined`, Node 24's collects only what is young. */
function gc(...options: Parameters<Gc>): void {
  if (collector === undefined) {
    setFlagsFromString('--expose-gc');
    collector = runInNewContext('gc') as Gc;
    setFlagsFromString('--no-expose-gc');
  }
  collector(...options);
}
