/**
 * Long work in slices: rest() gives the event loop a turn once a slice is used up, so that health
 * probes are answered while a ledger is taken. An abort ends the work at the next rest.
 */
import { nextTurn, reasonOf } from '../lifetime.ts';

const SLICE_MS = 8;

export class Pace {
  readonly signal: AbortSignal | undefined;
  #sliceStartedAt = performance.now();

  constructor(signal?: AbortSignal) {
    this.signal = signal;
  }

  /** True when the slice is used up. Asked in hot loops, which await rest() only then. */
  get due(): boolean {
    return performance.now() - this.#sliceStartedAt > SLICE_MS;
  }

  async rest(): Promise<void> {
    await nextTurn();
    if (this.signal?.aborted === true) throw reasonOf(this.signal);
    this.#sliceStartedAt = performance.now();
  }
}
