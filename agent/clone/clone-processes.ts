/**
 * Clones in processes of their own, few of them: jobs in, each one's outcome out, or its error as it
 * was thrown there. One process is started ahead of its first job: Node starts and loads its code
 * (50 ms) while the daemon loads its own and waits for the manifest.
 *
 * Why a process: measured on two busy cores with repositories of 33,000 to 290,000 objects, the
 * daemon's event loop was late by 45 to 136 ms at worst (p99 16 to 33 ms) beside a process, 75 ms
 * (p99 28 ms) beside a thread, and 492 ms (p99 242 ms) with the clone in the daemon itself. The
 * daemon's memory was as before after a process, and 33 to 36 MB larger after a thread; and a process
 * that runs out of memory takes no mount along that is ready.
 *
 * Why not one per clone: a fifth of a clone's processor time is V8 compiling the engine, and more of
 * them than cores only take turns.
 */
import { availableParallelism } from 'node:os';
import type { ChildProcess } from 'node:child_process';
import { JobProcess } from '../job-process.ts';
import type { JobContext } from '../job-process.ts';
import type { Log } from '../log.ts';
import type { CloneJob, CloneOutcome, CloneProgress } from './clone-job.ts';
import { startCloneProcess } from './clone-process.ts';
import type { SpawnContext } from './clone-process.ts';

/** What clones: a process, or the one that asks (clone-here.ts). */
export interface CloneWorker {
  /** Takes further clones. */
  readonly isOpen: boolean;
  readonly jobCount: number;
  allowThreads(count: number): void;
  run(job: CloneJob, context: JobContext<CloneProgress>): Promise<CloneOutcome>;
  end(): Promise<void>;
}

export interface CloneProcessesContext extends SpawnContext {
  /** One that runs already; null: none. */
  readonly started?: ChildProcess | null;
  /** False: none is started before there is a clone for it. */
  readonly isAhead?: boolean;
}

export interface CloneContext {
  readonly signal: AbortSignal;
  readonly onProgress: (progress: CloneProgress) => void;
  readonly log: Log;
  /** In a process that has no other: so does one that failed before, which may be why. */
  readonly alone?: boolean;
}

/** A process without work waits so long for the next clone, which comes right after the last one. */
const IDLE_MS = 1_000;

export class CloneProcesses implements AsyncDisposable {
  readonly #context: SpawnContext;
  readonly #cores: number;
  /** How many there are when all are in use. */
  readonly #most: number;
  /** Clones at once in one process: one computes, the others receive. */
  readonly #jobsEach: number;
  /** For any clone. */
  readonly #processes = new Set<CloneWorker>();
  readonly #alone = new Set<CloneWorker>();
  readonly #idle = new Map<CloneWorker, NodeJS.Timeout>();
  readonly #ending = new Set<Promise<void>>();
  #idleMs = IDLE_MS;

  /** @param jobs clones at once, of all processes. */
  constructor(context: CloneProcessesContext, jobs: number, cores = availableParallelism()) {
    this.#context = context;
    this.#cores = cores;
    this.#most = Math.min(jobs, cores);
    this.#jobsEach = Math.ceil(jobs / this.#most);
    const { started, isAhead = true } = context;
    if (!isAhead) return;
    // One that has ended will not say so again.
    const isRunning = started?.exitCode === null && started.signalCode === null;
    this.#processes.add(isRunning ? new JobProcess(started) : this.#start());
  }

  /** @throws the clone's AgentError; CLONE_WORKER_DIED; the signal's reason, once the clone is over. */
  async clone(job: CloneJob, context: CloneContext): Promise<CloneOutcome> {
    context.signal.throwIfAborted();
    if (context.alone === true) return this.#cloneAlone(job, context);
    const worker = this.#choose();
    this.#processes.add(worker);
    clearTimeout(this.#idle.get(worker));
    this.#idle.delete(worker);
    try {
      return await this.#run(worker, job, context);
    } finally {
      if (!worker.isOpen) this.#processes.delete(worker);
      else if (worker.jobCount === 0) this.#wait(worker);
    }
  }

  async #cloneAlone(job: CloneJob, context: CloneContext): Promise<CloneOutcome> {
    const worker = this.#start();
    this.#alone.add(worker);
    try {
      return await this.#run(worker, job, context);
    } finally {
      this.#alone.delete(worker);
      await worker.end();
    }
  }

  async #run(worker: CloneWorker, job: CloneJob, context: CloneContext): Promise<CloneOutcome> {
    const outcome = worker.run(job, {
      ...context,
      name: 'the clone process',
      diedCode: 'CLONE_WORKER_DIED',
    });
    this.#shareCores();
    try {
      return await outcome;
    } finally {
      this.#shareCores();
    }
  }

  /** Takes clones from now on, in place of a process. */
  use(worker: CloneWorker): void {
    this.#processes.add(worker);
  }

  /** All clones have been asked for: from now on a process ends with its last one. */
  expectNoMore(): void {
    this.#idleMs = 0;
  }

  /** Ends those without work, the one started ahead among them; settles when they are gone. */
  async endIdle(): Promise<void> {
    const idle = [...this.#processes].filter(({ jobCount }) => jobCount === 0);
    for (const worker of idle) this.#end(worker);
    await Promise.all(this.#ending);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.endIdle();
  }

  #start(): CloneWorker {
    return new JobProcess(startCloneProcess(this.#context));
  }

  /** The one with the least to do; another one while there are fewer than cores. */
  #choose(): CloneWorker {
    for (const worker of this.#processes) if (!worker.isOpen) this.#processes.delete(worker);
    const [least] = [...this.#processes].toSorted((a, b) => a.jobCount - b.jobCount);
    if (least === undefined || least.jobCount >= this.#jobsEach) return this.#start();
    return least.jobCount === 0 || this.#processes.size >= this.#most ? least : this.#start();
  }

  /** What the processes leave of the cores is for their threads. */
  #shareCores(): void {
    const busy = [...this.#processes, ...this.#alone].filter(({ jobCount }) => jobCount > 0);
    const threads = Math.max(0, Math.floor(this.#cores / busy.length) - 1);
    for (const worker of busy) worker.allowThreads(threads);
  }

  #wait(worker: CloneWorker): void {
    const end = (): void => {
      this.#end(worker);
    };
    if (this.#idleMs === 0) end();
    else this.#idle.set(worker, setTimeout(end, this.#idleMs));
  }

  #end(worker: CloneWorker): void {
    clearTimeout(this.#idle.get(worker));
    this.#idle.delete(worker);
    this.#processes.delete(worker);
    const ended = worker.end().finally(() => this.#ending.delete(ended));
    this.#ending.add(ended);
  }
}
