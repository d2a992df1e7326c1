/**
 * Entries in, one by one as the pack brings them; objects out. One that is stored whole is named and
 * kept, a delta is applied to its base at once: to the kept content, or to one made again from the
 * file. Where there is none (a ref-delta, a base too large to be kept) it stays as it is:
 * agent/pack/resolve-deltas.ts takes it when the pack is complete.
 */
import { admits, find, keep, reserve, sizeAt } from './content-ring';
import {
  DELTA_FAULT,
  applyDelta,
  deltaBaseSize,
  deltaResultSize,
  parseDeltaHeader,
  sameBeginOf,
} from './delta';
import { takeBlob, wantsBlob } from './files';
import { FAULT, NEEDS_INPUT, inflate } from './inflate';
import { takeObject } from './objects';
import { planTree, wantedTrees, wantsTree } from './plan';
import { BLOB, NO_BASE, OFS_DELTA, TREE, baseOf, oidAt, setType, sizeOf, typeOf } from './table';

/** Reads what the pack's file has of `row`, behind its header; returns its bytes, or 0: more than `limit`. */
declare function readStored(row: i32, to: usize, limit: u32): u32;
/** Inflates it to `to`, whatever it takes. */
declare function readEntry(row: i32, to: usize): void;

export const DONE: i32 = 0;
/** The delta at `faultRow` is wrong: `faultBase`, `faultDelta` and `faultSize` are what it was made of. */
export const WRONG_DELTA: i32 = 1;
/** At `faultRow` the pack has expanded to more than the limit. */
export const OVER_LIMIT: i32 = 2;

export let faultRow: i32 = 0;
export let faultBase: usize = 0;
export let faultBaseSize: u32 = 0;
export let faultDelta: usize = 0;
export let faultDeltaSize: u32 = 0;

/** Bytes of content made in this thread. */
export let madeBytes: f64 = 0;

let deltaObjectBytes: f64 = 0;
let expandedLimit: f64 = 0;
/** Room for a stored delta that is read again, and how much of one. */
let scratch: usize = 0;
let scratchBytes: f64 = 0;
/** Room for an entry as it is stored. */
let stored: usize = 0;
let storedBytes: u32 = 0;
/** Rows on the way to a base: as many as a chain may be deep, and one. */
let chain: usize = 0;
let chainRows: u32 = 0;

/** Of what was made last: so many bytes at its begin and end are its base's. */
let sameBegin: u32 = 0;
let sameEnd: u32 = 0;
let fault: i32 = 0;

export function setResolver(
  deltaObjectLimit: f64,
  expandedBytesLimit: f64,
  scratchAt: usize,
  scratchSize: u32,
  chainAt: usize,
  chainSize: u32,
  storedAt: usize,
  storedSize: u32,
): void {
  deltaObjectBytes = deltaObjectLimit;
  expandedLimit = expandedBytesLimit;
  scratch = scratchAt;
  scratchBytes = f64(scratchSize);
  chain = chainAt;
  chainRows = chainSize;
  stored = storedAt;
  storedBytes = storedSize;
}

/** Takes what the pack stores at `row`, inflated, HEADROOM before it. DONE or why not. */
export function take(row: i32, isDelta: bool, content: usize, size: u32): i32 {
  return isDelta ? takeDelta(row, content, size) : takeWhole(row, content, size);
}

function takeWhole(row: i32, content: usize, size: u32): i32 {
  takeObject(row, typeOf(row), content, size, 0, 0);
  return takeMade(row, content, size);
}

/** Keeps the content of an object that has its name, for the deltas on it. */
export function takeMade(row: i32, content: usize, size: u32): i32 {
  if (!admits(size)) return DONE;
  const kept = reserve(size);
  memory.copy(kept, content, size);
  keep(row, kept);
  return DONE;
}

function takeDelta(row: i32, delta: usize, size: u32): i32 {
  const base = baseOf(row);
  if (base < 0) return DONE;
  fault = DONE;
  const baseContent = contentOf(base);
  if (baseContent === 0) return fault;
  const made = apply(row, baseContent, delta, size);
  if (made === 0) return fault;
  const type = typeOf(base);
  takeObject(row, type, made, sizeAt(made), sameBegin, sameEnd);
  setType(row, type);
  return DONE;
}

