/**
 * A queue of pack entries from the thread that inflates them to one that makes objects of them, on
 * shared memory: the first inflates right into it and the second works on the bytes where they are,
 * so that nothing is copied. One writer, one reader. An entry is 16 bytes (row, size, whether it is
 * a delta), HEADROOM, the content and a byte for one too many; a mark in place of a row says that
 * the queue goes on at the front, that a message waits, or that it ends.
 */
import { asBuffer } from './entry-table.ts';
import { HEADROOM } from './object-hash.ts';

/** Places are counted in these, without going round, modulo 2^32. */
const UNIT = 64;
const FIELDS_BYTES = 16;

const MARK = { front: -1, message: -2, end: -3 } as const;

/** Cells of `control`. */
const HEAD = 0;
const TAIL = 1;
/** 1 while the reader sleeps on HEAD, or the writer on TAIL. */
const READER_SLEEPS = 2;
const WRITER_SLEEPS = 3;
const CELLS = 4;

/** Shared by both sides. */
export interface EntryRingMemory {
  readonly control: Int32Array;
  readonly bytes: Buffer;
}

/** @param bytes a power of two. */
export function createEntryRing(bytes: number): EntryRingMemory {
  return {
    control: new Int32Array(new SharedArrayBuffer(CELLS * 4)),
    bytes: Buffer.from(new SharedArrayBuffer(bytes)),
  };
}

function unitsFor(size: number): number {
  return Math.ceil((FIELDS_BYTES + HEADROOM + size + 1) / UNIT);
}

export class EntryRingWriter {
  readonly bytes: Buffer;
  readonly #control: Int32Array;
  readonly #units: number;
  #head = 0;

  constructor({ control, bytes }: EntryRingMemory) {
    this.#control = control;
    this.bytes = bytes;
    this.#units = bytes.length / UNIT;
  }

  /** Whether an entry of `size` bytes can ever pass. */
  admits(size: number): boolean {
    return unitsFor(size) <= this.#units / 4;
  }

  /** Bytes that wait for the reader, about. */
  get waitingBytes(): number {
    return ((this.#head - Atomics.load(this.#control, TAIL)) | 0) * UNIT;
  }

  /** Where in `bytes` the content of an entry may be put, or -1: no room, wait. */
  place(size: number): number {
    const units = unitsFor(size);
    const tail = Atomics.load(this.#control, TAIL);
    let at = this.#head & (this.#units - 1);
    const skipped = at + units > this.#units ? this.#units - at : 0;
    if (((this.#head - tail) | 0) + skipped + units > this.#units) return -1;
    if (skipped > 0) {
      this.#mark(MARK.front, skipped);
      at = 0;
    }
    return at * UNIT + FIELDS_BYTES + HEADROOM;
  }

  /** Sends the entry whose content was put at the place that `place` gave. */
  send(row: number, size: number, isDelta: boolean): void {
    const at = (this.#head & (this.#units - 1)) * UNIT;
    this.bytes.writeInt32LE(row, at);
    this.bytes.writeUInt32LE(size, at + 4);
    this.bytes.writeUInt32LE(isDelta ? 1 : 0, at + 8);
    this.#advance(unitsFor(size));
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

  get isDrained(): boolean {
    return Atomics.load(this.#control, TAIL) === this.#head;
  }

  #sendMark(mark: number): boolean {
    if (((this.#head - Atomics.load(this.#control, TAIL)) | 0) >= this.#units) return false;
    this.#mark(mark, 1);
    this.wake();
    return true;
  }

  #mark(mark: number, units: number): void {
    this.bytes.writeInt32LE(mark, (this.#head & (this.#units - 1)) * UNIT);
    this.#advance(units);
  }

  #advance(units: number): void {
    this.#head = (this.#head + units) | 0;
    Atomics.store(this.#control, HEAD, this.#head);
  }
}

export class EntryRingReader {
  readonly bytes: Buffer;
  readonly #control: Int32Array;
  readonly #units: number;
  #tail = 0;
  row = 0;
  size = 0;
  isDelta = false;
  /** Where in `bytes` the content begins. */
  start = 0;

  constructor({ control, bytes }: EntryRingMemory) {
    this.#control = control;
    this.bytes = asBuffer(bytes);
    this.#units = bytes.length / UNIT;
  }

  /** Blocks for what comes next. An entry stays valid until `release`. */
  next(): 'entry' | 'message' | 'end' {
    while (true) {
      if (Atomics.load(this.#control, HEAD) === this.#tail) this.#sleep();
      const at = this.#tail & (this.#units - 1);
      this.row = this.bytes.readInt32LE(at * UNIT);
      if (this.row === MARK.end) return 'end';
      if (this.row === MARK.message) return 'message';
      if (this.row === MARK.front) {
        this.#advance(this.#units - at);
        continue;
      }
      this.size = this.bytes.readUInt32LE(at * UNIT + 4);
      this.isDelta = this.bytes.readUInt32LE(at * UNIT + 8) === 1;
      this.start = at * UNIT + FIELDS_BYTES + HEADROOM;
      return 'entry';
    }
  }

  /** Gives the place of the current entry or message back to the writer. */
  release(): void {
    this.#advance(this.row === MARK.message ? 1 : unitsFor(this.size));
    if (Atomics.load(this.#control, WRITER_SLEEPS) === 0) return;
    // The writer is not woken for every small entry.
    const waiting = (Atomics.load(this.#control, HEAD) - this.#tail) | 0;
    if (waiting <= this.#units / 2) Atomics.notify(this.#control, TAIL);
  }

  #sleep(): void {
    Atomics.store(this.#control, READER_SLEEPS, 1);
    while (Atomics.load(this.#control, HEAD) === this.#tail) {
      Atomics.wait(this.#control, HEAD, this.#tail);
    }
    Atomics.store(this.#control, READER_SLEEPS, 0);
  }

  #advance(units: number): void {
    this.#tail = (this.#tail + units) | 0;
    Atomics.store(this.#control, TAIL, this.#tail);
  }
}
