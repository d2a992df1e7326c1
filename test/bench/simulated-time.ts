/** A clock that stands still while anybody works, and jumps to the next sleeper's end when nobody does. */

interface Sleeper {
  readonly atMs: number;
  readonly wake: () => void;
}

export class SimulatedTime {
  nowMs = 0;
  readonly #sleepers: Sleeper[] = [];

  sleep(ms: number): Promise<void> {
    return new Promise((wake) => {
      this.#sleepers.push({ atMs: this.nowMs + ms, wake });
    });
  }

  /** Until nobody sleeps any more. */
  async runUntilIdle(): Promise<void> {
    for (;;) {
      // Everything that is not asleep runs before the next turn of the event loop.
      await new Promise((resolve) => setImmediate(resolve));
      if (this.#sleepers.length === 0) return;
      this.nowMs = Math.min(...this.#sleepers.map(({ atMs }) => atMs));
      const due = this.#sleepers.filter(({ atMs }) => atMs <= this.nowMs);
      for (const sleeper of due) this.#sleepers.splice(this.#sleepers.indexOf(sleeper), 1);
      for (const { wake } of due) wake();
    }
  }
}