/**
 * Gives the rows [from, end) to the files that miss their contents, made again; what is too large for that
 * is passed over. DONE or why not; `lateCount` has grown by as many.
 */
export function takeLate(from: i32, end: i32): i32 {
  fault = DONE;
  for (let row = from; row < end; row++) {
    if (typeOf(row) !== BLOB || !wantsBlob(row)) continue;
    const content = contentOf(row);
    if (fault !== DONE) return fault;
    if (content === 0) continue;
    takeBlob(row, content, sizeAt(content));
    lateCount++;
  }
  return DONE;
}

/**
 * Plans the trees that are wanted, of the rows [from, end) that have their names, and what these want in
 * turn. DONE or why not; what is too large to be made here is passed over.
 */
export function planArrived(from: i32, end: i32): i32 {
  fault = DONE;
  for (let isNew = true; isNew && wantedTrees > 0;) {
    isNew = false;
    for (let row = from; row < end && wantedTrees > 0; row++) {
      if (typeOf(row) !== TREE || !wantsTree(oidAt(row))) continue;
      const content = contentOf(row);
      if (fault !== DONE) return fault;
      if (content === 0) continue;
      // What is refused is met again by the checkout, which says why.
      planTree(oidAt(row), content, sizeAt(content));
      isNew = true;
    }
  }
  return DONE;
}

/** Contents that `takeLate` gave to files. */
export let lateCount: i32 = 0;

/** Where a row's content is, made again if need be; 0 where it cannot be had here. */
function contentOf(row: i32): usize {
  let content = find(row);
  if (content !== 0) return content;
  let length: u32 = 0;
  let at = row;
  while (content === 0) {
    if (typeOf(at) >= OFS_DELTA || length === chainRows) return 0;
    store<i32>(chain + (usize(length++) << 2), at);
    at = baseOf(at);
    if (at === NO_BASE) break;
    content = find(at);
  }
  if (content === 0) content = readWhole(load<i32>(chain + (usize(--length) << 2)));
  while (content !== 0 && length > 0) {
    content = applyStored(load<i32>(chain + (usize(--length) << 2)), content);
  }
  return content;
}

function readWhole(row: i32): usize {
  const size = sizeOf(row);
  if (!admits(size)) return 0;
  const content = reserve(u32(size));
  read(row, u32(size), content);
  keep(row, content);
  return account(row, u32(size)) ? content : 0;
}

function applyStored(row: i32, base: usize): usize {
  const size = sizeOf(row);
  if (size > scratchBytes) return 0;
  read(row, u32(size), scratch);
  return apply(row, base, scratch, u32(size));
}

function read(row: i32, size: u32, to: usize): void {
  const length = readStored(row, stored, storedBytes);
  if (length > 0) {
    const used = inflate(stored, stored + length, to, size);
    if (used !== FAULT && used !== NEEDS_INPUT) return;
  }
  readEntry(row, to);
}

/** Makes the content of `row` in the ring from its base there; 0 when it is too large, or on a fault. */
function apply(row: i32, base: usize, delta: usize, size: u32): usize {
  const baseSize = sizeAt(base);
  const end = delta + size;
  const instructions = parseDeltaHeader(delta, end);
  if (instructions === 0 || deltaBaseSize !== f64(baseSize)) return wrong(row, base, delta, size);
  // Who takes what is left over refuses it.
  if (max(deltaBaseSize, deltaResultSize) > deltaObjectBytes) return 0;
  if (!admits(deltaResultSize)) return 0;
  const resultSize = u32(deltaResultSize);
  const made = reserve(resultSize);
  const same = applyDelta(base, baseSize, instructions, end, made, resultSize);
  if (same === DELTA_FAULT) return wrong(row, base, delta, size);
  sameEnd = u32(same);
  sameBegin = instructions < end ? sameBeginOf(instructions) : 0;
  keep(row, made);
  return account(row, resultSize) ? made : 0;
}

function wrong(row: i32, base: usize, delta: usize, size: u32): usize {
  fault = WRONG_DELTA;
  faultRow = row;
  faultBase = base;
  faultBaseSize = sizeAt(base);
  faultDelta = delta;
  faultDeltaSize = size;
  return 0;
}

function account(row: i32, size: u32): bool {
  madeBytes += f64(size);
  if (madeBytes <= expandedLimit) return true;
  fault = OVER_LIMIT;
  faultRow = row;
  return false;
}
