/** The lines that a job's process writes to the daemon: JSON, one message each. */
import type { SerialisedError } from './errors.ts';

export type JobMessage<Outcome, Progress> =
  | { readonly type: 'progress'; readonly progress: Progress }
  | { readonly type: 'outcome'; readonly outcome: Outcome }
  | { readonly type: 'error'; readonly error: SerialisedError };

/** The descriptor that the messages are written to. */
export const MESSAGE_FD = 3;
