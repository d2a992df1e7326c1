/**
 * The clones of one process: jobs in, clones in their staging directories out (clone-repository.ts is the
 * work). What a clone leaves behind is collected before the next one has as much, here or elsewhere.
 */
import { setFlagsFromString } from 'node:v8';
import { collectAll, collectYoung } from '../garbage.ts';
import { Turns } from '../pack/turns.ts';
import type { CloneJob, CloneOutcome, CloneProgress } from './clone-job.ts';
import { cloneRepository } from './clone-repository.ts';

/**
 * What the socket gives comes in pieces of 64 KiB, each a small young object to V8: it would let 30 to 40 MB
 * of them pile up.
 */
const YOUNG_BYTES = 4 * 2 ** 20;

/** A smaller pack is over before that pays: a first collection takes 5 ms, of which 2 to reach V8's. */
const FIRST_COLLECTION_BYTES = 16 * 2 ** 20;

/** A process without work is mostly ended before that, and has no use for it. */
const COLLECT_AFTER_MS = 50;

/**
 * A clone is over before much inlining pays: with a fifth of it, 50,000 files take 15 % less processor time.
 * Nor does it pay to optimise what is not very hot, the kernel aside: 8 % for 35,000 objects.
 * Set when the threads are up: under other flags than those of a start, no code cache is taken, neither
 * ours nor Node's own, and a thread is 50 ms later.
 */
const WHILE_RECEIVING = ['--max-inlined-bytecode-size-cumulative=200', lessOptimisation()];

export interface CloneHandles {
  readonly signal: AbortSignal;
  readonly onProgress: (progress: CloneProgress) => void;
}

export class CloneEngine {
  readonly #turns = new Turns();
  #underWay = 0;
  #isLittered = false;

  constructor() {
    this.#turns.onThreads = () => {
      for (const flag of WHILE_RECEIVING) setFlagsFromString(flag);
    };
    // Loaded while the job is on its way; cloneRepository() meets a failure again, and reports it.
    import('./isomorphic-git.ts').catch(() => undefined);
  }

  /** How many threads beside its own a process may use from now on. */
  allowThreads(count: number): void {
    this.#turns.threads = count;
  }

  /** @throws as cloneRepository() does. */
  async clone(job: CloneJob, handles: CloneHandles): Promise<CloneOutcome> {
    this.#underWay++;
    setImmediate(() => {
      this.#collect();
    });
    let collectAt = FIRST_COLLECTION_BYTES;
    const onProgress = (progress: CloneProgress): void => {
      const { received_bytes: received } = progress.progress;
      if (received >= collectAt) {
        collectAt = received + YOUNG_BYTES;
        collectYoung();
      }
      handles.onProgress(progress);
    };
    try {
      return await cloneRepository(job, { ...handles, onProgress, turns: this.#turns });
    } finally {
      this.#underWay--;
      this.#isLittered = true;
      // Not before its outcome is on its way.
      setTimeout(
        () => {
          this.#collect();
        },
        this.#underWay > 0 ? 0 : COLLECT_AFTER_MS,
      );
    }
  }

  /** V8 does not hurry: tables and rings are small objects to it. */
  #collect(): void {
    if (!this.#isLittered) return;
    this.#isLittered = false;
    collectAll();
    // The first one frees what WASI holds the kernel's memory by, and only then is that free.
    collectAll();
  }
}

/** The bytecode that a function runs before it is optimised, times five; Node 22 and later count calls. */
function lessOptimisation(): string {
  const [version] = process.versions.v8.split('.');
  return Number(version) < 12
    ? '--interrupt-budget=300000'
    : '--invocation-count-for-turbofan=15000';
}
