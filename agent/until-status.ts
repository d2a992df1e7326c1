/** Waiting for the status table to say something: settles with the change that makes it true. */
import { reasonOf } from './lifetime.ts';
import type { StatusTable } from './status.ts';

/** @throws the signal's reason. */
export function untilStatus(
  status: StatusTable,
  signal: AbortSignal,
  isReached: () => boolean,
): Promise<void> {
  return new Promise((resolve, reject) => {
    const look = (): void => {
      if (!signal.aborted && !isReached()) return;
      unsubscribe();
      signal.removeEventListener('abort', look);
      if (signal.aborted) reject(reasonOf(signal));
      else resolve();
    };
    const unsubscribe = status.subscribe(look);
    signal.addEventListener('abort', look);
    look();
  });
}
