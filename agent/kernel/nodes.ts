/**
 * What the worktree is to hold, a node for each file and directory, on memory that all threads of a
 * pack share: one thread adds nodes, all look for them (node-slots.ts). A node is the fixed part of an index entry (gitformat-index, 62 bytes) and its
 * path; of a directory the path ends in a slash, but for the root's, and the place of stat data says
 * what its tree holds.
 */
import { OID_BYTES } from './table';

/** Stat data, mode, oid and flags; the path stands behind. */
export const FIXED_BYTES: usize = 62;
const MODE_AT: usize = 24;
const OID_AT: usize = 40;
const FLAGS_AT: usize = 60;
/** Of a directory: the number of its tree's first entry, and how many these are; see TREE_…. */
const FIRST_AT: usize = 0;
const COUNT_AT: usize = 4;
const TREE_AT: usize = 8;
/** What the end of a checkout puts there: 12 bytes, then comes the mode. */
const WALK_AT: usize = 12;
const SIZE_AT: usize = 36;

/** Bits of what is known of a directory's tree. */
export const TREE_WANTED: u32 = 1;
/** Git itself would write it so. */
export const TREE_CANONICAL: u32 = 2;

export const REGULAR: u32 = 0o100644;
export const EXECUTABLE: u32 = 0o100755;
export const SYMLINK: u32 = 0o120000;
export const DIRECTORY: u32 = 0o040000;
export const GITLINK: u32 = 0o160000;

export const NONE: i32 = -1;
const NAME_LENGTH: u32 = 0x0fff;

/** Cells of `control`, 4 bytes each: the table of slots; 1 while a thread makes directories. */
export const SLOTS: usize = 0;
export const LOCK: usize = 4;
/** Behind them: room for an oid. */
export const OID_ROOM: usize = 8;

export let control: usize = 0;
/** Per node: where it begins, behind `bytes`; its directory; 1 + the next one of its oid and kind, or 0; its state. */
let starts: usize = 0;
let parents: usize = 0;
let nexts: usize = 0;
let states: usize = 0;
let bytes: usize = 0;
export let seedLow: u32 = 1;
export let seedHigh: u32 = 1;

/** Of who adds: */
let capacity: i32 = 0;
let byteLimit: u32 = 0;
export let nodeCount: i32 = 0;

/** The seeds are odd, and not to be guessed: who makes oids that collide must not slow a lookup. */
export function setNodes(
  controlAt: usize,
  bytesAt: usize,
  startsAt: usize,
  parentsAt: usize,
  nextsAt: usize,
  statesAt: usize,
  low: u32,
  high: u32,
): void {
  control = controlAt;
  bytes = bytesAt;
  starts = startsAt;
  parents = parentsAt;
  nexts = nextsAt;
  states = statesAt;
  seedLow = low;
  seedHigh = high;
}

/** Begins a table of at most so many nodes, and bytes of them. */
export function beginNodes(nodes: i32, limit: u32): void {
  capacity = nodes;
  byteLimit = limit;
  nodeCount = 0;
}

function startOf(node: i32): usize {
  return bytes + load<u32>(starts + (usize(node) << 2));
}

export function parentOf(node: i32): i32 {
  return load<i32>(parents + (usize(node) << 2));
}

export function pathOf(node: i32): usize {
  return startOf(node) + FIXED_BYTES;
}

export function pathLengthOf(node: i32): u32 {
  return (
    load<u32>(starts + (usize(node + 1) << 2)) -
    load<u32>(starts + (usize(node) << 2)) -
    u32(FIXED_BYTES)
  );
}

export function modeOf(node: i32): u32 {
  return bswap<u32>(load<u32>(startOf(node) + MODE_AT));
}

export function nodeOid(node: i32): usize {
  return startOf(node) + OID_AT;
}

/** Where 1 + the next node of the same oid and kind is, or 0. */
export function nextAt(node: i32): usize {
  return nexts + (usize(node) << 2);
}

/** Where the state of a node is, a byte. */
export function stateAt(node: i32): usize {
  return states + usize(node);
}

/** Of a directory whose tree is known: its first entry, and how many there are. */
export function firstIn(node: i32): i32 {
  return load<i32>(startOf(node) + FIRST_AT);
}

export function treeCountOf(node: i32): i32 {
  return load<i32>(startOf(node) + COUNT_AT);
}

/** Where 12 bytes of a directory are for whoever walks through all of them. */
export function walkAt(node: i32): usize {
  return startOf(node) + WALK_AT;
}

/** Of a file that is written. */
export function sizeOf(node: i32): u32 {
  return bswap<u32>(load<u32>(startOf(node) + SIZE_AT));
}

export function treeBitsOf(node: i32): u32 {
  return load<u32>(startOf(node) + TREE_AT);
}

export function putTree(node: i32, first: i32, count: i32, bits: u32): void {
  const start = startOf(node);
  store<i32>(start + FIRST_AT, first);
  store<i32>(start + COUNT_AT, count);
  store<u32>(start + TREE_AT, bits);
}

/** Stat data as an index has it: nanoseconds since 1970, and the low 32 bits of the rest. */
export function putStat(
  node: i32,
  ctime: u64,
  mtime: u64,
  dev: u64,
  ino: u64,
  uid: u32,
  gid: u32,
  size: u64,
): void {
  const at = startOf(node);
  putBig(at, u32(ctime / NSEC_PER_SEC));
  putBig(at + 4, u32(ctime % NSEC_PER_SEC));
  putBig(at + 8, u32(mtime / NSEC_PER_SEC));
  putBig(at + 12, u32(mtime % NSEC_PER_SEC));
  putBig(at + 16, u32(dev));
  putBig(at + 20, u32(ino));
  putBig(at + 28, uid);
  putBig(at + 32, gid);
  putBig(at + 36, u32(size));
}

const NSEC_PER_SEC: u64 = 1_000_000_000;

function putBig(at: usize, value: u32): void {
  store<u32>(at, bswap<u32>(value));
}

/** A node below `parent`, which nobody finds yet; NONE: no room. */
export function addNode(parent: i32, mode: u32, oid: usize, name: usize, nameLength: u32): i32 {
  const node = nodeCount;
  const slash: u32 = mode === DIRECTORY && nameLength > 0 ? 1 : 0;
  const prefixLength = parent === NONE ? 0 : pathLengthOf(parent);
  const from = load<u32>(starts + (usize(node) << 2));
  const pathLength = prefixLength + nameLength + slash;
  const end = u64(from) + u64(FIXED_BYTES) + u64(pathLength);
  if (node >= capacity || end > u64(byteLimit)) return NONE;
  const at = bytes + from;
  putBig(at + MODE_AT, mode);
  memory.copy(at + OID_AT, oid, OID_BYTES);
  const flags = min(pathLength, NAME_LENGTH);
  store<u8>(at + FLAGS_AT, u8(flags >> 8));
  store<u8>(at + FLAGS_AT + 1, u8(flags));
  if (prefixLength > 0) memory.copy(at + FIXED_BYTES, pathOf(parent), prefixLength);
  memory.copy(at + FIXED_BYTES + prefixLength, name, nameLength);
  if (slash !== 0) store<u8>(at + FIXED_BYTES + prefixLength + nameLength, 0x2f);
  store<u32>(starts + (usize(node + 1) << 2), u32(end));
  store<i32>(parents + (usize(node) << 2), parent);
  nodeCount = node + 1;
  return node;
}
