/**
 * The entry table in; for each row the list of deltas on it that are still to be resolved, or lead to
 * such, out. A ref-delta names its base by oid, which may be that of an object made from a delta: it
 * is linked when an object of that name turns up, by whoever made it. On shared memory: several
 * threads may resolve different trees of one table.
 */
import { OID_BYTES } from './entry-header.ts';
import { BASE_BY_OID, isUnresolved, type EntryColumns, type EntryTable } from './entry-table.ts';
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
  const links = { firstChild, nextSibling, ...collectRefDeltas(table) };
  if (links.refRows.length > 0) {
    for (let row = 0; row < count; row++) {
      if (!isUnresolved(table, row)) claimRefDeltas(links, table, row, () => undefined);
    }
  }
  const needed = findNeeded(table);
  // Backwards, so that the deltas on one base come in pack order.
  for (let row = count - 1; row >= 0; row--) {
    const base = bases[row]!;
    if (base < 0 || needed[row] === 0) continue;
    nextSibling[row] = firstChild[base]!;
    firstChild[base] = row;
  }
  return links;
}

/** Per row: 1 when it is unresolved, or an unresolved one builds on it. */
function findNeeded(table: EntryTable): Uint8Array {
  const { count, bases } = table;
  const needed = new Uint8Array(count);
  for (let row = 0; row < count; row++) {
    if (!isUnresolved(table, row)) continue;
    for (let at = row; at >= 0 && needed[at] === 0; at = bases[at]!) needed[at] = 1;
  }
  return needed;
}

function collectRefDeltas(
  table: EntryTable,
): Pick<DeltaLinks, 'refRows' | 'refBaseOids' | 'refClaimed'> {
  let refCount = 0;
  for (let row = 0; row < table.count; row++) if (table.bases[row] === BASE_BY_OID) refCount++;
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

/** Links the ref-deltas that wait for the object at `row`, which was resolved just now. */
export function linkRefDeltas(links: DeltaLinks, columns: EntryColumns, row: number): void {
  if (links.refRows.length === 0) return;
  claimRefDeltas(links, columns, row, (child) => {
    links.nextSibling[child] = links.firstChild[row]!;
    links.firstChild[row] = child;
  });
}

/** Makes `row` the base of all ref-deltas that name its oid and have none yet. */
function claimRefDeltas(
  { refRows, refBaseOids, refClaimed }: DeltaLinks,
  columns: EntryColumns,
  row: number,
  onClaim: (child: number) => void,
): void {
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
    onClaim(child);
  }
}
