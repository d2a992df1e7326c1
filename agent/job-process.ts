/**
 * The daemon's side of a process that does jobs, one after the other or several at once. Enters: a
 * process that waits, and jobs. Leaves: each job's outcome, or its error as it was thrown there.
 * Invariants: what is secret in a job goes over standard input only; a job whose process dies hears so.
 */
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import type { Readable } from 'node:stream';
import { AgentError, errnoOf } from './errors.ts';
import type { ErrorCode } from './errors.ts';
import { MESSAGE_FD, readMessages } from './job-message.ts';
import type { JobAnswer, JobEnd, JobOrder } from './job-message.ts';
import type { Log } from './log.ts';

/** After it was told to stop. The daemon has 10 s for all of its own end. */
const KILL_AFTER_MS = 3_000;
const SHOWN_STDERR_CHARACTERS = 2_000;

export interface JobContext<Progress> {
  /** For messages: "the clone process". */
  readonly name: string;
  /** Of a process that did not start, or ended without a word. */
  readonly diedCode: ErrorCode;
  readonly signal: AbortSignal;
  readonly onProgress: (progress: Progress) => void;
  readonly log: Log;
}

type Answer = JobAnswer<unknown, never>;

interface JobUnderWay {
  readonly onProgress: (progress: never) => void;
  /** With null when the process ended without a word about the job. */
  readonly onEnd: (end: JobEnd<unknown> | null) => void;
}

export class JobProcess {
  readonly #worker: ChildProcess;
  readonly #closed: Promise<void>;
  readonly #failedToStart: Promise<unknown[]> | null;
  readonly #underWay = new Map<number, JobUnderWay>();
  readonly #complaint: () => string;
  #lastId = 0;
  #context: JobContext<never> | undefined;
  #isOpen = true;

  /** @param worker just started. When it could not be, the first job says why. */
  constructor(worker: ChildProcess) {
    this.#worker = worker;
    this.#failedToStart = worker.pid === undefined ? once(worker, 'error') : null;
    this.#complaint = collect(worker.stderr);
    // Whoever reads no more is about to end, and its end says so.
    worker.stdin?.on('error', () => undefined);
    readMessages(worker.stdio[MESSAGE_FD] as Readable | null, (answer: Answer) => {
      this.#take(answer);
    });
    this.#closed = new Promise((resolve) => {
      worker.once('close', () => {
        this.#isOpen = false;
        this.#logEnd();
        for (const { onEnd } of this.#underWay.values()) onEnd(null);
        resolve();
      });
    });
  }

  /** Takes further jobs: it runs, and none that it had was given up. */
  get isOpen(): boolean {
    const { pid, exitCode, signalCode } = this.#worker;
    return this.#isOpen && pid !== undefined && exitCode === null && signalCode === null;
  }

  get jobCount(): number {
    return this.#underWay.size;
  }

  /** How many threads beside its own it may use from now on. */
  allowThreads(count: number): void {
    this.#send({ type: 'threads', count });
  }

  /**
   * A process that had a failed job ends when it has no other: what the job left behind goes with it.
   * @throws the job's AgentError; `diedCode`; the signal's reason, once the job is over.
   */
  async run<Outcome, Progress>(job: unknown, context: JobContext<Progress>): Promise<Outcome> {
    const { signal, onProgress } = context;
    this.#context = context;
    const id = ++this.#lastId;
    const ended = new Promise<JobEnd<unknown> | null>((onEnd) => {
      this.#underWay.set(id, { onProgress, onEnd });
    });
    const disarm = this.#stopOnAbort(id, signal);
    try {
      if (this.#failedToStart !== null) throw failedToStart(await this.#failedToStart, context);
      this.#send({ type: 'job', id, job });
      const end = await ended;
      if (end?.type !== 'outcome') this.#isOpen = false;
      signal.throwIfAborted();
      if (end === null) throw this.#died(context);
      if (end.type === 'error') throw AgentError.fromJSON(end.error);
      return end.outcome as Outcome;
    } finally {
      this.#underWay.delete(id);
      if (!this.isOpen && this.#underWay.size === 0) await this.end();
      disarm();
    }
  }

  /** Ends a process without jobs; settles when it is gone, and its descriptors with it. */
  async end(): Promise<void> {
    this.#isOpen = false;
    if (this.#failedToStart !== null) return;
    this.#worker.stdin?.end();
    const timer = setTimeout(() => this.#worker.kill('SIGKILL'), KILL_AFTER_MS);
    await this.#closed;
    clearTimeout(timer);
    this.#worker.stdin?.destroy();
  }

  #send(order: JobOrder): void {
    this.#worker.stdin?.write(`${JSON.stringify(order)}\n`);
  }

  /** A word at once, SIGKILL when that was not enough; @returns what ends the watch. */
  #stopOnAbort(id: number, signal: AbortSignal): () => void {
    let timer: NodeJS.Timeout | undefined;
    const stop = (): void => {
      this.#send({ type: 'abort', id });
      timer = setTimeout(() => this.#worker.kill('SIGKILL'), KILL_AFTER_MS);
    };
    if (signal.aborted) queueMicrotask(stop);
    else signal.addEventListener('abort', stop, { once: true });
    return () => {
      clearTimeout(timer);
      signal.removeEventListener('abort', stop);
    };
  }

  #take({ id, message }: Answer): void {
    const job = this.#underWay.get(id);
    if (message.type === 'progress') job?.onProgress(message.progress);
    else job?.onEnd(message);
  }

  #logEnd(): void {
    const { pid, exitCode, signalCode } = this.#worker;
    const { log, name } = this.#context ?? {};
    log?.debug({ pid, exitCode, signalCode }, `${name ?? ''} ended`);
  }

  #died<Progress>({ name, diedCode }: JobContext<Progress>): AgentError {
    const { exitCode, signalCode } = this.#worker;
    const how = signalCode === null ? `exit code ${exitCode ?? 'none'}` : signalCode;
    const complaint = this.#complaint();
    // A stack of the process is for the log, not for a status page.
    return new AgentError(diedCode, `${name} ended early: ${how}`, {
      cause: new Error(complaint === '' ? 'it said nothing' : complaint),
      data: { exitCode, signalCode },
    });
  }
}

function failedToStart<Progress>(
  [error]: unknown[],
  { name, diedCode }: JobContext<Progress>,
): AgentError {
  const errno = errnoOf(error) ?? 'unknown';
  return new AgentError(diedCode, `${name} could not be started: ${errno}`, {
    cause: error,
    data: { errno },
  });
}

/** The first part of what a process says; the rest is read and dropped, so that it never blocks. */
function collect(stream: Readable | null): () => string {
  let text = '';
  stream?.setEncoding('utf8').on('data', (chunk: string) => {
    text = (text + chunk).slice(0, SHOWN_STDERR_CHARACTERS);
  });
  return () => text;
}
