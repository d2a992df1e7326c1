/**
 * The daemon's side of a process that does one job. Enters: a process that waits, and its job. Leaves:
 * the job's outcome, or its error as it was thrown there. Invariants: what is secret in a job goes over
 * standard input only; no process and no descriptor outlives the promise.
 */
import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import type { Readable } from 'node:stream';
import { AgentError, errnoOf } from './errors.ts';
import type { ErrorCode } from './errors.ts';
import type { Environment, Owner } from './host.ts';
import { MESSAGE_FD } from './job-message.ts';
import type { JobMessage } from './job-message.ts';
import type { Log } from './log.ts';

/** After SIGTERM. The daemon has 10 s for all of its own end. */
const KILL_AFTER_MS = 3_000;
const SHOWN_STDERR_CHARACTERS = 2_000;

/**
 * What Node and its TLS read from the environment by themselves; all else is in the job. So is
 * NODE_EXTRA_CA_CERTS: Node 20 would parse it at every start, 75 ms for a distribution's bundle.
 */
const INHERITED = ['SSL_CERT_DIR', 'SSL_CERT_FILE', 'TMPDIR', 'TZ'];

export interface SpawnContext {
  /** The daemon's environment, of which the process gets a few variables; never a token. */
  readonly env: Environment;
  /** Who the process runs as, and so who owns what it makes; the daemon's own user unless told. */
  readonly owner?: Owner | null;
}

/** A process that waits for its job. Without a `pid` it could not be started; "error" says why. */
export function spawnJobProcess(
  path: string,
  flags: readonly string[],
  { env, owner }: SpawnContext,
): ChildProcess {
  return spawn(process.execPath, [...flags, path], {
    stdio: ['pipe', 'ignore', 'pipe', 'pipe'],
    env: Object.fromEntries(INHERITED.map((name) => [name, env[name]])),
    ...owner,
  });
}

export interface JobProcessContext<Progress> {
  /** For messages: "the clone process". */
  readonly name: string;
  /** Of a process that did not start, or ended without a word. */
  readonly diedCode: ErrorCode;
  readonly signal: AbortSignal;
  readonly onProgress: (progress: Progress) => void;
  readonly log: Log;
}

/** @throws the job's AgentError; `diedCode`; the signal's reason, once the process is gone. */
export async function runJob<Outcome, Progress>(
  worker: ChildProcess,
  job: unknown,
  context: JobProcessContext<Progress>,
): Promise<Outcome> {
  const { name, signal, log, onProgress } = context;
  if (worker.pid === undefined) await failToStart(worker, context);
  const closed = once(worker, 'close');
  const disarm = stopOnAbort(worker, signal);
  const complaint = collect(worker.stderr);
  try {
    // When the process is gone before it has read the job, its end says so below.
    worker.stdin?.on('error', () => undefined);
    worker.stdin?.write(`${JSON.stringify(job)}\n`);
    const last = await readMessages<Outcome, Progress>(worker, onProgress);
    await closed;
    const { pid, exitCode, signalCode } = worker;
    log.debug({ pid, exitCode, signalCode }, `${name} ended`);
    signal.throwIfAborted();
    if (last === null) throw died(worker, context, complaint());
    if (last.type === 'error') throw AgentError.fromJSON(last.error);
    return last.outcome;
  } finally {
    if (worker.exitCode === null && worker.signalCode === null) worker.kill('SIGKILL');
    await closed;
    disarm();
    worker.stdin?.destroy();
  }
}

async function failToStart<Progress>(
  worker: ChildProcess,
  { name, diedCode }: JobProcessContext<Progress>,
): Promise<never> {
  const [error] = (await once(worker, 'error')) as [unknown];
  const errno = errnoOf(error) ?? 'unknown';
  throw new AgentError(diedCode, `${name} could not be started: ${errno}`, {
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
async function readMessages<Outcome, Progress>(
  worker: ChildProcess,
  onProgress: (progress: Progress) => void,
): Promise<Exclude<JobMessage<Outcome, Progress>, { type: 'progress' }> | null> {
  const stream = worker.stdio[MESSAGE_FD] as Readable;
  let rest = '';
  for await (const chunk of stream.setEncoding('utf8')) {
    const lines = (rest + String(chunk)).split('\n');
    // A line that a dying process left unfinished is never parsed.
    rest = lines.pop() ?? '';
    for (const line of lines) {
      const message = JSON.parse(line) as JobMessage<Outcome, Progress>;
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

function died<Progress>(
  { exitCode, signalCode }: ChildProcess,
  { name, diedCode }: JobProcessContext<Progress>,
  complaint: string,
): AgentError {
  const how = signalCode === null ? `exit code ${exitCode ?? 'none'}` : signalCode;
  // A stack of the process is for the log, not for a status page.
  return new AgentError(diedCode, `${name} ended early: ${how}`, {
    cause: new Error(complaint === '' ? 'it said nothing' : complaint),
    data: { exitCode, signalCode },
  });
}
