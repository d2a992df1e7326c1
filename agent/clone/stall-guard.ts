/**
 * Ends a transfer that is alive but useless. Enters and leaves: the same chunks. Invariant: only time
 * spent waiting for the source counts, so that a slow reader is never mistaken for a slow peer.
 */
import { TransportError } from '../errors.ts';

export interface StallLimits {
  readonly firstByteMs: number;
  readonly leastBytes: number;
  readonly withinMs: number;
  /** All waiting together. */
  readonly totalMs: number;
}

/**
 * Passes `source` on while each `leastBytes` of it take less than `withinMs` of waiting.
 * @throws TRANSPORT_TIMEOUT otherwise; the caller then closes the source, whose read is still pending.
 */
export async function* withLeastSpeed(
  source: AsyncIterable<Uint8Array>,
  { firstByteMs, leastBytes, withinMs, totalMs }: StallLimits,
): AsyncGenerator<Uint8Array, void, undefined> {
  const iterator = source[Symbol.asyncIterator]();
  let allowedMs = firstByteMs;
  let waitedMs = 0;
  let received = 0;
  let leftMs = totalMs;
  for (;;) {
    const startedMs = performance.now();
    const next = await withDeadline(iterator.next(), Math.min(allowedMs - waitedMs, leftMs), () =>
      leftMs < allowedMs - waitedMs ? tooLong(totalMs) : tooSlow(received, leastBytes, allowedMs),
    );
    if (next.done === true) return;
    const tookMs = performance.now() - startedMs;
    waitedMs += tookMs;
    leftMs -= tookMs;
    received += next.value.byteLength;
    if (allowedMs === firstByteMs || received >= leastBytes) {
      allowedMs = withinMs;
      waitedMs = 0;
      received = 0;
    }
    yield next.value;
  }
}

async function withDeadline<T>(work: Promise<T>, ms: number, onLate: () => Error): Promise<T> {
  const { promise: late, stop } = rejectAfter(ms, onLate);
  try {
    return await Promise.race([work, late]);
  } finally {
    stop();
    // The loser of the race: its end is reported by whoever closes the source.
    work.catch(() => undefined);
  }
}

function rejectAfter(
  ms: number,
  onLate: () => Error,
): { promise: Promise<never>; stop: () => void } {
  let timer: NodeJS.Timeout | undefined;
  const promise = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => {
      reject(onLate());
    }, ms);
  });
  return {
    promise,
    stop: () => {
      clearTimeout(timer);
    },
  };
}

function tooLong(totalMs: number): TransportError {
  return new TransportError('TRANSPORT_TIMEOUT', `the pack took longer than ${totalMs} ms`, {
    data: { totalMs },
  });
}

function tooSlow(received: number, leastBytes: number, allowedMs: number): TransportError {
  return new TransportError(
    'TRANSPORT_TIMEOUT',
    `the pack is too slow: expected ${leastBytes} bytes within ${allowedMs} ms, got ${received}`,
    { data: { received, leastBytes, allowedMs } },
  );
}
