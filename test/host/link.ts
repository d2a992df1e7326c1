/**
 * A body's pieces in, the same bytes out at the speed of a link: a token bucket that holds one slice
 * at most, so that time in which the client did not read is lost, as it is on a wire. Each slice is
 * given when its last byte would have arrived; a late timer does not slow the next ones.
 */
import { setTimeout as delay } from 'node:timers/promises';

/** Small enough that the first slice, which takes no time of the transfer, hardly counts. */
const SLICE_MS = 10;

export interface Clock {
  now(): number;
  sleep(ms: number): Promise<unknown>;
}

const REAL_CLOCK: Clock = { now: () => performance.now(), sleep: (ms) => delay(ms) };

export class Link {
  readonly #clock: Clock;
  readonly #bytesPerMs: number;
  readonly #sliceBytes: number;
  /** When all that was given would have arrived. */
  #freeAtMs = -Infinity;

  constructor(bytesPerSecond: number, clock = REAL_CLOCK) {
    this.#clock = clock;
    this.#bytesPerMs = bytesPerSecond / 1000;
    this.#sliceBytes = Math.ceil(this.#bytesPerMs * SLICE_MS);
  }

  async *pass(chunk: Buffer): AsyncGenerator<Buffer> {
    for (let at = 0; at < chunk.length; at += this.#sliceBytes) {
      const slice = chunk.subarray(at, at + this.#sliceBytes);
      const now = this.#clock.now();
      const begin = Math.max(this.#freeAtMs, now - SLICE_MS);
      this.#freeAtMs = begin + slice.length / this.#bytesPerMs;
      if (this.#freeAtMs > now) await this.#clock.sleep(this.#freeAtMs - now);
      yield slice;
    }
  }
}
