/**
 * What is left to resolve in a pack that has arrived, all of it on shared memory: several threads
 * take trees from one job until none is left. A tree is a row stored whole and the deltas that lead
 * back to it.
 */
import { BufferPool } from './buffer-pool.ts';
import { NO_ROW, linkDeltas, type DeltaLinks } from './delta-links.ts';
import { DeltaResolver } from './delta-resolver.ts';
import { EntryReader } from './entry-reader.ts';
import { NO_BASE, type EntryColumns, type EntryTable } from './entry-table.ts';
import { createInflater } from './inflate.ts';
import type { Inflater } from './inflater.ts';
import type { PackLimits } from './limits.ts';
import type { LinkCollector } from './object-links.ts';

/** Cells of `control`. */
const NEXT_ROOT = 0;
const RESOLVED = 1;
const STOPPED = 2;
const CELLS = 3;

export interface ResolveJob {
  /** The pack file, complete; a descriptor serves all threads of a process. */
  readonly fd: number;
  readonly columns: EntryColumns;
  readonly count: number;
  readonly endOffset: number;
  readonly links: DeltaLinks;
  /** Rows stored whole that lead to a delta without an oid. */
  readonly roots: Uint32Array;
  readonly control: Int32Array;
  readonly limits: PackLimits;
  /** What was made already of `limits.expandedBytes`. Each thread counts on from here by itself. */
  readonly expandedBytes: number;
  /** For the contents that one thread holds. */
  readonly cacheBytes: number;
}

export function createResolveJob(
  table: EntryTable,
  options: Pick<ResolveJob, 'fd' | 'limits' | 'expandedBytes' | 'cacheBytes'>,
): ResolveJob {
  const { count, endOffset } = table;
  const links = linkDeltas(table);
  const roots = findRoots(table, links);
  const control = new Int32Array(new SharedArrayBuffer(CELLS * 4));
  return { ...options, columns: table.columns(), count, endOffset, links, roots, control };
}

/** In pack order. */
function findRoots(table: EntryTable, links: DeltaLinks): Uint32Array {
  const roots = new Uint32Array(new SharedArrayBuffer(table.wholeCount * 4));
  let found = 0;
  for (let row = 0; row < table.count; row++) {
    if (table.bases[row] !== NO_BASE) continue;
    if (links.firstChild[row] !== NO_ROW) roots[found++] = row;
  }
  return roots.subarray(0, found);
}

/** Deltas that have an oid by now, of all threads. */
export function resolvedCount(job: ResolveJob): number {
  return Atomics.load(job.control, RESOLVED);
}

/** Makes every thread leave the job after the delta that it is at. */
export function stopJob(job: ResolveJob): void {
  Atomics.store(job.control, STOPPED, 1);
}

/** One thread's part in a job. */
export class JobShare {
  /** Bytes of content made by this thread, and what was made before the job. */
  get expandedBytes(): number {
    return this.#resolver.expandedBytes;
  }
  readonly #job: ResolveJob;
  readonly #inflater: Inflater = createInflater();
  readonly #resolver: DeltaResolver;

  /**
   * @param leads collects what the objects made here lead to.
   * @param pool for contents.
   */
  constructor(job: ResolveJob, leads: LinkCollector | undefined, pool = new BufferPool()) {
    this.#job = job;
    const { fd, columns, endOffset, links, limits, cacheBytes } = job;
    const reader = new EntryReader(fd, columns, endOffset, this.#inflater);
    this.#resolver = new DeltaResolver(columns, links, reader, limits, cacheBytes, leads, pool);
    this.#resolver.expandedBytes = job.expandedBytes;
  }

  /** Takes one row; false when nothing is left, or the job was stopped. Throws PackError. */
  step(): boolean {
    const { control, roots } = this.#job;
    if (Atomics.load(control, STOPPED) === 1) return false;
    const before = this.#resolver.resolvedCount;
    while (!this.#resolver.step()) {
      const next = Atomics.add(control, NEXT_ROOT, 1);
      if (next >= roots.length) return false;
      this.#resolver.begin(roots[next]!);
    }
    if (this.#resolver.resolvedCount > before) Atomics.add(control, RESOLVED, 1);
    return true;
  }

  close(): void {
    this.#inflater.close();
  }
}
