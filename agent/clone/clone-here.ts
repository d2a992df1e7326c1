/**
 * Clones in the process that asks for them, for one that has nothing else to do and ends with them: a process
 * less to start, 40 ms or 15 % of the time of a clone of 5 MB. A clone that fails is tried again in a process of
 * its own, like any other.
 */
import { toAgentError } from '../errors.ts';
import type { CloneJob, CloneOutcome, CloneProgress } from './clone-job.ts';
import type { CloneWorker } from './clone-processes.ts';
import type { JobContext } from '../job-process.ts';
import { CloneEngine } from './engine.ts';

export class CloneHere implements CloneWorker {
  readonly #engine = new CloneEngine();
  #jobCount = 0;
  #isOpen = true;

  get isOpen(): boolean {
    return this.#isOpen;
  }

  get jobCount(): number {
    return this.#jobCount;
  }

  allowThreads(count: number): void {
    this.#engine.allowThreads(count);
  }

  async run(
    job: CloneJob,
    { signal, onProgress }: JobContext<CloneProgress>,
  ): Promise<CloneOutcome> {
    this.#jobCount++;
    try {
      return await this.#engine.clone(job, { signal, onProgress });
    } catch (error) {
      // What it leaves behind would be beside the next one.
      this.#isOpen = false;
      signal.throwIfAborted();
      throw toAgentError(error);
    } finally {
      this.#jobCount--;
    }
  }

  end(): Promise<void> {
    this.#isOpen = false;
    return Promise.resolve();
  }
}
