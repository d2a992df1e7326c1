/**
 * A pack that has arrived in; the oid and type of every delta that was left over until then out, or
 * the reason why one of them has none. By all threads; here in slices, so that the event loop turns
 * and the signal is seen.
 */
import { PackError } from '../errors.ts';
import type { BufferPool } from './buffer-pool.ts';
import { nextTurn } from '../lifetime.ts';
import { OBJECT_TYPE } from './entry-header.ts';
import { isUnresolved, oidOf, type EntryTable } from './entry-table.ts';
import type { PackLimits } from './limits.ts';
import type { LinkCollector } from './object-links.ts';
import {
  JobShare,
  createResolveJob,
  resolvedCount,
  stopJob,
  type ResolveJob,
} from './resolve-job.ts';
import type { PackThreads } from './pack-threads.ts';

/** Bytes of content between two looks at the signal: some ten milliseconds. */
const SLICE_BYTES = 8 * 2 ** 20;
/** And deltas, for packs of very small objects. */
const SLICE_DELTAS = 4096;

export interface ResolveContext {
  /** The pack file, complete. */
  readonly fd: number;
  readonly limits: PackLimits;
  /** What the first pass has made already of `limits.expandedBytes`. */
  readonly expandedBytes: number;
  readonly baseCacheBytes: number;
  readonly threads: PackThreads;
  /** For contents that are made in this thread. */
  readonly buffers: BufferPool | undefined;
  /** For what is made in this thread. */
  readonly links: LinkCollector | undefined;
  readonly signal?: AbortSignal | undefined;
  readonly onResolved: (resolved: number) => void;
}

/** Resolves every delta of `table`. Throws PackError. */
export async function resolveDeltas(table: EntryTable, context: ResolveContext): Promise<void> {
  if (!hasUnresolved(table)) return;
  const { fd, limits, expandedBytes, threads } = context;
  const cacheBytes = context.baseCacheBytes / (threads.count + 1);
  const job = createResolveJob(table, { fd, limits, expandedBytes, cacheBytes });
  const shares = [resolveHere(job, context), ...threads.run(job)];
  // One failure ends the others' work as well; all are awaited, so that none still reads.
  for (const share of shares) {
    share.catch(() => {
      stopJob(job);
    });
  }
  const results = await Promise.allSettled(shares);
  for (const result of results) if (result.status === 'rejected') throw result.reason;
  refuseUnresolved(table);
}

function hasUnresolved({ types, count }: EntryTable): boolean {
  const used = types.subarray(0, count);
  return used.includes(OBJECT_TYPE.ofsDelta) || used.includes(OBJECT_TYPE.refDelta);
}

async function resolveHere(
  job: ResolveJob,
  { links, buffers, signal, onResolved }: ResolveContext,
): Promise<void> {
  const share = new JobShare(job, links, buffers);
  try {
    let steps = 0;
    let sliceEnd = share.expandedBytes + SLICE_BYTES;
    while (share.step()) {
      if (share.expandedBytes < sliceEnd && ++steps % SLICE_DELTAS !== 0) continue;
      onResolved(resolvedCount(job));
      await nextTurn();
      signal?.throwIfAborted();
      sliceEnd = share.expandedBytes + SLICE_BYTES;
    }
  } finally {
    share.close();
  }
}

/** A delta that nothing led to has a base that is not in the pack, or builds on one that has. */
function refuseUnresolved(table: EntryTable): void {
  let count = 0;
  let first = -1;
  for (let row = 0; row < table.count; row++) {
    if (!isUnresolved(table, row)) continue;
    count++;
    // The ones on top of it are not at fault.
    if (first === -1 && table.bases[row]! < 0) first = row;
  }
  if (count === 0) return;
  const offset = table.offsets[first]!;
  const base = oidOf(table, first);
  const message = `delta at ${offset}: its base ${base} is not in the pack (${count} deltas without one)`;
  throw new PackError('PACK_DELTA_BASE_MISSING', message, { data: { offset, base, count } });
}
