/**
 * The TREE extension of an index (gitformat-index, "Cache tree"), of directories that are ordered
 * (checkout.ts). A node: its name and a NUL, the files below it and the directories in it as decimals, its
 * oid; then those in it, shorter names first. One that git would write, but nobody has, counts -1 and has no oid.
 */
import { BELOW, BITS, INVALID } from './checkout';
import {
  DIRECTORY,
  firstIn,
  modeOf,
  nodeOid,
  parentOf,
  pathLengthOf,
  pathOf,
  treeCountOf,
  walkAt,
} from './nodes';
import { OID_BYTES } from './table';

const ROOT: i32 = 0;
/** NUL, two numbers with what ends them, an oid. */
const MOST_BESIDE_NAME: u32 = 1 + 11 + 11 + OID_BYTES;

/** At most so many bytes, of the root and `count` directories. */
export function cacheTreeLimit(directories: usize, count: i32): u32 {
  let bytes = MOST_BESIDE_NAME;
  for (let index: i32 = 0; index < count; index++) {
    bytes += nameLengthOf(load<i32>(directories + (usize(index) << 2))) + MOST_BESIDE_NAME;
  }
  return bytes;
}

/** Puts all to `to`; returns where they end. `scratch` has room for twice as many nodes as there are directories. */
export function encodeCacheTree(scratch: usize, to: usize): usize {
  let at = to;
  // What is still to come, the next one last.
  let open = scratch;
  store<i32>(open, ROOT);
  open += 4;
  while (open > scratch) {
    open -= 4;
    const directory = load<i32>(open);
    const first = open;
    open = pushChildren(directory, open);
    at = putNode(directory, u32(open - first) >> 2, at);
  }
  return at;
}

/** Puts the directories in it that have files to `to`, longer names first; returns where they end. */
function pushChildren(directory: i32, to: usize): usize {
  const begin = firstIn(directory);
  const end = begin + treeCountOf(directory);
  let found: u32 = 0;
  let shortest: u32 = u32.MAX_VALUE;
  let longest: u32 = 0;
  for (let node = begin; node < end; node++) {
    if (!isKept(node)) continue;
    const length = nameLengthOf(node);
    shortest = min(shortest, length);
    longest = max(longest, length);
    found++;
  }
  let at = to;
  for (let length = longest; found > 0 && length >= shortest; length--) {
    // Those of one length are in their order already.
    for (let node = end - 1; node >= begin; node--) {
      if (!isKept(node) || nameLengthOf(node) !== length) continue;
      store<i32>(at, node);
      at += 4;
    }
  }
  return at;
}

function isKept(node: i32): bool {
  return modeOf(node) === DIRECTORY && load<i32>(walkAt(node), BELOW) !== 0;
}

function nameLengthOf(directory: i32): u32 {
  return pathLengthOf(directory) - pathLengthOf(parentOf(directory)) - 1;
}

function putNode(directory: i32, children: u32, to: usize): usize {
  let at = to;
  if (directory !== ROOT) {
    const length = nameLengthOf(directory);
    memory.copy(at, pathOf(directory) + pathLengthOf(parentOf(directory)), length);
    at += length;
  }
  store<u8>(at++, 0);
  const walk = walkAt(directory);
  const isInvalid = (load<u32>(walk, BITS) & INVALID) !== 0;
  if (isInvalid) {
    store<u16>(at, 0x31_2d);
    at += 2;
  } else {
    at = putDecimal(load<u32>(walk, BELOW), at);
  }
  store<u8>(at++, 0x20);
  at = putDecimal(children, at);
  store<u8>(at++, 0x0a);
  if (isInvalid) return at;
  memory.copy(at, nodeOid(directory), OID_BYTES);
  return at + OID_BYTES;
}

function putDecimal(value: u32, to: usize): usize {
  let digits: usize = 1;
  for (let rest = value; rest >= 10; rest /= 10) digits++;
  let rest = value;
  for (let at = to + digits; at > to; rest /= 10) store<u8>(--at, 0x30 + (rest % 10));
  return to + digits;
}
