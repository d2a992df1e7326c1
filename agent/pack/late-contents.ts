/**
 * Rows that have their names in; the contents that files still miss, because they passed before these were
 * planned, out to them: made again by the kernel from the pack file, in the pack's order, if they are not at hand.
 * Several threads take pieces of one job until none is left.
 */
import type { ArrivalResolver } from './arrival-resolver.ts';
import { nextTurn } from '../lifetime.ts';
import type { PackThreads } from './pack-threads.ts';

/** Taken in one go: what builds on one base stays with one thread, mostly. */
const PIECE_ROWS = 64;

/** Cells of `control`. */
const NEXT_ROW = 0;
const STOPPED = 1;
const CELLS = 2;

/** A message, too. */
export interface LateJob {
  /** What a thread begins a checkout with that has none yet. */
  readonly message: unknown;
  /** Rows that there are, and where the last of them ends. */
  readonly count: number;
  readonly endOffset: number;
  readonly control: Int32Array;
}

export function createLateJob(job: Omit<LateJob, 'control'>): LateJob {
  return { ...job, control: new Int32Array(new SharedArrayBuffer(CELLS * 4)) };
}

/** One thread's part in a job. */
export class LateShare {
  /** Contents given to files. */
  taken = 0;
  readonly #job: LateJob;
  readonly #resolver: ArrivalResolver;

  /** @param resolver of this thread, which has begun the checkout. */
  constructor(job: LateJob, resolver: ArrivalResolver) {
    this.#job = job;
    this.#resolver = resolver;
  }

  /** Takes some rows; false when none is left, or the job was stopped. Throws what ArrivalResolver throws. */
  step(): boolean {
    const { control, count, endOffset } = this.#job;
    if (Atomics.load(control, STOPPED) === 1) return false;
    const first = Atomics.add(control, NEXT_ROW, PIECE_ROWS);
    if (first >= count) return false;
    const end = Math.min(count, first + PIECE_ROWS);
    this.taken += this.#resolver.takeLate(first, end, endOffset);
    return true;
  }
}

/** Works on the job, here and in all threads. Throws what the first of them throws, or the signal's reason. */
export async function takeLate(
  job: LateJob,
  resolver: ArrivalResolver,
  threads: PackThreads,
  signal: AbortSignal | undefined,
): Promise<void> {
  const shares = [takeHere(job, resolver, signal), ...threads.takeLate(job)];
  // One failure ends the others' work as well; all are awaited, so that none still writes.
  for (const share of shares) {
    share.catch(() => {
      Atomics.store(job.control, STOPPED, 1);
    });
  }
  const results = await Promise.allSettled(shares);
  for (const result of results) if (result.status === 'rejected') throw result.reason;
}

async function takeHere(
  job: LateJob,
  resolver: ArrivalResolver,
  signal: AbortSignal | undefined,
): Promise<void> {
  const share = new LateShare(job, resolver);
  let taken = 0;
  while (share.step()) {
    if (share.taken === taken) continue;
    taken = share.taken;
    await nextTurn();
    signal?.throwIfAborted();
  }
}
