/**
 * Decides when to scan: soon after a change, never twice at once, never more than a share of one
 * core while changes go on; and, while not everything is watched, at an interval that its own cost
 * sets. Everything asked for during a scan is answered by the next one.
 */
import { reasonOf, sleep } from '../lifetime.ts';

/** What to look at: what changed, also what no watch tells of, everything. */
export type ScanKind = 'changed' | 'unwatched' | 'all';

export interface ScanLoopContext {
  /** @returns what the scan cost, milliseconds. */
  readonly scan: (kind: ScanKind) => Promise<number>;
  /** How long after a change the disk is read: changes come in flocks. */
  readonly debounceMs: number;
  readonly signal: AbortSignal;
}

/** While changes go on: at most this share of one core goes into scans. */
const BUSY_SHARE = 0.25;
/** But no change waits longer than this and a scan. */
const BUSY_PAUSE_LIMIT_MS = 500;
/** While scanning by interval: at most 2 % of one core. */
const IDLE_SHARE = 0.02;
const LEAST_INTERVAL_MS = 1_000;

export class ScanLoop {
  readonly #context: ScanLoopContext;
  readonly #stop = new AbortController();
  readonly #signal: AbortSignal;
  #requested = false;
  #wake: () => void = () => undefined;
  #byInterval = false;
  #costMs = 0;
  /** Of the last scan that looked at more than what changed, and when it ended. */
  #lookCostMs = 0;
  #lookedAtMs = 0;
  #due: ScanKind = 'changed';
  #waiters: { resolve: () => void; reject: (error: Error) => void }[] = [];

  constructor(context: ScanLoopContext) {
    this.#context = context;
    this.#signal = AbortSignal.any([context.signal, this.#stop.signal]);
  }

  /** Whether to scan without being asked as well. */
  set byInterval(on: boolean) {
    if (on === this.#byInterval) return;
    this.#byInterval = on;
    this.#wake();
  }

  /** Asks for a scan that starts after this call. */
  request(): void {
    this.#requested = true;
    this.#wake();
  }

  /** As request, and waits for it; rejects when the loop ends before. */
  rescan(): Promise<void> {
    return new Promise((resolve, reject) => {
      if (this.#signal.aborted) {
        reject(reasonOf(this.#signal));
        return;
      }
      this.#waiters.push({ resolve, reject });
      this.request();
    });
  }

  /** Ends the loop; a scan under way is waited for by run()'s caller. */
  stop(): void {
    this.#stop.abort(new Error('the watch has ended'));
  }

  /** Runs until it is stopped; resolves then. Rejects when a scan does. */
  async run(): Promise<void> {
    const onAbort = (): void => {
      this.#wake();
    };
    this.#signal.addEventListener('abort', onAbort);
    try {
      while (!this.#signal.aborted) {
        if (!(await this.#nextRequest())) continue;
        await this.#scanOnce();
        await this.#pause(Math.min(BUSY_PAUSE_LIMIT_MS, this.#costMs * (1 / BUSY_SHARE - 1)));
      }
    } finally {
      this.#signal.removeEventListener('abort', onAbort);
      for (const { reject } of this.#waiters.splice(0)) reject(reasonOf(this.#signal));
    }
  }

  async #scanOnce(): Promise<void> {
    this.#requested = false;
    const waiters = this.#waiters.splice(0);
    const kind = waiters.length > 0 ? 'all' : this.#due;
    try {
      this.#costMs = await this.#context.scan(kind);
      if (kind !== 'changed') {
        this.#lookCostMs = this.#costMs;
        this.#lookedAtMs = performance.now();
      }
      for (const { resolve } of waiters) resolve();
    } catch (error) {
      for (const { reject } of waiters) {
        reject(error instanceof Error ? error : new Error(String(error)));
      }
      if (!this.#signal.aborted) throw error;
    }
  }

  /** @returns whether a scan is due; false when it woke for another reason. */
  async #nextRequest(): Promise<boolean> {
    this.#due = 'changed';
    const leftMs = this.#leftMs();
    const isWoken = this.#requested || (await this.#wait(leftMs));
    if (!isWoken || (leftMs !== undefined && leftMs <= 0)) {
      this.#due = 'unwatched';
      return true;
    }
    // Asked again: a request may have come, or the way of waiting has changed.
    if (!this.#isRequested()) return false;
    await this.#pause(this.#context.debounceMs);
    return !this.#signal.aborted;
  }

  /** Until the next look by interval; undefined while there is none. */
  #leftMs(): number | undefined {
    if (!this.#byInterval) return undefined;
    const intervalMs = Math.max(LEAST_INTERVAL_MS, this.#lookCostMs / IDLE_SHARE);
    return Math.max(0, this.#lookedAtMs + intervalMs - performance.now());
  }

  #isRequested(): boolean {
    return this.#requested;
  }

  /** @returns true when woken, false when the time was up. */
  #wait(ms: number | undefined): Promise<boolean> {
    return new Promise((resolve) => {
      const timer =
        ms === undefined
          ? undefined
          : setTimeout(() => {
              this.#wake = () => undefined;
              resolve(false);
            }, ms);
      timer?.unref();
      this.#wake = () => {
        clearTimeout(timer);
        this.#wake = () => undefined;
        resolve(true);
      };
      if (this.#signal.aborted) this.#wake();
    });
  }

  async #pause(ms: number): Promise<void> {
    if (this.#waiters.length > 0 || ms < 1) return;
    await sleep(ms, this.#signal).catch((error: unknown) => {
      if (!this.#signal.aborted) throw error;
    });
  }
}
