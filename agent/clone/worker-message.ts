/** The lines that a clone process writes to its daemon: JSON, one message each. */
import type { SerialisedError } from '../errors.ts';
import type { CloneOutcome, CloneProgress } from './clone-job.ts';

export type WorkerMessage =
  | { readonly type: 'progress'; readonly progress: CloneProgress }
  | { readonly type: 'outcome'; readonly outcome: CloneOutcome }
  | { readonly type: 'error'; readonly error: SerialisedError };

/** The descriptor that the messages are written to. */
export const MESSAGE_FD = 3;
