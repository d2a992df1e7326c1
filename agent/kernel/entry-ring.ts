/**
 * A queue of pack entries from the thread that inflates them to one that makes objects of them: the
 * first inflates right into it and the second works on the bytes where they are, so that nothing is
 * copied, but a base that changes its owner (owners.ts). One writer, one reader. An entry is 16 bytes (row, size, kind, cost), HEADROOM, the content and
 * SLACK; a mark in place of a row says that the queue goes on at the front, that a message waits, or
 * that it ends. Marks are written, and waits of the writer done, by agent/pack/entry-ring.ts.
 */
import { HEADROOM, SLACK } from './content-ring';

/** Places are counted in these, without going round, modulo 2^32. */
const UNIT: u32 = 64;
const FIELDS_BYTES: u32 = 16;

export const FRONT: i32 = -1;
export const MESSAGE: i32 = -2;
export const END: i32 = -3;

/** Cells of `control`, 4 bytes each. */
const HEAD: usize = 0;
const TAIL: usize = 4;
/** 1 while the reader sleeps on HEAD, or the writer on TAIL. */
const READER_SLEEPS: usize = 8;
const WRITER_SLEEPS: usize = 12;
/** What was sent, and given back, by its cost, modulo 2^32. */
const SENT: usize = 16;
const TAKEN: usize = 20;

/** What an entry is to its reader: stored whole, a delta, or an object that is made already. */
export const WHOLE: u32 = 0;
export const DELTA: u32 = 1;
export const MADE: u32 = 2;

/** Cost is counted in KiB of the objects to be made. */
const COST_SHIFT: u64 = 10;
/** What an entry costs beside: a file of 200 bytes takes 8 µs. */
const ENTRY_COST: u32 = 2;
/** So that a full queue stays below 2^32. */
const LARGEST_COST: u64 = 1 << 16;
/** A reader that sleeps is woken each time that so much more has been sent. */
const WAKE_SHIFT: u32 = 7;

function unitsFor(size: u32): u32 {
  return (FIELDS_BYTES + HEADROOM + size + SLACK + UNIT - 1) / UNIT;
}

/** Whether an entry of `size` bytes can ever pass a ring of `units`. */
export function passes(size: u32, units: u32): bool {
  return unitsFor(size) <= units >> 2;
}

/** What waits for the reader: KiB, and for each entry ENTRY_COST. */
export function waitingCost(control: usize): u32 {
  return load<u32>(control, SENT) - atomic.load<u32>(control, TAKEN);
}

/** Where the content of an entry may be put, or 0: no room, wait. */
export function placeIn(control: usize, bytes: usize, units: u32, size: u32): usize {
  const needed = unitsFor(size);
  const head = load<u32>(control + HEAD);
  let at = head & (units - 1);
  const skipped = at + needed > units ? units - at : 0;
  if (head - atomic.load<u32>(control + TAIL) + skipped + needed > units) return 0;
  if (skipped > 0) {
    store<i32>(bytes + at * UNIT, FRONT);
    atomic.store<u32>(control + HEAD, head + skipped);
    at = 0;
  }
  return bytes + at * UNIT + FIELDS_BYTES + HEADROOM;
}

/**
 * Sends the entry whose content is at the place that `placeIn` gave last.
 * @param made bytes of the object that the reader has to make of it.
 */
export function send(
  control: usize,
  bytes: usize,
  units: u32,
  row: i32,
  size: u32,
  kind: u32,
  made: u64,
): void {
  const head = load<u32>(control + HEAD);
  const at = bytes + (head & (units - 1)) * UNIT;
  store<i32>(at, row);
  store<u32>(at, size, 4);
  store<u32>(at, kind, 8);
  const cost = ENTRY_COST + u32(min(made >> COST_SHIFT, LARGEST_COST));
  store<u32>(at, cost, 12);
  const before = load<u32>(control, SENT);
  const sent = before + cost;
  store<u32>(control, sent, SENT);
  atomic.store<u32>(control + HEAD, head + unitsFor(size));
  const isMore = before >> WAKE_SHIFT !== sent >> WAKE_SHIFT;
  if (isMore && atomic.load<u32>(control, READER_SLEEPS) === 1) atomic.notify(control + HEAD, 1);
}

/** What `next` found. */
export let sentRow: i32 = 0;
export let sentSize: u32 = 0;
export let sentKind: u32 = 0;
export let sentContent: usize = 0;
let sentCost: u32 = 0;

/** Blocks for what comes next: its row, MESSAGE or END. It stays valid until `release`. */
export function next(control: usize, bytes: usize, units: u32): i32 {
  while (true) {
    const tail = load<u32>(control + TAIL);
    if (atomic.load<u32>(control + HEAD) === tail) sleep(control, tail);
    const index = tail & (units - 1);
    const at = bytes + index * UNIT;
    const row = load<i32>(at);
    if (row === FRONT) {
      atomic.store<u32>(control + TAIL, tail + (units - index));
      continue;
    }
    sentRow = row;
    if (row < 0) return row;
    sentSize = load<u32>(at, 4);
    sentKind = load<u32>(at, 8);
    sentCost = load<u32>(at, 12);
    sentContent = at + FIELDS_BYTES + HEADROOM;
    return row;
  }
}

/** Gives the place of the current entry or message back to the writer. */
export function release(control: usize, units: u32): void {
  const isMessage = sentRow === MESSAGE;
  if (!isMessage) atomic.store<u32>(control, load<u32>(control, TAKEN) + sentCost, TAKEN);
  const tail = load<u32>(control + TAIL) + (isMessage ? 1 : unitsFor(sentSize));
  atomic.store<u32>(control + TAIL, tail);
  if (atomic.load<u32>(control + WRITER_SLEEPS) === 0) return;
  // The writer is not woken for every small entry.
  if (atomic.load<u32>(control + HEAD) - tail <= units >> 1) atomic.notify(control + TAIL, 1);
}

function sleep(control: usize, tail: u32): void {
  atomic.store<u32>(control + READER_SLEEPS, 1);
  while (atomic.load<u32>(control + HEAD) === tail) {
    atomic.wait<i32>(control + HEAD, i32(tail), -1);
  }
  atomic.store<u32>(control + READER_SLEEPS, 0);
}
