/**
 * A window of the pack's bytes in; rows of the entry table out, and each entry's content where its
 * object is made: here, or in the queue of a pack thread. Each entry is parsed, inflated and CRC-32'd
 * as it passes. What is rare or wrong is left to agent/pack/entry-scanner.ts: it gets a code, and does
 * the same again. Format: gitformat-pack.
 */
import { HEADROOM } from './content-ring';
import { crc32 } from './crc32';
import {
  CUT_OFF,
  REFUSED,
  baseDistance,
  baseOid,
  entrySize,
  entryType,
  headerLength,
  parseEntryHeader,
} from './entry-header';
import { passes, placeIn, send, waitingCost } from './entry-ring';
import { FAULT, NEEDS_INPUT, inflate } from './inflate';
import { OID_ROOM, control } from './nodes';
import { nameObject } from './objects';
import { planTree, wantedTrees } from './plan';
import { DONE, take } from './resolver';
import {
  BASE_BY_OID,
  NO_BASE,
  OFS_DELTA,
  OID_BYTES,
  REF_DELTA,
  TREE,
  depthOf,
  oidAt,
  putRow,
  rowAt,
  setCrc,
} from './table';

/** Why `scan` came back; 1 and 2 are the resolver's. */
export const ENDED: i32 = 0;
/** The queue of `owner` is full. */
export const NO_ROOM: i32 = 3;
/** The next entry is of a type that it was to stop before. */
export const STOPPED: i32 = 4;
/** The next entry is larger than `streamBytes`. */
export const LARGE: i32 = 5;
/** The header of the next entry is wrong, or over a limit. */
export const WRONG_HEADER: i32 = 6;
/** The next entry's stream is refused: `placed` is where its content was to go. */
export const WRONG_STREAM: i32 = 7;

/** `owner` of what this thread makes itself; others are 1 + the thread. */
const HERE: i32 = 0;
/** Who has so much waiting gets no new base: what is left for one thread alone at the end, too. */
const ENOUGH: u32 = 3 << 20;
/** Bytes of a queue in `rings`: where its control and its bytes are, and its units. */
const RING_BYTES: usize = 16;

/** Rows in use. */
export let count: i32 = 0;
/** Rows that are stored whole. */
export let wholeCount: i32 = 0;
/** Place in the pack of the first byte that was not taken yet. */
export let packOffset: f64 = 0;
/** Address of that byte. */
export let taken: usize = 0;
/** Bytes that inflating made so far. */
export let inflatedBytes: f64 = 0;
export let owner: i32 = 0;
export let placed: usize = 0;
/** The row that the entry builds on, NO_BASE or BASE_BY_OID. */
export let base: i32 = -1;

let total: i32 = 0;
let streamBytes: u64 = 0;
let objectBytes: u64 = 0;
let inflatedLimit: f64 = 0;
let chainDepth: u32 = 0;
/** Room for the content of one entry that is made here. */
let scratch: usize = 0;
/** Per row: HERE, or 1 + the thread. */
let owners: usize = 0;
let rings: usize = 0;
let ringCount: i32 = 0;
/** A bit for each type to stop before. */
let stops: u32 = 0;

export function setScanner(
  objects: i32,
  largestInOnePiece: f64,
  objectLimit: f64,
  expandedLimit: f64,
  depthLimit: u32,
  scratchAt: usize,
  ownersAt: usize,
): void {
  total = objects;
  streamBytes = u64(largestInOnePiece);
  objectBytes = u64(objectLimit);
  inflatedLimit = expandedLimit;
  chainDepth = depthLimit;
  scratch = scratchAt + HEADROOM;
  owners = ownersAt;
}

/** From now on new bases go to these queues, RING_BYTES each. */
export function useQueues(ringsAt: usize, queues: i32): void {
  rings = ringsAt;
  ringCount = queues;
}

/** The scan comes back before the next entry of the type, once. */
export function stopBefore(type: i32): void {
  stops |= 1 << type;
}

/** Goes on behind `bytes` that were taken elsewhere. */
export function skip(bytes: f64): void {
  packOffset += bytes;
}

