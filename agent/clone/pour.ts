/**
 * The body of an answer, as fast as it comes. Enters: a message whose head was read. Leaves: its chunks,
 * each at once; whoever is busy with one pauses the socket. Invariant: none leaves after the end.
 */
import type { IncomingMessage } from 'node:http';
import { finished } from 'node:stream';
import { reasonOf } from '../lifetime.ts';

/** Takes a chunk. Returns null, or what the next one has to wait for. */
export type TakeChunk = (chunk: Buffer) => Promise<void> | null;

/** Settles at the end of a body. @throws what `take` throws; the reason of `stop`; the network's error. */
export type Pour = (take: TakeChunk, stop: AbortSignal) => Promise<void>;

export interface PourContext {
  readonly idleTimeoutMs: number;
  /** Gives the network's error its name. */
  readonly explain: (error: unknown) => Error;
}

export function pour(
  body: IncomingMessage,
  { idleTimeoutMs, explain }: PourContext,
  take: TakeChunk,
  stop: AbortSignal,
): Promise<void> {
  return new Promise((resolve, reject) => {
    const end = (error: Error): void => {
      clearTimeout(idle);
      body.off('data', onChunk);
      stop.removeEventListener('abort', onStop);
      body.destroy();
      reject(error);
    };
    const onStop = (): void => {
      end(reasonOf(stop));
    };
    // Only waiting counts, not what is done with a chunk.
    const idle = setTimeout(() => {
      const error = Object.assign(new Error('no byte'), { code: 'ETIMEDOUT' });
      if (!body.isPaused()) end(explain(error));
    }, idleTimeoutMs);
    const goOn = (): void => {
      if (body.destroyed) return;
      idle.refresh();
      body.resume();
    };
    const onChunk = (chunk: Buffer): void => {
      try {
        const busy = take(chunk);
        idle.refresh();
        if (busy === null) return;
        body.pause();
        busy.then(goOn, end);
      } catch (error) {
        end(error as Error);
      }
    };
    finished(body, (error) => {
      if (error != null) {
        end(explain(error));
        return;
      }
      clearTimeout(idle);
      stop.removeEventListener('abort', onStop);
      resolve();
    });
    stop.addEventListener('abort', onStop);
    body.on('data', onChunk);
    if (stop.aborted) onStop();
  });
}
