/**
 * Contents in, the files of the worktree that are planned with them out, each with its stat data in its
 * node. Files and directories are made by WASI, which Node has for this: no objects, no strings, and nothing for V8
 * to optimise. Whatever it does not do at once is left to agent/checkout/early-files.ts, which
 * does it again and throws what is wrong. Every name is created exclusively, and no symlink exists yet.
 */
import {
  LOCK,
  NONE,
  REGULAR,
  control,
  modeOf,
  parentOf,
  pathLengthOf,
  pathOf,
  putStat,
  stateAt,
} from './nodes';
import { firstOf, nextOf } from './node-slots';
import { oidAt } from './table';

/** WASI, preview 1: wasi_snapshot_preview1. They return 0, or an error's number. */
declare function path_open(
  directory: i32,
  lookup: i32,
  path: usize,
  length: u32,
  how: i32,
  rights: i64,
  inherited: i64,
  flags: i32,
  opened: usize,
): i32;
declare function path_create_directory(directory: i32, path: usize, length: u32): i32;
declare function fd_write(fd: i32, pieces: usize, count: i32, written: usize): i32;
declare function fd_filestat_set_times(fd: i32, atime: i64, mtime: i64, flags: i32): i32;
declare function fd_filestat_get(fd: i32, to: usize): i32;
declare function fd_close(fd: i32): i32;

/** Makes the file and puts its stat data to the node; `begun`: it is there, and ours. */
declare function writeAgain(node: i32, content: usize, size: u32, begun: i32): void;
/** Makes the directory; 0: it could not. */
declare function makeAgain(node: i32): i32;
/** Throws what `makeAgain` met. */
declare function refuse(): void;
declare function isLfsPointer(content: usize, size: u32): i32;

/** The first directory that is given to an instance: the worktree. */
const WORKTREE: i32 = 3;
const CREATE_EXCLUSIVELY: i32 = 1 | 4;
/** To write, to set times and to get them. */
const RIGHTS: i64 = (1 << 6) | (1 << 23) | (1 << 21);
const SET_ATIME_AND_MTIME: i32 = 1 | 4;
const LFS_LIMIT_BYTES: u32 = 1024;
/** "version " */
const LFS_BEGIN: u64 = 0x20_6e_6f_69_73_72_65_76;

/** Of a file: values of STATE in agent/checkout/node-table.ts. */
const MISSING: u8 = 0;
const CLAIMED: u8 = 1;
export const WRITTEN: u8 = 2;
export const LFS_POINTER: u8 = 3;
/** Of a directory. */
const MADE: u8 = 1;

/** Places in `scratch`, which this thread has for itself. */
const OPENED: usize = 0;
const PIECE: usize = 8;
const PIECE_SIZE: usize = 12;
const WRITTEN_BYTES: usize = 16;
const STAT: usize = 24;
export const FILES_SCRATCH_BYTES: usize = 128;

/** In the stat data that WASI gives. */
const STAT_DEV: usize = 0;
const STAT_INO: usize = 8;
const STAT_SIZE: usize = 32;
const STAT_MTIME: usize = 48;
const STAT_CTIME: usize = 56;

let isPlanned: bool = false;
let scratch: usize = 0;
let time: i64 = 0;
let usesWasi: bool = false;
let uid: u32 = 0;
let gid: u32 = 0;

/** From now on files are written, with this time, in nanoseconds. */
export function beginFiles(scratchAt: usize, nanoseconds: i64): void {
  scratch = scratchAt;
  time = nanoseconds;
  isPlanned = true;
  usesWasi = false;
}

/** WASI works here, and says nothing of owners: they are those of the file made first. */
export function useWasi(userId: u32, groupId: u32): void {
  uid = userId;
  gid = groupId;
  usesWasi = true;
}

/** Whether a file that is missing has the object at `row` as its content. */
export function wantsBlob(row: i32): bool {
  for (let node = firstOf(oidAt(row), false); node !== NONE; node = nextOf(node)) {
    if (atomic.load<u8>(stateAt(node)) === MISSING) return true;
  }
  return false;
}

