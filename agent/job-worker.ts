/**
 * The inside of a process that does one job. Enters: one line of JSON, the job, on standard input.
 * Leaves: lines of JSON on descriptor 3, the last one the outcome or the error. The end of standard
 * input means that the daemon died: so does this process, at once; what it left is swept later.
 */
import { Socket } from 'node:net';
import { createInterface } from 'node:readline';
import { AgentError, EXIT, toAgentError } from './errors.ts';
import { MESSAGE_FD } from './job-message.ts';
import type { JobMessage } from './job-message.ts';

export interface JobHandles<Progress> {
  /** Aborted by SIGTERM. */
  readonly signal: AbortSignal;
  readonly onProgress: (progress: Progress) => void;
}

/**
 * Waits for the job and ends the process with it.
 * @param work the job is what the daemon wrote: its type is the two sides' agreement.
 */
export function serveJob(
  work: (job: never, handles: JobHandles<unknown>) => Promise<unknown>,
): void {
  const abort = new AbortController();
  const messages = new Socket({ fd: MESSAGE_FD, readable: false, writable: true });
  // A daemon that is gone cannot be told.
  messages.on('error', () => process.exit(EXIT.unavailable));
  process.on('SIGTERM', () => {
    abort.abort(new AgentError('ABORTED', 'the work was stopped'));
  });
  // Control-C in a terminal goes to the whole group: the daemon decides what it means.
  process.on('SIGINT', () => undefined);

  const lineOf = (message: JobMessage<unknown, unknown>): string => `${JSON.stringify(message)}\n`;
  const onProgress = (progress: unknown): void => {
    messages.write(lineOf({ type: 'progress', progress }));
  };
  const outcomeOf = async (line: string): Promise<JobMessage<unknown, unknown>> => {
    try {
      return {
        type: 'outcome',
        outcome: await work(JSON.parse(line) as never, { signal: abort.signal, onProgress }),
      };
    } catch (error) {
      return { type: 'error', error: toAgentError(error).toJSON() };
    }
  };
  const input = createInterface({ input: process.stdin });
  input.once('line', (line) => {
    void outcomeOf(line).then((last) => {
      messages.end(lineOf(last), () => process.exit(EXIT.ok));
    });
  });
  input.once('close', () => process.exit(EXIT.unavailable));
}
