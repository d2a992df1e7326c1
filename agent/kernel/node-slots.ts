/**
 * An oid in, the nodes out that have it, files or directories, on memory that all threads of a pack share:
 * what a node needs is there before its slot says so. Open addressing; a table that is half full is followed by
 * one of twice its size.
 */
import { allocate, touch } from './memory';
import {
  DIRECTORY,
  GITLINK,
  SLOTS,
  SYMLINK,
  control,
  modeOf,
  nextAt,
  nodeOid,
  seedHigh,
  seedLow,
} from './nodes';

/** Of a table, before its slots: its mask. */
const SLOTS_HEAD: usize = 8;
const FIRST_BITS: u32 = 12;

/** Begins with no node; false: no memory. */
export function beginSlots(): bool {
  const table = makeSlots(FIRST_BITS);
  atomic.store<u32>(control + SLOTS, table);
  return table !== 0;
}

/** The first node of that oid, among files or among directories; NONE: there is none. */
export function firstOf(oid: usize, isDirectory: bool): i32 {
  const table = usize(atomic.load<u32>(control + SLOTS));
  return atomic.load<i32>(slotOf(table, oid, isDirectory)) - 1;
}

/** The next node of the same oid and kind, or NONE. */
export function nextOf(node: i32): i32 {
  return load<i32>(nextAt(node)) - 1;
}

/** From now on all find the node, if it is a file or a directory; false: no memory. */
export function publish(node: i32): bool {
  const mode = modeOf(node);
  if (mode === SYMLINK || mode === GITLINK) return true;
  const isDirectory = mode === DIRECTORY;
  let table = usize(load<u32>(control + SLOTS));
  const mask = load<u32>(table);
  // At most half of the slots are taken.
  if (u32(node) > mask >> 1) {
    table = growSlots(table, mask);
    if (table === 0) return false;
  }
  const slot = slotOf(table, nodeOid(node), isDirectory);
  store<i32>(nextAt(node), load<i32>(slot));
  atomic.store<i32>(slot, node + 1);
  return true;
}

/** Where the first node of the oid is, or is to be. */
function slotOf(table: usize, oid: usize, isDirectory: bool): usize {
  const mask = load<u32>(table);
  let slot =
    (((load<u32>(oid) * seedLow) ^ (load<u32>(oid, 4) * seedHigh)) >>> 7) + u32(isDirectory);
  while (true) {
    const at = table + SLOTS_HEAD + (usize(slot & mask) << 2);
    const found = atomic.load<i32>(at) - 1;
    if (found < 0) return at;
    if (isSameOid(nodeOid(found), oid) && (modeOf(found) === DIRECTORY) === isDirectory) return at;
    slot++;
  }
}

function isSameOid(a: usize, b: usize): bool {
  return (
    load<u64>(a) === load<u64>(b) &&
    load<u64>(a, 8) === load<u64>(b, 8) &&
    load<u32>(a, 16) === load<u32>(b, 16)
  );
}

/** A table of twice the size with the same nodes; who looks into the old one misses what comes after. */
function growSlots(old: usize, mask: u32): usize {
  const table = makeSlots(32 - clz<u32>(mask) + 1);
  if (table === 0) return 0;
  for (let index: u32 = 0; index <= mask; index++) {
    const first = load<i32>(old + SLOTS_HEAD + (usize(index) << 2)) - 1;
    if (first < 0) continue;
    store<i32>(slotOf(table, nodeOid(first), modeOf(first) === DIRECTORY), first + 1);
  }
  atomic.store<u32>(control + SLOTS, table);
  return table;
}

function makeSlots(bits: u32): usize {
  const bytes = u32(SLOTS_HEAD) + (4 << bits);
  const table = allocate(bytes);
  if (table === 0) return 0;
  touch(table, bytes);
  store<u32>(table, (1 << bits) - 1);
  return table;
}
