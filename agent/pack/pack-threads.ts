/**
 * The threads beside the one that receives a pack: while it arrives they make objects of the entries
 * that they are sent, afterwards they resolve what was left over. Started once a pack is worth them,
 * ended with the ingest, whatever happens.
 */
import { Worker } from 'node:worker_threads';
import { AgentError, type SerialisedError } from '../errors.ts';
import { reasonOf } from '../lifetime.ts';
import { builtFile } from '../own-files.ts';
import type { ResolverStart } from './resolver-start.ts';
import { EntryRingWriter, type EntryRingMemory } from './entry-ring.ts';
import type { LinkCheck } from './link-check.ts';
import type { Links } from './object-links.ts';
import type { LateJob } from './late-contents.ts';
import type { ResolveJob } from './resolve-job.ts';

/** The first message to a thread. */
export interface ThreadStart {
  readonly ring: EntryRingMemory;
  readonly resolver: ResolverStart;
}

/** A thread's answer to the end of its queue, and to a job: done, or this is why not. */
export interface ThreadReply {
  readonly error: SerialisedError | null;
  /** What all objects made so far lead to. */
  readonly links: readonly Links[];
  /** The answer to a check. */
  readonly brokenRow: number | null;
}

/** A later message to a thread. */
export type ThreadJob =
  | { readonly kind: 'resolve'; readonly job: ResolveJob }
  | { readonly kind: 'check'; readonly check: LinkCheck }
  | { readonly kind: 'late'; readonly job: LateJob }
  | { readonly kind: 'end' };

const PROGRESS_INTERVAL_MS = 100;

interface PackThread {
  readonly worker: Worker;
  readonly ring: EntryRingWriter;
  /** Who waits for its replies: these come in the order of what was asked. */
  readonly asked: ((reply: ThreadReply) => void)[];
  /** Rejects when the thread fails, at whatever it is. */
  readonly failed: Promise<never>;
}

export class PackThreads {
  readonly #threads: PackThread[] = [];
  /** By thread: what its last reply said. */
  readonly #links = new Map<Worker, readonly Links[]>();
  /** The first failure of any thread. */
  #failure: { readonly error: unknown } | undefined;

  /** Throws what a thread failed with. */
  throwIfFailed(): void {
    if (this.#failure !== undefined) throw this.#failure.error;
  }

  /** What the objects made by the threads lead to, once these have replied. */
  get links(): Links[] {
    return [...this.#links.values()].flat();
  }

  get count(): number {
    return this.#threads.length;
  }

  /** Settles with the queues of the threads when all are up; with none where one cannot start. */
  async start(starts: readonly ThreadStart[]): Promise<readonly EntryRingWriter[]> {
    const online: Promise<boolean>[] = [];
    for (const start of starts) {
      const worker = new Worker(builtFile('pack-thread.js'));
      worker.postMessage(start);
      const asked: PackThread['asked'] = [];
      const failed = this.#watch(worker, asked);
      this.#threads.push({ worker, ring: new EntryRingWriter(start.ring), asked, failed });
      online.push(
        new Promise((resolve) => {
          worker.once('online', () => {
            resolve(true);
          });
          worker.once('exit', () => {
            resolve(false);
          });
        }),
      );
    }
    const allOnline = (await Promise.all(online)).every(Boolean);
    if (allOnline) return this.#threads.map(({ ring }) => ring);
    // Where the container allows no more threads, the work is done without them.
    await this[Symbol.asyncDispose]();
    this.#failure = undefined;
    return [];
  }

  /** A failure reaches `throwIfFailed` and every wait. */
  #watch(worker: Worker, asked: PackThread['asked']): Promise<never> {
    const failed = new Promise<never>((_resolve, reject) => {
      const fail = (error: unknown): void => {
        this.#failure ??= { error };
        reject(error instanceof Error ? error : new Error(String(error)));
      };
      worker.on('message', (reply: ThreadReply) => {
        const { error, links } = reply;
        if (error !== null) fail(AgentError.fromJSON(error));
        if (error === null) {
          this.#links.set(worker, links);
          asked.shift()?.(reply);
        }
      });
      worker.on('error', fail);
      worker.on('exit', (code) => {
        fail(new AgentError('INTERNAL', `a pack thread ended with code ${code}`));
      });
    });
    failed.catch(() => undefined);
    return failed;
  }

  /** Settles when the threads have taken all that they were sent. */
  async drained(): Promise<void> {
    for (const { ring } of this.#threads) await this.#until(ring, () => ring.isDrained);
  }

  async #until(ring: EntryRingWriter, done: () => boolean): Promise<void> {
    while (!done()) {
      await ring.progress(PROGRESS_INTERVAL_MS);
      this.throwIfFailed();
    }
  }

  /** Gives a message to every thread, in order with the entries. */
  async tell(message: unknown): Promise<void> {
    for (const { worker, ring } of this.#threads) {
      worker.postMessage(message);
      await this.#until(ring, () => ring.sendMessageMark());
    }
  }

  /** Ends the queues and waits until everything in them is done. Throws PackError. */
  async finish(signal: AbortSignal | undefined): Promise<void> {
    const replies = this.#threads.map(async (thread) => {
      const reply = replyOf(thread);
      await this.#until(thread.ring, () => thread.ring.sendEnd());
      await reply;
    });
    await Promise.all(replies);
    if (signal?.aborted === true) throw reasonOf(signal);
  }

  /** Lets all threads work on the job; a promise for each, which rejects with its PackError. */
  run(job: ResolveJob): Promise<void>[] {
    return this.#askAll({ kind: 'resolve', job });
  }

  /** Lets all threads take what is missing; as `run`, with whatever their taps throw. */
  takeLate(job: LateJob): Promise<void>[] {
    return this.#askAll({ kind: 'late', job });
  }

  /**
   * Lets all threads give back what the system does not take from a thread that has ended. Nothing is left for
   * them to do then, and nobody waits until they are gone, 3 to 8 ms.
   */
  async end(): Promise<void> {
    await Promise.all(this.#askAll({ kind: 'end' }));
    void this[Symbol.asyncDispose]();
  }

  #askAll(job: ThreadJob): Promise<void>[] {
    return this.#threads.map(async (thread) => {
      await ask(thread, job);
    });
  }

  /** One of the threads does it; `check.found` is given away. */
  async findBrokenRow(check: LinkCheck): Promise<number | null> {
    const [thread] = this.#threads;
    if (thread === undefined) throw new TypeError('expected a thread');
    const buffers = check.found.flatMap(({ words, namedBy }) => [words.buffer, namedBy.buffer]);
    const given = buffers.filter((buffer) => buffer instanceof ArrayBuffer);
    return (await ask(thread, { kind: 'check', check }, given)).brokenRow;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const threads = this.#threads.splice(0);
    await Promise.all(threads.map(({ worker }) => worker.terminate()));
  }
}

function ask(
  thread: PackThread,
  job: ThreadJob,
  given: readonly ArrayBuffer[] = [],
): Promise<ThreadReply> {
  const reply = replyOf(thread);
  thread.worker.postMessage(job, given);
  return reply;
}

function replyOf({ asked, failed }: PackThread): Promise<ThreadReply> {
  const done = new Promise<ThreadReply>((resolve) => {
    asked.push(resolve);
  });
  return Promise.race([done, failed]);
}