/** Takes the blob at `row`, where files are planned. */
export function takeBlob(row: i32, content: usize, size: u32): void {
  if (!isPlanned) return;
  for (let node = firstOf(oidAt(row), false); node !== NONE; node = nextOf(node)) {
    // A pack may have an object twice, and two threads make it at once.
    const state = atomic.cmpxchg<u8>(stateAt(node), MISSING, CLAIMED);
    if (state === MISSING) writeFile(node, content, size);
  }
}

function writeFile(node: i32, content: usize, size: u32): void {
  const directory = parentOf(node);
  if (atomic.load<u8>(stateAt(directory)) !== MADE) makeDirectories(directory);
  // WASI knows no other mode.
  const made = usesWasi && modeOf(node) === REGULAR ? writeByWasi(node, content, size) : NOT_BEGUN;
  if (made !== COMPLETE) writeAgain(node, content, size, made);
  const isPointer =
    size < LFS_LIMIT_BYTES && load<u64>(content) === LFS_BEGIN && isLfsPointer(content, size) !== 0;
  atomic.store<u8>(stateAt(node), isPointer ? LFS_POINTER : WRITTEN);
}

const NOT_BEGUN: i32 = 0;
const BEGUN: i32 = 1;
const COMPLETE: i32 = 2;

function writeByWasi(node: i32, content: usize, size: u32): i32 {
  const path = pathOf(node);
  const length = pathLengthOf(node);
  const code = path_open(
    WORKTREE,
    0,
    path,
    length,
    CREATE_EXCLUSIVELY,
    RIGHTS,
    0,
    0,
    scratch + OPENED,
  );
  if (code !== 0) return NOT_BEGUN;
  const fd = load<i32>(scratch + OPENED);
  const filled = fill(node, fd, content, size);
  return fd_close(fd) === 0 && filled ? COMPLETE : BEGUN;
}

function fill(node: i32, fd: i32, content: usize, size: u32): bool {
  if (size > 0) {
    store<u32>(scratch + PIECE, u32(content));
    store<u32>(scratch + PIECE_SIZE, size);
    if (fd_write(fd, scratch + PIECE, 1, scratch + WRITTEN_BYTES) !== 0) return false;
    if (load<u32>(scratch + WRITTEN_BYTES) !== size) return false;
  }
  if (fd_filestat_set_times(fd, time, time, SET_ATIME_AND_MTIME) !== 0) return false;
  const stat = scratch + STAT;
  if (fd_filestat_get(fd, stat) !== 0) return false;
  putStat(
    node,
    load<u64>(stat + STAT_CTIME),
    load<u64>(stat + STAT_MTIME),
    load<u64>(stat + STAT_DEV),
    load<u64>(stat + STAT_INO),
    uid,
    gid,
    load<u64>(stat + STAT_SIZE),
  );
  return true;
}

/** Makes a directory and those above it that are missing, one thread at a time. */
function makeDirectories(directory: i32): void {
  const lock = control + LOCK;
  while (atomic.cmpxchg<i32>(lock, 0, 1) !== 0) atomic.wait<i32>(lock, 1, -1);
  const done = makeMissing(directory);
  atomic.store<i32>(lock, 0);
  atomic.notify(lock, 1);
  if (!done) refuse();
}

function makeMissing(directory: i32): bool {
  while (load<u8>(stateAt(directory)) !== MADE) {
    let highest = directory;
    for (
      let above = parentOf(highest);
      load<u8>(stateAt(above)) !== MADE;
      above = parentOf(above)
    ) {
      highest = above;
    }
    const length = pathLengthOf(highest) - 1;
    const code = usesWasi ? path_create_directory(WORKTREE, pathOf(highest), length) : -1;
    if (code !== 0 && makeAgain(highest) === 0) return false;
    atomic.store<u8>(stateAt(highest), MADE);
  }
  return true;
}
