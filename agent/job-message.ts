/**
 * The lines between the daemon and a process that does jobs: JSON, one message each. Orders go over
 * the process's standard input, answers come on a descriptor of their own.
 */
import type { SerialisedError } from './errors.ts';

export type JobOrder =
  | { readonly type: 'job'; readonly id: number; readonly job: unknown }
  | { readonly type: 'abort'; readonly id: number }
  /** How many threads beside its own the process may use from now on. */
  | { readonly type: 'threads'; readonly count: number };

export type JobMessage<Outcome, Progress> =
  { readonly type: 'progress'; readonly progress: Progress } | JobEnd<Outcome>;

export type JobEnd<Outcome> =
  | { readonly type: 'outcome'; readonly outcome: Outcome }
  | { readonly type: 'error'; readonly error: SerialisedError };

/** A message, and the job that it is about. */
export interface JobAnswer<Outcome, Progress> {
  readonly id: number;
  readonly message: JobMessage<Outcome, Progress>;
}

/** The descriptor that the answers are written to. */
export const MESSAGE_FD = 3;
