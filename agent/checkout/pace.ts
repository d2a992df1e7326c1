/**
 * Long synchronous work in slices: about every 50 ms the event loop gets a turn, so that signals
 * come in and progress goes out, and an abort ends the work with its reason.
 */
import { nextTurn, reasonOf } from '../lifetime.ts';

const SLICE_MS = 50;

export class Pace {
  readonly #signal: AbortSignal | undefined;
  #sliceEnd = 0;

  constructor(signal: AbortSignal | undefined) {
    this.#signal = signal;
    this.#startSlice();
  }

  /** True when the slice is used up: then await turn(). Cheap enough for every file. */
  get due(): boolean {
    return performance.now() >= this.#sliceEnd;
  }

  async turn(): Promise<void> {
    await nextTurn();
    if (this.#signal?.aborted === true) throw reasonOf(this.#signal);
    this.#startSlice();
  }

  #startSlice(): void {
    this.#sliceEnd = performance.now() + SLICE_MS;
  }
}
