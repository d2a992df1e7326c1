/**
 * Worker threads for delta resolution: started while the pack still arrives, so that they are warm
 * when it is complete; given one job; ended with the ingest, whatever happens.
 */
import { Worker } from 'node:worker_threads';
import { AgentError, type SerialisedError } from '../errors.ts';
import { reasonOf } from '../lifetime.ts';
import { builtFile } from '../own-files.ts';
import { resolvedCount, stopJob, type ResolveJob } from './resolve-job.ts';

/** A thread's only message: its share is done, or this is why not. */
export interface ThreadReply {
  readonly error: SerialisedError | null;
}

const PROGRESS_INTERVAL_MS = 100;

export class ResolveThreads {
  readonly #most: number;
  readonly #leastBytes: number;
  readonly #workers = new Set<Worker>();
  #started = false;

  constructor(most: number, leastBytes: number) {
    this.#most = most;
    this.#leastBytes = leastBytes;
  }

  /** Threads that run; 0 when the pack is not worth them, or none could be started. */
  get count(): number {
    return this.#workers.size;
  }

  /** Starts the threads, once, when a pack of at least so many bytes is worth them. */
  startFor(packBytes: number): void {
    if (this.#started || this.#most < 2 || packBytes <= this.#leastBytes) return;
    this.#started = true;
    for (let index = 0; index < this.#most; index++) {
      const worker = new Worker(builtFile('resolve-worker.js'));
      this.#workers.add(worker);
      // Where the container allows no more threads: the work is done without this one.
      worker.on('error', () => this.#workers.delete(worker));
    }
  }

  /** Lets all threads work on the job. Throws PackError, or the signal's reason. */
  async run(
    job: ResolveJob,
    signal: AbortSignal | undefined,
    onResolved: (resolved: number) => void,
  ): Promise<void> {
    const stop = (): void => {
      stopJob(job);
    };
    const timer = setInterval(() => {
      onResolved(resolvedCount(job));
    }, PROGRESS_INTERVAL_MS);
    signal?.addEventListener('abort', stop);
    try {
      const replies = [...this.#workers].map((worker) => askWorker(worker, job));
      // One failure ends the others' work as well; all are awaited, so that none still reads.
      for (const reply of replies) reply.catch(stop);
      const results = await Promise.allSettled(replies);
      for (const result of results) if (result.status === 'rejected') throw result.reason;
      if (signal?.aborted === true) throw reasonOf(signal);
    } finally {
      clearInterval(timer);
      signal?.removeEventListener('abort', stop);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all([...this.#workers].map((worker) => worker.terminate()));
  }
}

async function askWorker(worker: Worker, job: ResolveJob): Promise<void> {
  const { error } = await new Promise<ThreadReply>((resolve, reject) => {
    worker.once('message', resolve);
    worker.once('error', reject);
    worker.once('exit', (code) => {
      reject(new AgentError('INTERNAL', `a thread of delta resolution ended with code ${code}`));
    });
    worker.postMessage(job);
  });
  if (error !== null) throw AgentError.fromJSON(error);
}
