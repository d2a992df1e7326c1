/**
 * The clone process. Enters: one line of JSON, the job with its token, on standard input. Leaves:
 * lines of JSON on descriptor 3, the last one the outcome or the error. The end of standard input
 * means that the daemon died: so does this process, at once; its staging directory is swept later.
 */
import { Socket } from 'node:net';
import { createInterface } from 'node:readline';
import { AgentError, EXIT, toAgentError } from '../errors.ts';
import type { CloneJob } from './clone-job.ts';
import { cloneRepository } from './clone-repository.ts';
import { MESSAGE_FD } from './worker-message.ts';
import type { WorkerMessage } from './worker-message.ts';

const abort = new AbortController();
const messages = new Socket({ fd: MESSAGE_FD, readable: false, writable: true });

// A daemon that is gone cannot be told.
messages.on('error', () => process.exit(EXIT.unavailable));
process.on('SIGTERM', () => {
  abort.abort(new AgentError('ABORTED', 'the clone was stopped'));
});
// Control-C in a terminal goes to the whole group: the daemon decides what it means.
process.on('SIGINT', () => undefined);

const input = createInterface({ input: process.stdin });
input.once('line', (line) => void run(JSON.parse(line) as CloneJob));
input.once('close', () => process.exit(EXIT.unavailable));

// Loaded while the job is on its way; cloneRepository() meets a failure again, and reports it.
import('isomorphic-git').catch(() => undefined);

async function run(job: CloneJob): Promise<void> {
  const last = await clone(job);
  messages.end(`${JSON.stringify(last)}\n`, () => process.exit(EXIT.ok));
}

async function clone(job: CloneJob): Promise<WorkerMessage> {
  try {
    const outcome = await cloneRepository(job, {
      signal: abort.signal,
      onProgress: (progress) => {
        send({ type: 'progress', progress });
      },
    });
    return { type: 'outcome', outcome };
  } catch (error) {
    return { type: 'error', error: toAgentError(error).toJSON() };
  }
}

function send(message: WorkerMessage): void {
  messages.write(`${JSON.stringify(message)}\n`);
}
