/**
 * A scanned pack in; the oid and type of every delta in its table out, or the reason why one of
 * them has none. Works in slices, so that the event loop turns and the signal is seen.
 */
import { PackError } from '../errors.ts';
import { nextTurn } from '../lifetime.ts';
import { NO_ROW, linkDeltas, linkRefDeltas, type DeltaLinks } from './delta-links.ts';
import { DeltaResolver } from './delta-resolver.ts';
import { EntryReader } from './entry-reader.ts';
import { NO_BASE, isUnresolved, oidOf, type EntryTable } from './entry-table.ts';
import { createInflater } from './inflate.ts';
import type { PackLimits } from './limits.ts';

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
  readonly signal?: AbortSignal | undefined;
  readonly onResolved: (resolved: number) => void;
}

/** Resolves every delta of `table`. Throws PackError. */
export async function resolveDeltas(table: EntryTable, context: ResolveContext): Promise<void> {
  const links = linkDeltas(table);
  const roots = findRoots(table, links);
  const inflater = createInflater();
  try {
    const { fd, limits, baseCacheBytes, signal, onResolved } = context;
    const reader = new EntryReader(fd, table, table.count, table.endOffset, inflater);
    const resolver = new DeltaResolver(table, links, reader, limits, baseCacheBytes);
    resolver.expandedBytes = context.expandedBytes;
    let resolved = 0;
    let sliceEnd = resolver.expandedBytes + SLICE_BYTES;
    for (const root of roots) {
      resolver.begin(root);
      while (resolver.step()) {
        resolved++;
        if (resolver.expandedBytes < sliceEnd && resolved % SLICE_DELTAS !== 0) continue;
        onResolved(resolved);
        await nextTurn();
        signal?.throwIfAborted();
        sliceEnd = resolver.expandedBytes + SLICE_BYTES;
      }
    }
  } finally {
    inflater.close();
  }
  refuseUnresolved(table);
}

/** Rows stored whole that a delta builds on, in pack order. */
function findRoots(table: EntryTable, links: DeltaLinks): number[] {
  const roots: number[] = [];
  for (let row = 0; row < table.count; row++) {
    if (table.bases[row] !== NO_BASE) continue;
    linkRefDeltas(links, table, row);
    if (links.firstChild[row] !== NO_ROW) roots.push(row);
  }
  return roots;
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
