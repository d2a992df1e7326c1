/**
 * Trees in, in whatever order they turn up; nodes out. What a checkout would refuse is not told here:
 * a number comes back, and agent/checkout/plan.ts reads the same tree again and says what is wrong.
 * The rules are those of agent/checkout/tree.ts and path-safety.ts.
 */
import {
  DIRECTORY,
  EXECUTABLE,
  GITLINK,
  NONE,
  REGULAR,
  SYMLINK,
  TREE_CANONICAL,
  TREE_WANTED,
  addNode,
  beginNodes,
  modeOf,
  nodeCount,
  nodeOid,
  pathLengthOf,
  pathOf,
  putTree,
  treeBitsOf,
} from './nodes';
import { beginSlots, firstOf, nextOf, publish } from './node-slots';
import { OID_BYTES } from './table';

/** Whether a name passes that could be one of those that are refused; 0: it does not. */
declare function verify(name: usize, length: u32, mode: u32): i32;

export const PLANNED: i32 = 0;
export const TREE_REFUSED: i32 = 1;
export const PLAN_FULL: i32 = 2;

const MAX_NAME_BYTES: u32 = 255;
const MAX_PATH_BYTES: u32 = 4095;
const MAX_MODE: u32 = 0o177777;
const TYPE_BITS: u32 = 0o170000;

/** The tree of nothing, 4b825dc642cb6eb9a060e54bf8d69288fbee4904, which no pack need hold. */
const EMPTY_TREE: u64 = 0xb96e_cb42_c65d_824b;
const EMPTY_TREE_8: u64 = 0x8892_d6f8_4be5_60a0;
const EMPTY_TREE_16: u32 = 0x0449_eefb;

/** Directories whose tree is still to come. */
export let wantedTrees: i32 = 0;

let worktreeBytes: u32 = 0;
/** No wanted directory is before this one. */
let firstWanted: i32 = 0;

/** Begins with the tree whose oid is at `oid`. `prefixBytes`: what the worktree takes of a path's length. */
export function beginPlan(oid: usize, nodes: i32, byteLimit: u32, prefixBytes: u32): i32 {
  worktreeBytes = prefixBytes;
  wantedTrees = 0;
  firstWanted = 0;
  beginNodes(nodes, byteLimit);
  const root = addNode(NONE, DIRECTORY, oid, oid, 0);
  return root !== NONE && beginSlots() && open(root) ? PLANNED : PLAN_FULL;
}

/** A directory whose tree is wanted, or NONE. */
export function nextWanted(from: i32): i32 {
  for (let node = max(from, firstWanted); node < nodeCount; node++) {
    if (isWanted(node)) {
      if (from <= firstWanted) firstWanted = node;
      return node;
    }
  }
  return NONE;
}

function isWanted(node: i32): bool {
  return modeOf(node) === DIRECTORY && (treeBitsOf(node) & TREE_WANTED) !== 0;
}

/** Whether the tree of that oid is wanted anywhere. */
export function wantsTree(oid: usize): bool {
  const node = firstOf(oid, true);
  return node !== NONE && isWanted(node);
}

/** Takes the tree [content, content + size) of that oid wherever it is wanted. Not PLANNED: nothing more is taken as it passes. */
export function planTree(oid: usize, content: usize, size: u32): i32 {
  for (let node = firstOf(oid, true); node !== NONE; node = nextOf(node)) {
    // The newest come first, and whatever was wanted before has been filled then.
    if (!isWanted(node)) break;
    const code = fill(node, content, content + size);
    if (code === PLANNED) continue;
    wantedTrees = 0;
    return code;
  }
  return PLANNED;
}

function fill(directory: i32, content: usize, end: usize): i32 {
  const first = nodeCount;
  wantedTrees--;
  let canonical = TREE_CANONICAL;
  let at = content;
  while (at < end) {
    const nameAt = parseMode(at, end);
    if (nameAt === 0) return TREE_REFUSED;
    const mode = canonicalMode(storedMode);
    // 5 digits for "40000", 6 for all others, without a zero before them.
    if (mode !== storedMode || nameAt - at !== (mode === DIRECTORY ? 6 : 7)) canonical = 0;
    if (mode === 0) return TREE_REFUSED;
    const length = nameLengthAt(nameAt, end, mode);
    if (length === 0) return TREE_REFUSED;
    const oid = nameAt + length + 1;
    if (oid + OID_BYTES > end || isNull(oid)) return TREE_REFUSED;
    if (pathLengthOf(directory) + length + worktreeBytes > MAX_PATH_BYTES) return TREE_REFUSED;
    const node = nodeCount;
    if (addNode(directory, mode, oid, nameAt, length) === NONE) return PLAN_FULL;
    if (node > first && !isInOrder(directory, first, node)) return TREE_REFUSED;
    at = oid + OID_BYTES;
  }
  putTree(directory, first, nodeCount - first, canonical);
  // Nobody writes a file of a tree that is refused further on.
  for (let node = first; node < nodeCount; node++) if (!open(node)) return PLAN_FULL;
  return PLANNED;
}

