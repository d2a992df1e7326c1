/**
 * Rows that have their names in; the contents that a tap still wants, because they passed before it
 * was there, or too early, out to it: made again from the pack file, in the pack's order. All of it is
 * on shared memory: several threads take pieces of one job until none is left.
 */
import type { LateTap } from './arrival-observer.ts';
import { OBJECT_TYPE } from './entry-header.ts';
import { nextTurn } from '../lifetime.ts';
import type { PackThreads } from './pack-threads.ts';
import { RowContents, type PackRows } from './row-contents.ts';

/** Taken in one go: what builds on one base stays with one thread, mostly. */
const PIECE_ROWS = 64;
/** One content may take this part of a cache at most; what is larger is left out. */
const LARGEST_SHARE = 1 / 4;

/** Cells of `control`. */
const NEXT_ROW = 0;
const STOPPED = 1;
const CELLS = 2;

export interface LateJob extends PackRows {
  /** Each thread makes its tap of it. */
  readonly message: unknown;
  /** For the contents that one thread holds. */
  readonly cacheBytes: number;
  readonly control: Int32Array;
}

export function createLateJob(job: Omit<LateJob, 'control'>): LateJob {
  return { ...job, control: new Int32Array(new SharedArrayBuffer(CELLS * 4)) };
}

/** One thread's part in a job. */
export class LateShare {
  /** Contents given to the tap. */
  taken = 0;
  readonly #job: LateJob;
  readonly #tap: LateTap;
  readonly #contents: RowContents;

  constructor(job: LateJob, tap: LateTap) {
    this.#job = job;
    this.#tap = tap;
    this.#contents = new RowContents(job, job.cacheBytes, job.cacheBytes * LARGEST_SHARE);
  }

  /** Takes some rows; false when none is left, or the job was stopped. Throws PackError, and what the tap throws. */
  step(): boolean {
    const { control, count } = this.#job;
    const first = Atomics.add(control, NEXT_ROW, PIECE_ROWS);
    if (first >= count) return false;
    const end = Math.min(count, first + PIECE_ROWS);
    for (let row = first; row < end; row++) {
      if (Atomics.load(control, STOPPED) === 1) return false;
      this.#take(row);
    }
    return true;
  }

  #take(row: number): void {
    const type = this.#job.columns.types[row]!;
    if (type !== OBJECT_TYPE.blob || !this.#tap.wants(row)) return;
    const content = this.#contents.make(row);
    if (content === null) return;
    this.#tap.take(row, content);
    this.taken++;
  }

  [Symbol.dispose](): void {
    this.#contents[Symbol.dispose]();
  }
}

/** Works on the job, here and in all threads. Throws what the first of them throws, or the signal's reason. */
export async function takeLate(
  job: LateJob,
  tap: LateTap,
  threads: PackThreads,
  signal: AbortSignal | undefined,
): Promise<void> {
  const shares = [takeHere(job, tap, signal), ...threads.takeLate(job)];
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
  tap: LateTap,
  signal: AbortSignal | undefined,
): Promise<void> {
  using share = new LateShare(job, tap);
  let taken = 0;
  while (share.step()) {
    if (share.taken === taken) continue;
    taken = share.taken;
    await nextTurn();
    signal?.throwIfAborted();
  }
}
