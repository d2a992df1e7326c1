/**
 * The lines between the daemon and a process that does jobs: JSON, one message each. Orders go over
 * the process's standard input, answers come on a descriptor of their own.
 */
import type { Readable } from 'node:stream';
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

/** Calls with each whole line; one that a dying process left unfinished is never parsed. */
export function readMessages(stream: Readable | null, onMessage: (message: never) => void): void {
  let rest = '';
  stream?.setEncoding('utf8').on('data', (chunk: string) => {
    const lines = (rest + chunk).split('\n');
    rest = lines.pop() ?? '';
    for (const line of lines) onMessage(JSON.parse(line) as never);
  });
}