/** Lets all find the node, and wants its tree if it is a directory; false: no room. */
function open(node: i32): bool {
  if (modeOf(node) === DIRECTORY) {
    const isEmpty = isEmptyTree(nodeOid(node));
    putTree(node, 0, 0, isEmpty ? TREE_CANONICAL : TREE_WANTED);
    if (!isEmpty) wantedTrees++;
  }
  return publish(node);
}

function isEmptyTree(oid: usize): bool {
  return (
    load<u64>(oid) === EMPTY_TREE &&
    load<u64>(oid, 8) === EMPTY_TREE_8 &&
    load<u32>(oid, 16) === EMPTY_TREE_16
  );
}

function isNull(oid: usize): bool {
  return (load<u64>(oid) | load<u64>(oid, 8) | u64(load<u32>(oid, 16))) === 0;
}

let storedMode: u32 = 0;

/** Where the name begins, or 0: there is no octal mode of 16 bits, and a space. */
function parseMode(start: usize, end: usize): usize {
  let mode: u32 = 0;
  for (let at = start; at < end; at++) {
    const byte = u32(load<u8>(at));
    if (byte === 0x20) {
      storedMode = mode;
      return at === start ? 0 : at + 1;
    }
    const digit = byte - 0x30;
    if (digit > 7) return 0;
    mode = (mode << 3) | digit;
    if (mode > MAX_MODE) return 0;
  }
  return 0;
}

/** 0: of no known type. */
function canonicalMode(mode: u32): u32 {
  const type = mode & TYPE_BITS;
  if (type === 0o100000) return (mode & 0o100) === 0 ? REGULAR : EXECUTABLE;
  return type === SYMLINK || type === DIRECTORY || type === GITLINK ? type : 0;
}

/** The length of the name that a NUL ends, or 0: it is refused, or cut off. */
function nameLengthAt(name: usize, end: usize, mode: u32): u32 {
  // What looks like `.git` to some file system begins with a dot, or has one of these or a byte above ASCII.
  let isOdd = name < end && load<u8>(name) === 0x2e;
  for (let at = name; at < end; at++) {
    const byte = load<u8>(at);
    if (byte === 0) {
      const length = u32(at - name);
      if (length > MAX_NAME_BYTES || length === 0) return 0;
      return isOdd && verify(name, length, mode) === 0 ? 0 : length;
    }
    if (byte === 0x2f) return 0;
    if (byte === 0x5c || byte >= 0x7e) isOdd = true;
  }
  return 0;
}

/** The last node of a directory against those before it: directories sort as if their names ended in a slash. */
function isInOrder(directory: i32, first: i32, node: i32): bool {
  const prefix = pathLengthOf(directory);
  const path = pathOf(node) + prefix;
  const length = pathLengthOf(node) - prefix;
  const before = node - 1;
  const otherPath = pathOf(before) + prefix;
  const otherLength = pathLengthOf(before) - prefix;
  // The path of a directory ends in a slash: what is shorter, and the same as far as it goes, comes first.
  const order = memory.compare(otherPath, path, min(length, otherLength));
  if (order > 0 || (order === 0 && otherLength >= length)) return false;
  if (modeOf(node) !== DIRECTORY) return true;
  // A file "a" and a directory "a" need not be neighbours: "a", "a.b", "a/". All between begin with "a".
  const nameLength = length - 1;
  for (let other = before; other >= first; other--) {
    const shorter = pathLengthOf(other) - prefix;
    if (shorter < nameLength || memory.compare(pathOf(other) + prefix, path, nameLength) !== 0)
      break;
    if (shorter === nameLength) return false;
  }
  return true;
}
