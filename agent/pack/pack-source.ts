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
    stop.throwIfAborted();
    const iterator = chunks[Symbol.asyncIterator]();
    // Not Promise.race with one promise for the abort: that would keep every chunk alive until the end.
    let refuse: ((reason: Error) => void) | undefined;
    const onStop = (): void => refuse?.(reasonOf(stop));
    const unlessStopped = <T>(work: Promise<T>): Promise<T> =>
      new Promise((resolve, reject) => {
        refuse = reject;
        work.then(resolve, reject);
      });
    stop.addEventListener('abort', onStop);
    try {
      for (;;) {
        const next = await unlessStopped(iterator.next());
        if (next.done === true) return;
        sink.take(next.value);
        const backlog = sink.backlog();
        stop.throwIfAborted();
        if (backlog !== null) await unlessStopped(backlog);
      }
    } finally {
      stop.removeEventListener('abort', onStop);
      // Not awaited: a source that hangs in next() would hang in return() as well.
      iterator.return?.().catch(ignoreLateFailure);
    }
  };
}

/** The source fails while it is being left: the reason for leaving is already on its way up. */
function ignoreLateFailure(): undefined {
  return undefined;
}
