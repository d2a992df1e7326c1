/**
 * How much lies in the directories of one worktree that are ignored as a whole: information only,
 * counted in the background, one worktree at a time, in slices of a few milliseconds and at most 2 %
 * of one core. Counted again only when asked: without changes nothing is done at all.
 */
import { Slots, reasonOf, sleep } from '../lifetime.ts';
import type { BytePath } from '../repository/byte-path.ts';
import { countIgnored } from './ignored-walk.ts';
import type { IgnoredSum } from './ignored-walk.ts';

export type IgnoredState = 'counting' | 'counted' | 'at_least';

export interface IgnoredCountContext {
  readonly worktree: BytePath;
  /** A new sum stands. */
  readonly onCounted: () => void;
  /** A defect: nothing is counted any more. */
  readonly onFailure: (error: unknown) => void;
  readonly limitFiles?: number;
}

const SLICE_MS = 4;
/** Of one core: while it counts, and on average when only something may have changed. */
const SHARE = 0.02;
const AGAIN_SHARE = 0.002;
const LEAST_PAUSE_MS = 10_000;
/** Some minutes at that pace. */
const LIMIT_FILES = 1_000_000;
const ONE_AT_A_TIME = new Slots(1);

export class IgnoredCount implements Disposable {
  readonly #context: IgnoredCountContext;
  readonly #end = new AbortController();
  #sum: IgnoredSum = { files: 0, bytes: 0, isWhole: true };
  /** What the sum is of; undefined before the first. */
  #counted: readonly BytePath[] | undefined;
  #countedAt: Date | null = null;
  #wanted: readonly BytePath[] = [];
  #isAsked = false;
  #isCounting = false;
  #timer: NodeJS.Timeout | undefined;
  #costMs = 0;
  #endedAtMs = -Infinity;

  constructor(context: IgnoredCountContext) {
    this.#context = context;
  }

  /** Of the last count. */
  get sum(): IgnoredSum {
    return this.#sum;
  }

  /** When the last count ended; null before the first. */
  get countedAt(): Date | null {
    return this.#countedAt;
  }

  get state(): IgnoredState {
    if (!isSame(this.#counted, this.#wanted)) return 'counting';
    return this.#sum.isWhole ? 'counted' : 'at_least';
  }

  /**
   * @param directories all that are ignored as a whole, as paths in the worktree.
   * @param soon somebody is about to rely on the numbers.
   */
  request(directories: readonly BytePath[], soon: boolean): void {
    this.#wanted = directories;
    this.#isAsked = directories.length > 0;
    if (!this.#isAsked && !this.#isCounting) this.#take({ files: 0, bytes: 0, isWhole: true }, []);
    else this.#schedule(soon);
  }

  [Symbol.dispose](): void {
    clearTimeout(this.#timer);
    this.#end.abort(new Error('the watch has ended'));
  }

  #schedule(soon: boolean): void {
    if (this.#isCounting || this.#end.signal.aborted) return;
    clearTimeout(this.#timer);
    if (!this.#isAsked) return;
    const isOther = soon || !isSame(this.#counted, this.#wanted);
    const pauseMs = isOther
      ? this.#costMs / SHARE
      : Math.max(LEAST_PAUSE_MS, this.#costMs / AGAIN_SHARE);
    const leftMs = Math.max(0, this.#endedAtMs + pauseMs - performance.now());
    this.#timer = setTimeout(() => {
      this.#count().catch((error: unknown) => {
        if (!this.#end.signal.aborted) this.#context.onFailure(error);
      });
    }, leftMs);
    this.#timer.unref();
  }

  async #count(): Promise<void> {
    this.#isCounting = true;
    let counted;
    try {
      counted = await this.#walk();
    } finally {
      // After a failure, too: the next reading asks again.
      this.#isCounting = false;
      this.#endedAtMs = performance.now();
    }
    const { sum, directories } = counted;
    this.#take(sum, directories);
    if (this.#isAsked || !isSame(directories, this.#wanted)) this.request(this.#wanted, false);
    this.#context.onCounted();
  }

  async #walk(): Promise<{ sum: IgnoredSum; directories: readonly BytePath[] }> {
    const { signal } = this.#end;
    using _turn = await ONE_AT_A_TIME.take(signal);
    this.#isAsked = false;
    const directories = this.#wanted;
    const pace = new Trickle(signal);
    const { worktree, limitFiles = LIMIT_FILES } = this.#context;
    const sum = await countIgnored({ worktree, limitFiles, pace }, directories);
    this.#costMs = pace.costMs;
    return { sum, directories };
  }

  #take(sum: IgnoredSum, directories: readonly BytePath[]): void {
    this.#sum = sum;
    this.#counted = directories;
    this.#countedAt = new Date();
  }
}

/** Works for a few milliseconds, then rests for so long that it is a small share of one core. */
class Trickle {
  #restedCostMs = 0;
  readonly #signal: AbortSignal;
  #sliceStartedAt = performance.now();

  constructor(signal: AbortSignal) {
    this.#signal = signal;
  }

  get costMs(): number {
    return this.#restedCostMs + performance.now() - this.#sliceStartedAt;
  }

  get due(): boolean {
    return performance.now() - this.#sliceStartedAt > SLICE_MS;
  }

  async rest(): Promise<void> {
    if (this.#signal.aborted) throw reasonOf(this.#signal);
    const tookMs = performance.now() - this.#sliceStartedAt;
    this.#restedCostMs += tookMs;
    await sleep(tookMs * (1 / SHARE - 1), this.#signal);
    this.#sliceStartedAt = performance.now();
  }
}

function isSame(a: readonly BytePath[] | undefined, b: readonly BytePath[]): boolean {
  return a?.length === b.length && a.every((path, at) => path === b[at]);
}
