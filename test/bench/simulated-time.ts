/** A clock that stands still while anybody works, and jumps to the next sleeper's end when nobody does. */

interface Sleeper {
  readonly atMs: number;
  readonly wake: () => void;
}

export class SimulatedTime {
  nowMs = 0;
  /** A binary heap: the sleeper that wakes next stands first. */
  readonly #sleepers: Sleeper[] = [];

  sleep(ms: number): Promise<void> {
    return new Promise((wake) => {
      this.#push({ atMs: this.nowMs + ms, wake });
    });
  }

  /** Until nobody sleeps any more. */
  async runUntilIdle(): Promise<void> {
    for (;;) {
      // Everything that is not asleep runs before the next turn of the event loop.
      await new Promise((resolve) => setImmediate(resolve));
      const next = this.#sleepers[0];
      if (next === undefined) return;
      this.nowMs = Math.max(this.nowMs, next.atMs);
      const due: Sleeper[] = [];
      while ((this.#sleepers[0]?.atMs ?? Infinity) <= this.nowMs) due.push(this.#pop()!);
      for (const { wake } of due) wake();
    }
  }

  #push(sleeper: Sleeper): void {
    const heap = this.#sleepers;
    let at = heap.push(sleeper) - 1;
    while (at > 0) {
      const parent = (at - 1) >> 1;
      if (heap[parent]!.atMs <= sleeper.atMs) break;
      heap[at] = heap[parent]!;
      at = parent;
    }
    heap[at] = sleeper;
  }

  #pop(): Sleeper | undefined {
    const heap = this.#sleepers;
    const [first] = heap;
    const last = heap.pop();
    if (last === undefined || heap.length === 0) return first;
    let at = 0;
    for (;;) {
      let child = 2 * at + 1;
      if (child >= heap.length) break;
      if (child + 1 < heap.length && heap[child + 1]!.atMs < heap[child]!.atMs) child += 1;
      if (heap[child]!.atMs >= last.atMs) break;
      heap[at] = heap[child]!;
      at = child;
    }
    heap[at] = last;
    return first;
  }
}
