/**
 * The soak's clock: milliseconds in which the machine really went on. A machine that is suspended, or
 * on which every process is stopped for a while, has a gap; what took longer for it is nobody's fault.
 */

const EVERY_MS = 250;
/** This process alone may be late by less, with all that it computes itself. */
const LEAST_GAP_MS = 4000;

export class Gaps implements Disposable {
  count = 0;
  lostMs = 0;
  #seenAt = performance.now();
  readonly #timer = setInterval(() => {
    this.#look();
  }, EVERY_MS);

  /** For differences alone. */
  now(): number {
    this.#look();
    return performance.now() - this.lostMs;
  }

  [Symbol.dispose](): void {
    clearInterval(this.#timer);
  }

  #look(): void {
    const now = performance.now();
    const lateMs = now - this.#seenAt - EVERY_MS;
    this.#seenAt = now;
    if (lateMs < LEAST_GAP_MS) return;
    this.count += 1;
    this.lostMs += lateMs;
  }
}
