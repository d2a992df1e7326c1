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
import { FAULT, NEEDS_INPUT, inflate } from './inflate';
import { OID_ROOM, control } from './nodes';
import { nameObject } from './objects';
import {
  HERE,
  ownerOfDelta,
  ownerOfNew,
  passesTo,
  placeFor,
  sendTo,
  setOwner,
  setOwners,
} from './owners';
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
/** Who makes the entry: owners.ts. */
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
  setOwners(ownersAt);
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
  setOwner(row, owner);
  if (owner === HERE) return take(row, isDelta, placed, size);
  sendTo(owner, row, isDelta, placed, size);
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

/** False: wait for room where it goes. */
function place(size: u32): bool {
  owner = base === BASE_BY_OID ? HERE : base === NO_BASE ? ownerOfNew() : ownerOfDelta(base);
  if (owner !== HERE) {
    if (passesTo(owner, size)) {
      placed = placeFor(owner, size);
      return placed !== 0;
    }
    owner = HERE;
  }
  placed = scratch;
  return true;
}
