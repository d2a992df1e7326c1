/**
 * The writer's side of agent/kernel/entry-ring.ts, a queue of pack entries to a pack thread: what is
 * rare, marks and waits. Entries are sent by the kernel; both sides are one thread, so that the
 * counters in shared memory are all that there is to know.
 */
import type { PackMemory } from './pack-memory.ts';

/** Places are counted in these, without going round, modulo 2^32. */
const UNIT = 64;

const MARK = { message: -2, end: -3 } as const;

/** Cells of `control`. */
const HEAD = 0;
const TAIL = 1;
/** 1 while the reader sleeps on HEAD, or the writer on TAIL. */
const READER_SLEEPS = 2;
const WRITER_SLEEPS = 3;
/** The cost of all entries that were sent, and of those that were given back. */
const SENT = 4;
const TAKEN = 5;
const CELLS = 6;

/** A queue's in the kernel's list: its addresses, and a word that is free. */
const LISTED_WORDS = 4;

/** Shared by both sides, in the kernel's memory. */
export interface EntryRingMemory {
  readonly control: Int32Array;
  readonly bytes: Buffer;
}

/** @param bytes a power of two. */
export function createEntryRing(memory: PackMemory, bytes: number): EntryRingMemory {
  const { buffer, byteOffset } = memory.take(CELLS * 4);
  return { control: new Int32Array(buffer, byteOffset, CELLS), bytes: memory.take(bytes) };
}

/** What the kernel is told about a queue: the addresses of both, and its units. */
export function addressesOf({ control, bytes }: EntryRingMemory): [number, number, number] {
  return [control.byteOffset, bytes.byteOffset, bytes.length / UNIT];
}

/** The address of a list of queues, as the kernel's scanner reads it. */
export function listOfRings(memory: PackMemory, queues: readonly EntryRingMemory[]): number {
  const { buffer, byteOffset } = memory.take(queues.length * LISTED_WORDS * 4);
  const words = new Uint32Array(buffer, byteOffset, queues.length * LISTED_WORDS);
  for (const [index, queue] of queues.entries())
    words.set(addressesOf(queue), index * LISTED_WORDS);
  return byteOffset;
}

export class EntryRingWriter {
  readonly #bytes: Buffer;
  readonly #control: Int32Array;
  readonly #units: number;

  constructor({ control, bytes }: EntryRingMemory) {
    this.#control = control;
    this.#bytes = bytes;
    this.#units = bytes.length / UNIT;
  }

  /** Says that the thread is to look for a message. False: no room, wait. */
  sendMessageMark(): boolean {
    return this.#sendMark(MARK.message);
  }

  /** Says that no entry follows. False: no room, wait. */
  sendEnd(): boolean {
    return this.#sendMark(MARK.end);
  }

  /** Makes sure that the reader sees what was sent: once for many entries. */
  wake(): void {
    if (Atomics.load(this.#control, READER_SLEEPS) === 1) Atomics.notify(this.#control, HEAD);
  }

  /** Settles when the reader has come on, at the latest after `timeoutMs`: then look again. */
  async progress(timeoutMs: number): Promise<void> {
    this.wake();
    const tail = Atomics.load(this.#control, TAIL);
    if (tail === this.#head) return;
    Atomics.store(this.#control, WRITER_SLEEPS, 1);
    const { value } = Atomics.waitAsync(this.#control, TAIL, tail, timeoutMs);
    await value;
    Atomics.store(this.#control, WRITER_SLEEPS, 0);
  }

  /** All entries were taken; a message may wait, for a thread that is not up yet. */
  get isDrained(): boolean {
    return Atomics.load(this.#control, TAKEN) === Atomics.load(this.#control, SENT);
  }

  get #head(): number {
    return Atomics.load(this.#control, HEAD);
  }

  #sendMark(mark: number): boolean {
    const head = this.#head;
    if (((head - Atomics.load(this.#control, TAIL)) | 0) >= this.#units) return false;
    this.#bytes.writeInt32LE(mark, (head & (this.#units - 1)) * UNIT);
    Atomics.store(this.#control, HEAD, (head + 1) | 0);
    this.wake();
    return true;
  }
}
