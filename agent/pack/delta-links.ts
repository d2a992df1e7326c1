/**
 * The entry table in; for each row the list of deltas that build on it out. ofs-deltas are linked at
 * once. A ref-delta names its base by oid, which may be that of an object made from a delta: it is
 * linked when an object of that name turns up, by whoever made it. On shared memory: several threads
 * may resolve different trees of one table.
 */
import { OID_BYTES } from './entry-header.ts';
import { BASE_BY_OID, type EntryTable } from './entry-table.ts';
import { compareOids, sortByOid } from './oid-order.ts';

export const NO_ROW = -1;

export interface DeltaLinks {
  /** Per row: the first delta on it, or NO_ROW. */
  readonly firstChild: Int32Array;
  /** Per row: the next delta on the same base, or NO_ROW. */
  readonly nextSibling: Int32Array;
  /** Rows of the ref-deltas, sorted by their base's oid, and these oids in the same order. */
  readonly refRows: Uint32Array;
  readonly refBaseOids: Buffer;
  /** Per ref-delta: 1 once it is linked. An oid can turn up twice, in two threads. */
  readonly refClaimed: Uint8Array;
}

export function linkDeltas(table: EntryTable): DeltaLinks {
  const { count, bases } = table;
  const firstChild = new Int32Array(new SharedArrayBuffer(count * 4)).fill(NO_ROW);
  const nextSibling = new Int32Array(new SharedArrayBuffer(count * 4)).fill(NO_ROW);
  let refCount = 0;
  // Backwards, so that the deltas on one base come in pack order.
  for (let row = count - 1; row >= 0; row--) {
    const base = bases[row]!;
    if (base === BASE_BY_OID) refCount++;
    if (base < 0) continue;
    nextSibling[row] = firstChild[base]!;
    firstChild[base] = row;
  }
  return { firstChild, nextSibling, ...collectRefDeltas(table, refCount) };
}

function collectRefDeltas(
  table: EntryTable,
  refCount: number,
): Pick<DeltaLinks, 'refRows' | 'refBaseOids' | 'refClaimed'> {
  const unsorted = new Uint32Array(refCount);
  let found = 0;
  for (let row = 0; found < refCount; row++) {
    if (table.bases[row] === BASE_BY_OID) unsorted[found++] = row;
  }
  const refRows = new Uint32Array(new SharedArrayBuffer(refCount * 4));
  refRows.set(sortByOid(unsorted, table.oids));
  const refBaseOids = Buffer.from(new SharedArrayBuffer(refCount * OID_BYTES));
  refRows.forEach((row, index) => {
    table.oids.copy(refBaseOids, index * OID_BYTES, row * OID_BYTES, (row + 1) * OID_BYTES);
  });
  return { refRows, refBaseOids, refClaimed: new Uint8Array(new SharedArrayBuffer(refCount)) };
}

/** Links the ref-deltas that wait for the object at `row`, whose oid is known by now. */
export function linkRefDeltas(
  links: DeltaLinks,
  columns: { readonly bases: Int32Array; readonly oids: Buffer },
  row: number,
): void {
  const { refRows, refBaseOids, refClaimed } = links;
  if (refRows.length === 0) return;
  let low = 0;
  let high = refRows.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (compareOids(refBaseOids, middle, columns.oids, row) < 0) low = middle + 1;
    else high = middle;
  }
  for (; low < refRows.length; low++) {
    if (compareOids(refBaseOids, low, columns.oids, row) !== 0) return;
    if (Atomics.exchange(refClaimed, low, 1) === 1) continue;
    const child = refRows[low]!;
    columns.bases[child] = row;
    links.nextSibling[child] = links.firstChild[row]!;
    links.firstChild[row] = child;
  }
}
