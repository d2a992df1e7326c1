/**
 * The end of a checkout, on nodes whose trees are all known: their order in the index, what is left to
 * write, and the index's entries (gitformat-index, version 2). Files are nodes in an array, by the index's
 * order. A tree sorts as its paths do, so that walking it depth first is that order.
 */
import {
  DIRECTORY,
  FIXED_BYTES,
  GITLINK,
  NONE,
  TREE_CANONICAL,
  firstIn,
  modeOf,
  parentOf,
  pathLengthOf,
  pathOf,
  sizeOf,
  stateAt,
  treeBitsOf,
  treeCountOf,
  walkAt,
} from './nodes';
import { LFS_POINTER, WRITTEN } from './files';

const ROOT: i32 = 0;
/** Places of a directory: the next of its entries; files before it, and then those below it; bits. */
const CURSOR: usize = 0;
export const BELOW: usize = 4;
export const BITS: usize = 8;
const LISTED: u32 = 1;
/** Git would write another tree for it. */
const CHANGED: u32 = 2;
/** There is no such tree: agent/checkout/planned-trees.ts. */
export const INVALID: u32 = 4;

export let fileCount: i32 = 0;
/** Those with files below them, but for the root. */
export let directoryCount: i32 = 0;
/** Directories that git would write otherwise. */
export let changedCount: i32 = 0;

/** Puts all files, and the directories that they need, parents first. Each array has room for `nodeCount`. */
export function orderNodes(files: usize, directories: usize): void {
  fileCount = 0;
  directoryCount = 0;
  changedCount = 0;
  enter(ROOT);
  store<u32>(walkAt(ROOT), LISTED | load<u32>(walkAt(ROOT), BITS), BITS);
  let at = ROOT;
  while (at !== NONE) {
    const walk = walkAt(at);
    const child = load<i32>(walk, CURSOR);
    if (child === firstIn(at) + treeCountOf(at)) {
      leave(at);
      at = parentOf(at);
      continue;
    }
    store<i32>(walk, child + 1, CURSOR);
    if (modeOf(child) === DIRECTORY) {
      enter(child);
      at = child;
    } else {
      if (!isListed(at)) list(at, directories);
      store<i32>(files + (usize(fileCount++) << 2), child);
    }
  }
}

function enter(directory: i32): void {
  const walk = walkAt(directory);
  store<i32>(walk, firstIn(directory), CURSOR);
  store<i32>(walk, fileCount, BELOW);
  store<u32>(walk, 0, BITS);
  if ((treeBitsOf(directory) & TREE_CANONICAL) === 0) change(directory);
}

function leave(directory: i32): void {
  const walk = walkAt(directory);
  const below = fileCount - load<i32>(walk, BELOW);
  store<i32>(walk, below, BELOW);
  // An index knows no empty directory, and no tree with one.
  if (below === 0 && directory !== ROOT) change(parentOf(directory));
}

function change(directory: i32): void {
  const walk = walkAt(directory);
  const bits = load<u32>(walk, BITS);
  if ((bits & CHANGED) === 0) changedCount++;
  store<u32>(walk, bits | CHANGED, BITS);
}

function isListed(directory: i32): bool {
  return (load<u32>(walkAt(directory), BITS) & LISTED) !== 0;
}

/** A directory and those above it that are not listed yet, the highest first. */
function list(directory: i32, directories: usize): void {
  let height: i32 = 0;
  for (let at = directory; !isListed(at); at = parentOf(at)) height++;
  directoryCount += height;
  let place = directories + (usize(directoryCount) << 2);
  for (let at = directory; !isListed(at); at = parentOf(at)) {
    place -= 4;
    store<i32>(place, at);
    store<u32>(walkAt(at), LISTED | load<u32>(walkAt(at), BITS), BITS);
  }
}

function fileAt(files: usize, index: i32): i32 {
  return load<i32>(files + (usize(index) << 2));
}

function isWritten(node: i32): bool {
  const state = load<u8>(stateAt(node));
  return state === WRITTEN || state === LFS_POINTER;
}

/** Of the files that are written: how many, the bytes of all, how many are LFS pointers. */
export let writtenCount: i32 = 0;
export let writtenBytes: f64 = 0;
export let pointerCount: i32 = 0;

export function countWritten(files: usize): void {
  writtenCount = 0;
  writtenBytes = 0;
  pointerCount = 0;
  for (let index: i32 = 0; index < fileCount; index++) {
    const node = fileAt(files, index);
    if (!isWritten(node)) continue;
    writtenCount++;
    writtenBytes += f64(sizeOf(node));
    if (load<u8>(stateAt(node)) === LFS_POINTER) pointerCount++;
  }
}

/** The first file from `from` on that is not written, symlinks and gitlinks among them; `fileCount`: none. */
export function nextLeft(files: usize, from: i32): i32 {
  let index = from;
  while (index < fileCount && isWritten(fileAt(files, index))) index++;
  return index;
}

/** ".gitattributes" */
const ATTRIBUTES_BYTES: u32 = 14;
const ATTRIBUTES_BEGIN: u64 = 0x72_74_74_61_74_69_67_2e;
const ATTRIBUTES_END: u64 = 0x73_65_74_75_62_69_72_74;

/** The first file from `from` on that is called .gitattributes; `fileCount`: none. */
export function nextAttributes(files: usize, from: i32): i32 {
  let index = from;
  while (index < fileCount && !isAttributes(fileAt(files, index))) index++;
  return index;
}

function isAttributes(node: i32): bool {
  const length = pathLengthOf(node);
  if (length < ATTRIBUTES_BYTES) return false;
  const name = pathOf(node) + length - ATTRIBUTES_BYTES;
  if (load<u64>(name + 6) !== ATTRIBUTES_END || load<u64>(name) !== ATTRIBUTES_BEGIN) return false;
  return (length === ATTRIBUTES_BYTES || load<u8>(name - 1) === 0x2f) && modeOf(node) !== GITLINK;
}

/** Where `encodeEntries` ended. */
export let encodedEnd: usize = 0;

/** Puts the entries from `from` on to [to, end), as far as they fit; returns the next one. One takes at most 4,168 bytes. */
export function encodeEntries(files: usize, from: i32, to: usize, end: usize): i32 {
  let at = to;
  let index = from;
  for (; index < fileCount; index++) {
    const node = fileAt(files, index);
    const bytes = FIXED_BYTES + usize(pathLengthOf(node));
    // One to eight NULs end the path and fill up to a multiple of eight.
    const padded = (bytes + 8) & ~7;
    if (at + padded > end) break;
    memory.copy(at, pathOf(node) - FIXED_BYTES, bytes);
    memory.fill(at + bytes, 0, padded - bytes);
    at += padded;
  }
  encodedEnd = at;
  return index;
}
