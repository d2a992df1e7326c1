/**
 * Entries in as they are found; out, who makes objects of them: this thread, which has the stream to
 * inflate, or a pack thread, by its queue. A delta goes where its base went, since that is where the
 * base's content is; a base that was made here goes with it to a thread that has little to do.
 */
import { find, sizeAt } from './content-ring';
import { deltaResultSize, parseDeltaHeader } from './delta';
import { DELTA, MADE, WHOLE, passes, placeIn, send, waitingCost } from './entry-ring';

/** What this thread makes itself; other owners are 1 + the thread. */
export const HERE: i32 = 0;

/** In what `waitingCost` counts, KiB: who has so much waiting gets no new base. It is left for one thread alone at the end, too. */
const ENOUGH: u32 = 4 << 10;
/** Who has less gets work from here: half a millisecond of it. */
const LITTLE: u32 = 512;
/** Bytes of a queue in `rings`: where its control and its bytes are, and its units. */
const RING_BYTES: usize = 16;

/** Per row: its owner. */
let owners: usize = 0;
let rings: usize = 0;
let ringCount: i32 = 0;

export function setOwners(ownersAt: usize): void {
  owners = ownersAt;
}

export function setOwner(row: i32, owner: i32): void {
  store<u8>(owners + usize(row), owner);
}

/** From now on entries go to these queues, RING_BYTES each. */
export function useQueues(ringsAt: usize, queues: i32): void {
  rings = ringsAt;
  ringCount = queues;
}

/** Who makes an entry that builds on no other. */
export function ownerOfNew(): i32 {
  return leastBusy(ENOUGH);
}

/** Who makes a delta. Sends the base before it where its owner changes. */
export function ownerOfDelta(base: i32): i32 {
  const owner: i32 = load<u8>(owners + usize(base));
  if (owner !== HERE) return owner;
  const reader = leastBusy(LITTLE);
  return reader !== HERE && give(base, reader) ? reader : HERE;
}

/** Gives an object that was made here to a thread; false where it cannot be had, or does not pass. */
function give(row: i32, reader: i32): bool {
  const content = find(row);
  if (content === 0) return false;
  const size = sizeAt(content);
  const place = passesTo(reader, size) ? placeFor(reader, size) : 0;
  if (place === 0) return false;
  memory.copy(place, content, size);
  const ring = ringOf(reader);
  send(load<u32>(ring), load<u32>(ring, 4), load<u32>(ring, 8), row, size, MADE, 0);
  setOwner(row, reader);
  return true;
}

/** The one with the least to do, of those that have less than `enough`; HERE: all have. */
function leastBusy(enough: u32): i32 {
  let best = HERE;
  let least = enough;
  for (let index: i32 = 0; index < ringCount; index++) {
    const waiting = waitingCost(load<u32>(ringOf(index + 1)));
    if (waiting >= least) continue;
    least = waiting;
    best = index + 1;
  }
  return best;
}

/** Whether an entry of `size` bytes can ever pass the thread's queue. */
export function passesTo(reader: i32, size: u32): bool {
  return passes(size, load<u32>(ringOf(reader), 8));
}

/** Where its content may be put, or 0: no room, wait. */
export function placeFor(reader: i32, size: u32): usize {
  const ring = ringOf(reader);
  return placeIn(load<u32>(ring), load<u32>(ring, 4), load<u32>(ring, 8), size);
}

/** Sends the entry whose content, of `size` bytes, is at the `place` that was given for it. */
export function sendTo(reader: i32, row: i32, isDelta: bool, place: usize, size: u32): void {
  const ring = ringOf(reader);
  const kind = isDelta ? DELTA : WHOLE;
  const made = isDelta ? resultSizeOf(place, size) : size;
  send(load<u32>(ring), load<u32>(ring, 4), load<u32>(ring, 8), row, size, kind, made);
}

function resultSizeOf(delta: usize, size: u32): u64 {
  return parseDeltaHeader(delta, delta + size) === 0 ? 0 : u64(deltaResultSize);
}

function ringOf(reader: i32): usize {
  return rings + usize(reader - 1) * RING_BYTES;
}
