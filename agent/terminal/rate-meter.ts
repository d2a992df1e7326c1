/**
 * Speed over the last few seconds. In: a growing number and the time; out: units per second, or
 * null while too little is known. A number that falls (a new attempt, a new phase) begins anew.
 */

const WINDOW_MS = 3_000;
const SHORTEST_MS = 500;

interface Sample {
  readonly atMs: number;
  readonly value: number;
}

export class RateMeter {
  /** Oldest first; the display adds at most ten a second. */
  readonly #samples: Sample[] = [];

  add(value: number, atMs: number): void {
    const last = this.#samples.at(-1);
    if (last !== undefined && (value < last.value || atMs < last.atMs)) this.#samples.length = 0;
    this.#samples.push({ atMs, value });
    while (this.#samples.length > 2 && (this.#samples[1]?.atMs ?? 0) <= atMs - WINDOW_MS) {
      this.#samples.shift();
    }
  }

  get perSecond(): number | null {
    const first = this.#samples[0];
    const last = this.#samples.at(-1);
    if (first === undefined || last === undefined) return null;
    const ms = last.atMs - first.atMs;
    return ms < SHORTEST_MS ? null : ((last.value - first.value) / ms) * 1000;
  }
}
