/**
 * A second thread for big readings: while this one lists directories, that one looks at the stat data
 * of the files in them. Nothing waits for it: what it has not answered yet is looked at here, so it
 * may come late, be slow, or not start at all. It ends with the reading.
 */
import { availableParallelism } from 'node:os';
import { Worker } from 'node:worker_threads';
import { builtFile } from '../own-files.ts';
import type { BytePath } from '../repository/byte-path.ts';
import type { DirectoryContext } from '../repository/directory-reading.ts';
import type { StatJob } from '../repository/stat-job.ts';
import type { FilesContext } from './worktree-files.ts';

/** A thread takes 40 ms to start, in which this one looks at as many files. */
const LEAST_ENTRIES = 8_000;

/**
 * Watches the directories with these prefixes, and has the files in them looked at from then on. The
 * caller gives back the watches of those that turn out not to be there.
 * @returns undefined where that would not pay.
 */
export async function lookAhead(
  context: FilesContext,
  prefixes: Iterable<BytePath>,
): Promise<StatAhead | undefined> {
  const { index, watch, pace } = context;
  const lists = [];
  for (const prefix of prefixes) {
    const directory = index.directory(prefix);
    if (directory !== undefined) lists.push({ prefix, positions: directory.positions });
  }
  const count = lists.reduce((sum, { positions }) => sum + positions.length, 0);
  if (count < LEAST_ENTRIES || availableParallelism() === 1) return undefined;
  const ahead = new StatAhead(context, count);
  try {
    for (const { prefix, positions } of lists) {
      watch.open(prefix);
      ahead.allow(positions);
      if (pace.due) await pace.rest();
    }
  } catch (error) {
    ahead[Symbol.dispose]();
    throw error;
  }
  return ahead;
}

class StatAhead implements Disposable {
  readonly #progress = new Int32Array(new SharedArrayBuffer(4));
  readonly #positions: Uint32Array;
  readonly #unchanged: Uint8Array;
  readonly #worker: Worker;

  /** @param count how many entries there are to look at. */
  constructor({ repository, index, trust }: DirectoryContext, count: number) {
    this.#positions = new Uint32Array(new SharedArrayBuffer(count * 4));
    this.#unchanged = new Uint8Array(new SharedArrayBuffer(index.count));
    const job: StatJob = {
      worktree: repository.worktree,
      trust,
      index: index.memory,
      progress: this.#progress.buffer,
      positions: this.#positions.buffer as SharedArrayBuffer,
      unchanged: this.#unchanged.buffer as SharedArrayBuffer,
    };
    this.#worker = new Worker(builtFile('stat-thread.js'), {
      workerData: job,
      resourceLimits: { maxOldGenerationSizeMb: 32, maxYoungGenerationSizeMb: 4 },
    });
    this.#worker.unref();
    // Then all is looked at here.
    this.#worker.on('error', () => undefined);
  }

  /** Entries of directories whose watches are in place: their files may be looked at from now on. */
  allow(positions: readonly number[]): void {
    const from = Atomics.load(this.#progress, 0);
    this.#positions.set(positions, from);
    Atomics.store(this.#progress, 0, from + positions.length);
    Atomics.notify(this.#progress, 0);
  }

  isUnchanged(position: number): boolean {
    return Atomics.load(this.#unchanged, position) === 1;
  }

  [Symbol.dispose](): void {
    void this.#worker.terminate();
  }
}
