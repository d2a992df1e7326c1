/** Time that passes when told to; alarms go off on the way. */
import type { TimeSource } from '../../agent/work/time-source.ts';

interface Alarm {
  atMs: number;
  readonly wake: () => void;
}

export class FakeTime implements TimeSource {
  #wallMs: number;
  #elapsedMs = 1_000_000;
  readonly #alarms = new Set<Alarm>();

  constructor(wallMs: number) {
    this.#wallMs = wallMs;
  }

  wallMs(): number {
    return this.#wallMs;
  }

  elapsedMs(): number {
    return this.#elapsedMs;
  }

  wakeAfter(ms: number, wake: () => void): () => void {
    const alarm = { atMs: this.#elapsedMs + ms, wake };
    this.#alarms.add(alarm);
    return () => this.#alarms.delete(alarm);
  }

  setWall(wallMs: number): void {
    this.#wallMs = wallMs;
  }

  /** Both clocks go on, and no alarm goes off: timers stand still while a machine is suspended. */
  suspend(ms: number): void {
    for (const alarm of this.#alarms) alarm.atMs += ms;
    this.#pass(ms);
  }

  advance(ms: number): void {
    const end = this.#elapsedMs + ms;
    while (true) {
      const [next] = [...this.#alarms].sort((a, b) => a.atMs - b.atMs);
      if (next === undefined || next.atMs > end) break;
      this.#alarms.delete(next);
      this.#pass(next.atMs - this.#elapsedMs);
      next.wake();
    }
    this.#pass(end - this.#elapsedMs);
  }

  #pass(ms: number): void {
    this.#elapsedMs += ms;
    this.#wallMs += ms;
  }
}
