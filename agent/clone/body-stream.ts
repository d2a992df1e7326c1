/** The body of an answer for a reader who asks for it piece by piece. */
import { Readable } from 'node:stream';
import type { Pour } from './http-answer.ts';

/** Whoever leaves it early ends the connection. @throws what `pour` throws. */
export function bodyStream(pour: Pour): AsyncIterable<Uint8Array> {
  const left = new AbortController();
  let isFull = false;
  let goOn = (): void => undefined;
  const stream = new Readable({
    read: () => {
      isFull = false;
      goOn();
    },
    destroy: (error, callback) => {
      left.abort();
      callback(error);
    },
  });
  const take = (part: Buffer): void => {
    isFull = !stream.push(Buffer.from(part));
  };
  const backlog = (): Promise<void> | null =>
    isFull ? new Promise((resolve) => (goOn = resolve)) : null;
  pour({ take, backlog }, left.signal).then(
    () => stream.push(null),
    (error: unknown) => stream.destroy(error as Error),
  );
  return stream as AsyncIterable<Uint8Array>;
}
