/**
 * The daemon's side of a clone process. Enters: a job. Leaves: its outcome, or its error as it was
 * thrown there. Invariants: the token goes over standard input only; no process and no descriptor
 * outlives the promise.
 *
 * Why a process: measured on two busy cores with repositories of 33,000 to 290,000 objects, the
 * daemon's event loop was late by 45 to 136 ms at worst (p99 16 to 33 ms) beside a process, 75 ms
 * (p99 28 ms) beside a thread, and 492 ms (p99 242 ms) with the clone in the daemon itself. The
 * daemon's memory was as before after a process, and 33 to 36 MB larger after a thread; and a process
 * that runs out of memory takes nobody along. Its price is 4 ms in spawn() and the time that its code
 * takes to load, which a spare process hides (spare-process.ts).
 */
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import type { Readable } from 'node:stream';
import { AgentError, errnoOf } from '../errors.ts';
import type { Log } from '../log.ts';
import type { CloneJob, CloneOutcome, CloneProgress } from './clone-job.ts';
import { spawnWorker } from './spare-process.ts';
import type { SpareProcess, SpawnContext } from './spare-process.ts';
import { MESSAGE_FD } from './worker-message.ts';
import type { WorkerMessage } from './worker-message.ts';

/** After SIGTERM. The daemon has 10 s for all of its own end. */
const KILL_AFTER_MS = 3_000;
const SHOWN_STDERR_CHARACTERS = 2_000;

export interface CloneProcessContext extends SpawnContext {
  readonly signal: AbortSignal;
  readonly onProgress: (progress: CloneProgress) => void;
  readonly log: Log;
  /** Used when it is still there, else a process is started. */
  readonly spare?: SpareProcess;
}

/** @throws the clone's AgentError; CLONE_WORKER_DIED; the signal's reason, once the process is gone. */
export async function cloneInProcess(
  job: CloneJob,
  context: CloneProcessContext,
): Promise<CloneOutcome> {
  const { signal, log, onProgress } = context;
  signal.throwIfAborted();
  const worker = await start(context);
  const closed = once(worker, 'close');
  const disarm = stopOnAbort(worker, signal);
  const complaint = collect(worker.stderr);
  try {
    // When the process is gone before it has read the job, its end says so below.
    worker.stdin?.on('error', () => undefined);
    worker.stdin?.write(`${JSON.stringify(job)}\n`);
    const last = await readMessages(worker, onProgress);
    await closed;
    const { pid, exitCode, signalCode } = worker;
    log.debug({ pid, exitCode, signalCode }, 'the clone process ended');
    signal.throwIfAborted();
    if (last === null) throw died(exitCode, signalCode, complaint());
    if (last.type === 'error') throw AgentError.fromJSON(last.error);
    return last.outcome;
  } finally {
    if (worker.exitCode === null && worker.signalCode === null) worker.kill('SIGKILL');
    await closed;
    disarm();
    worker.stdin?.destroy();
  }
}

async function start(context: CloneProcessContext): Promise<ChildProcess> {
  const worker = context.spare?.take() ?? spawnWorker(context);
  if (worker.pid !== undefined) return worker;
  const [error] = (await once(worker, 'error')) as [unknown];
  const errno = errnoOf(error) ?? 'unknown';
  throw new AgentError('CLONE_WORKER_DIED', `the clone process could not be started: ${errno}`, {
    cause: error,
    data: { errno },
  });
}

/** SIGTERM at once, SIGKILL when that was not enough; @returns what ends the watch. */
function stopOnAbort(worker: ChildProcess, signal: AbortSignal): () => void {
  let timer: NodeJS.Timeout | undefined;
  const stop = (): void => {
    worker.kill('SIGTERM');
    timer = setTimeout(() => worker.kill('SIGKILL'), KILL_AFTER_MS);
  };
  if (signal.aborted) stop();
  else signal.addEventListener('abort', stop, { once: true });
  return () => {
    clearTimeout(timer);
    signal.removeEventListener('abort', stop);
  };
}

/** @returns the outcome or the error, or null when the process ended without either. */
async function readMessages(
  worker: ChildProcess,
  onProgress: CloneProcessContext['onProgress'],
): Promise<Exclude<WorkerMessage, { type: 'progress' }> | null> {
  const stream = worker.stdio[MESSAGE_FD] as Readable;
  let rest = '';
  for await (const chunk of stream.setEncoding('utf8')) {
    const lines = (rest + String(chunk)).split('\n');
    // A line that a dying process left unfinished is never parsed.
    rest = lines.pop() ?? '';
    for (const line of lines) {
      const message = JSON.parse(line) as WorkerMessage;
      if (message.type !== 'progress') return message;
      onProgress(message.progress);
    }
  }
  return null;
}

/** The first part of what a process says; the rest is read and dropped, so that it never blocks. */
function collect(stream: Readable | null): () => string {
  let text = '';
  stream?.setEncoding('utf8').on('data', (chunk: string) => {
    text = (text + chunk).slice(0, SHOWN_STDERR_CHARACTERS);
  });
  return () => text;
}

function died(
  exitCode: number | null,
  signalCode: NodeJS.Signals | null,
  complaint: string,
): AgentError {
  const how = signalCode === null ? `exit code ${exitCode ?? 'none'}` : signalCode;
  // A stack of the process is for the log, not for a status page.
  return new AgentError('CLONE_WORKER_DIED', `the clone process ended early: ${how}`, {
    cause: new Error(complaint === '' ? 'it said nothing' : complaint),
    data: { exitCode, signalCode },
  });
}