/** Takes what it can of [from, end), up to `taken`. */
export function scan(from: usize, end: usize): i32 {
  taken = from;
  while (count < total && taken < end) {
    const code = scanEntry(end);
    if (code === CUT_SHORT) return ENDED;
    if (code !== DONE) return code;
  }
  return ENDED;
}

const CUT_SHORT: i32 = -1;

function scanEntry(end: usize): i32 {
  const parsed = parseEntryHeader(taken, end, u64(packOffset));
  if (parsed === CUT_OFF) return CUT_SHORT;
  if (parsed === REFUSED) return WRONG_HEADER;
  const stop: u32 = 1 << entryType;
  if ((stops & stop) !== 0) {
    stops &= ~stop;
    return STOPPED;
  }
  if (!findBase()) return WRONG_HEADER;
  if (entrySize > streamBytes) return LARGE;
  const size = u32(entrySize);
  if (!place(size)) return NO_ROOM;
  const used = inflate(taken + headerLength, end, placed, size);
  if (used === NEEDS_INPUT) return CUT_SHORT;
  if (used === FAULT) return WRONG_STREAM;
  return takeInflated(u32(used));
}

/** Finishes the entry whose content, of `used` bytes of input, is at `placed`. */
export function takeInflated(used: u32): i32 {
  const size = u32(entrySize);
  const entryEnd = taken + headerLength + used;
  const row = addRow();
  setCrc(row, crc32(taken, entryEnd));
  packOffset += f64(entryEnd - taken);
  taken = entryEnd;
  if (wantedTrees > 0 && entryType === TREE) showTree(placed, size);
  const isDelta = entryType >= OFS_DELTA;
  store<u8>(owners + usize(row), owner);
  if (owner === HERE) return take(row, isDelta, placed, size);
  const ring = rings + usize(owner - 1) * RING_BYTES;
  send(load<u32>(ring), load<u32>(ring, 4), load<u32>(ring, 8), row, size, isDelta);
  return DONE;
}

/** HEADROOM before `content` is free. What is refused is met again by the checkout, which says why. */
function showTree(content: usize, size: u32): void {
  const oid = control + OID_ROOM;
  nameObject(TREE, content, size, oid);
  planTree(oid, content, size);
}

/** A row for the entry whose header was parsed last. */
export function addRow(): i32 {
  const row = count++;
  const depth: u32 = base >= 0 ? depthOf(base) + 1 : 0;
  putRow(row, packOffset, entryType, f64(entrySize), headerLength, base, depth);
  if (base === NO_BASE) wholeCount++;
  if (base === BASE_BY_OID) memory.copy(oidAt(row), baseOid, OID_BYTES);
  inflatedBytes += f64(entrySize);
  return row;
}

/** False where there is none, and where the entry is over a limit. */
function findBase(): bool {
  base = NO_BASE;
  if (entryType === OFS_DELTA) {
    base = rowAt(packOffset - f64(baseDistance), count);
    if (base < 0 || depthOf(base) >= chainDepth) return false;
  } else if (entryType === REF_DELTA) {
    base = BASE_BY_OID;
  }
  return entrySize <= objectBytes && inflatedBytes + f64(entrySize) <= inflatedLimit;
}

/** A delta goes where its base went, since that is where the base's content is; false: wait for room. */
function place(size: u32): bool {
  if (base >= 0) owner = load<u8>(owners + usize(base));
  else owner = base === NO_BASE ? leastBusy() : HERE;
  if (owner !== HERE) {
    const ring = rings + usize(owner - 1) * RING_BYTES;
    const units = load<u32>(ring, 8);
    if (passes(size, units)) {
      placed = placeIn(load<u32>(ring), load<u32>(ring, 4), units, size);
      return placed !== 0;
    }
    owner = HERE;
  }
  placed = scratch;
  return true;
}

/** This thread has the stream to inflate: it helps when all others have enough to do. */
function leastBusy(): i32 {
  let best = HERE;
  let least = ENOUGH;
  for (let index: i32 = 0; index < ringCount; index++) {
    const waiting = waitingCost(load<u32>(rings + usize(index) * RING_BYTES));
    if (waiting >= least) continue;
    least = waiting;
    best = index + 1;
  }
  return best;
}
