/** Where a pack comes from and where it goes: the seam between whoever has one and the engine. */
import { reasonOf } from '../lifetime.ts';

export interface PackSink {
  /** Takes what has come of the pack; the caller may reuse the bytes afterwards. */
  take(bytes: Uint8Array): void;
  /** Asked after each chunk: null, or what to wait for before the next one is taken. */
  backlog(): Promise<void> | null;
}

/**
 * Hands the whole pack to the sink, and nothing after it has settled.
 * @throws its own error, the sink's, or the reason of `stop` as soon as that is aborted.
 */
export type PackSource = (sink: PackSink, stop: AbortSignal) => Promise<void>;

/** Chunks that are asked for one by one. */
export function packSource(chunks: AsyncIterable<Uint8Array>): PackSource {
  return async (sink, stop) => {
    const iterator = chunks[Symbol.asyncIterator]();
    try {
      for (;;) {
        const next = await unlessStopped(iterator.next(), stop);
        if (next.done === true) return;
        sink.take(next.value);
        const backlog = sink.backlog();
        if (backlog !== null) await unlessStopped(backlog, stop);
      }
    } finally {
      // Not awaited: a source that hangs in next() would hang in return() as well.
      iterator.return?.().catch(ignoreLateFailure);
    }
  };
}

/** Not Promise.race with one promise for the abort: that would keep every chunk alive until the end. */
function unlessStopped<T>(work: Promise<T>, stop: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    const onStop = (): void => {
      reject(reasonOf(stop));
    };
    const settled = (): void => {
      stop.removeEventListener('abort', onStop);
    };
    work.then(resolve, reject).finally(settled);
    if (stop.aborted) onStop();
    else stop.addEventListener('abort', onStop);
  });
}

/** The source fails while it is being left: the reason for leaving is already on its way up. */
function ignoreLateFailure(): undefined {
  return undefined;
}
