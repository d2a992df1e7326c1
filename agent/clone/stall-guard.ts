/**
 * Ends a transfer that is alive but useless. Enters: how much of the pack has come. Leaves: a signal,
 * aborted when that is too little. Invariant: only time spent waiting for the host counts, so that a
 * slow disk is never mistaken for a slow peer.
 */
import { TransportError } from '../errors.ts';
import type { TransportLimits } from './transport-limits.ts';

export type StallLimits = Pick<
  TransportLimits,
  'firstPackByteMs' | 'leastPackBytes' | 'leastPackBytesWithinMs' | 'packTimeoutMs'
>;

export class StallGuard implements Disposable {
  readonly #limits: StallLimits;
  readonly #late = new AbortController();
  #hasBegun = false;
  /** Bytes so far of those that are to come in #allowedMs, until #dueAtMs. */
  #received = 0;
  #allowedMs: number;
  #dueAtMs: number;
  #endAtMs: number;
  /** One for many chunks: what has come since it was set is looked at when it is due. */
  #timer: NodeJS.Timeout | undefined;
  #isOver = false;

  constructor(limits: StallLimits) {
    const nowMs = performance.now();
    this.#limits = limits;
    this.#allowedMs = limits.firstPackByteMs;
    this.#dueAtMs = nowMs + limits.firstPackByteMs;
    this.#endAtMs = nowMs + limits.packTimeoutMs;
    this.#look();
  }

  /** Its reason is a TransportError. */
  get signal(): AbortSignal {
    return this.#late.signal;
  }

  received(bytes: number): void {
    const { leastPackBytes, leastPackBytesWithinMs } = this.#limits;
    const isFirst = !this.#hasBegun;
    this.#hasBegun = true;
    this.#received += bytes;
    if (!isFirst && this.#received < leastPackBytes) return;
    this.#received = 0;
    this.#allowedMs = leastPackBytesWithinMs;
    this.#dueAtMs = performance.now() + leastPackBytesWithinMs;
    if (isFirst) this.#look();
  }

  /** Waits for `work`, which is no waiting for the host. */
  async excuse(work: Promise<void>): Promise<void> {
    const sinceMs = performance.now();
    clearTimeout(this.#timer);
    await work;
    const tookMs = performance.now() - sinceMs;
    this.#dueAtMs += tookMs;
    this.#endAtMs += tookMs;
    this.#look();
  }

  [Symbol.dispose](): void {
    this.#isOver = true;
    clearTimeout(this.#timer);
  }

  #look(): void {
    clearTimeout(this.#timer);
    if (this.#isOver) return;
    const nowMs = performance.now();
    if (nowMs >= this.#endAtMs) this.#late.abort(tooLong(this.#limits));
    else if (nowMs >= this.#dueAtMs) this.#late.abort(this.#tooSlow());
    else {
      const look = (): void => {
        this.#look();
      };
      this.#timer = setTimeout(look, Math.min(this.#dueAtMs, this.#endAtMs) - nowMs);
    }
  }

  #tooSlow(): TransportError {
    const [received, allowedMs] = [this.#received, this.#allowedMs];
    const leastBytes = this.#limits.leastPackBytes;
    return new TransportError(
      'TRANSPORT_TIMEOUT',
      `the pack is too slow: expected ${leastBytes} bytes within ${allowedMs} ms, got ${received}`,
      { data: { received, leastBytes, allowedMs } },
    );
  }
}

function tooLong({ packTimeoutMs: totalMs }: StallLimits): TransportError {
  return new TransportError('TRANSPORT_TIMEOUT', `the pack took longer than ${totalMs} ms`, {
    data: { totalMs },
  });
}
