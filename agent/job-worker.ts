/**
 * The inside of a process that does jobs. Enters: lines of JSON on standard input (job-message.ts).
 * Leaves: lines of JSON on descriptor 3, the last one of each job its outcome or its error. The end of
 * standard input ends the process at once: nothing is left to do, or the daemon died, and then what
 * this process leaves is swept later.
 */
import { Socket } from 'node:net';
import { AgentError, EXIT, toAgentError } from './errors.ts';
import { MESSAGE_FD, readMessages } from './job-message.ts';
import type { JobAnswer, JobMessage, JobOrder } from './job-message.ts';

export interface JobHandles<Progress> {
  /** Aborted when the daemon says so, and by SIGTERM. */
  readonly signal: AbortSignal;
  readonly onProgress: (progress: Progress) => void;
}

/**
 * Serves one job after the other, and several at once.
 * @param work the job is what the daemon wrote: its type is the two sides' agreement.
 * @param onThreads told how many threads the process may have beside its own.
 */
export function serveJobs(
  work: (job: never, handles: JobHandles<unknown>) => Promise<unknown>,
  onThreads: (count: number) => void = () => undefined,
): void {
  const underWay = new Map<number, AbortController>();
  const messages = new Socket({ fd: MESSAGE_FD, readable: false, writable: true });
  // A daemon that is gone cannot be told.
  messages.on('error', () => process.exit(EXIT.unavailable));
  process.on('SIGTERM', () => {
    for (const abort of underWay.values()) abort.abort(stopped());
  });
  // Control-C in a terminal goes to the whole group: the daemon decides what it means.
  process.on('SIGINT', () => undefined);

  const answer = (id: number, message: JobMessage<unknown, unknown>): void => {
    const line: JobAnswer<unknown, unknown> = { id, message };
    messages.write(`${JSON.stringify(line)}\n`);
  };
  const serve = async (id: number, job: unknown): Promise<void> => {
    const abort = new AbortController();
    underWay.set(id, abort);
    const onProgress = (progress: unknown): void => {
      answer(id, { type: 'progress', progress });
    };
    try {
      const outcome = await work(job as never, { signal: abort.signal, onProgress });
      answer(id, { type: 'outcome', outcome });
    } catch (error) {
      answer(id, { type: 'error', error: toAgentError(error).toJSON() });
    } finally {
      underWay.delete(id);
    }
  };
  readMessages(process.stdin, (order: JobOrder) => {
    if (order.type === 'job') void serve(order.id, order.job);
    else if (order.type === 'abort') underWay.get(order.id)?.abort(stopped());
    else onThreads(order.count);
  });
  process.stdin.once('end', () => process.exit(underWay.size === 0 ? EXIT.ok : EXIT.unavailable));
}

function stopped(): AgentError {
  return new AgentError('ABORTED', 'the work was stopped');
}
