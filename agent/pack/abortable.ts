/** An async iterable and a signal in, the same items out, until the signal is aborted. */
import { reasonOf } from '../lifetime.ts';

/** The items of `source`; throws the signal's reason as soon as it is aborted, even while waiting. */
export async function* untilAborted<T>(
  source: AsyncIterable<T>,
  signal: AbortSignal | undefined,
): AsyncGenerator<T, void, undefined> {
  if (signal === undefined) {
    yield* source;
    return;
  }
  const iterator = source[Symbol.asyncIterator]();
  // Not Promise.race with one promise for the abort: that would keep every item alive until the end.
  let refuse: ((reason: Error) => void) | undefined;
  const stop = (): void => refuse?.(reasonOf(signal));
  signal.addEventListener('abort', stop);
  let done: boolean | undefined = false;
  try {
    while (true) {
      signal.throwIfAborted();
      const result = await new Promise<IteratorResult<T, unknown>>((resolve, reject) => {
        refuse = reject;
        iterator.next().then(resolve, reject);
      });
      done = result.done;
      if (result.done === true) return;
      yield result.value;
    }
  } finally {
    signal.removeEventListener('abort', stop);
    // Not awaited: a source that hangs in next() would hang in return() as well.
    if (done !== true) iterator.return?.().catch(ignoreLateFailure);
  }
}

/** The source fails while it is being left: the reason for leaving is already on its way up. */
function ignoreLateFailure(): undefined {
  return undefined;
}
