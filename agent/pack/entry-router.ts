/**
 * Entries in; each one to who makes an object of it: this thread, or one of the pack threads once
 * they run. A delta goes where its base went, since that is where the base's content is; an entry
 * stored whole goes to the thread with the least to do. The scanner inflates right into the place
 * that it is given here.
 */
import type { ArrivalResolver } from './arrival-resolver.ts';
import type { EntryRingWriter } from './entry-ring.ts';
import { NO_BASE } from './entry-table.ts';
import { HEADROOM } from './object-hash.ts';

/** `owner` of what this thread made itself. */
const HERE = 0;

/** Who has so much waiting gets no new base. */
const ENOUGH_BYTES = 3 * 2 ** 20;

export class EntryRouter {
  /** Where the entry's content is to be put: `buffer` from `start` on. */
  buffer: Buffer;
  start = HEADROOM;
  readonly #scratch: Buffer;
  readonly #resolver: ArrivalResolver;
  /** Per row: HERE, or 1 + the thread. */
  readonly #owners: Uint8Array;
  #rings: readonly EntryRingWriter[] = [];
  #owner = HERE;

  /** @param largest of the entries that come here. */
  constructor(resolver: ArrivalResolver, rows: number, largest: number) {
    this.#resolver = resolver;
    this.#owners = new Uint8Array(rows);
    this.#scratch = Buffer.allocUnsafeSlow(HEADROOM + largest + 1);
    this.buffer = this.#scratch;
  }

  /** From now on new bases go to these threads. */
  useThreads(rings: readonly EntryRingWriter[]): void {
    this.#rings = rings;
  }

  /** Finds the place for the next entry; `base` is a row or negative. False: wait for `room`. */
  place(size: number, base: number): boolean {
    if (base >= 0) this.#owner = this.#owners[base]!;
    else this.#owner = base === NO_BASE ? this.#leastBusy() : HERE;
    const ring = this.#rings[this.#owner - 1];
    if (ring?.admits(size) !== true) {
      this.#owner = HERE;
      this.buffer = this.#scratch;
      this.start = HEADROOM;
      return true;
    }
    const start = ring.place(size);
    if (start === -1) return false;
    this.buffer = ring.bytes;
    this.start = start;
    return true;
  }

  /** Passes the entry on, its content in the place found last. Throws PackError. */
  send(row: number, isDelta: boolean, size: number): void {
    this.#owners[row] = this.#owner;
    const ring = this.#rings[this.#owner - 1];
    if (ring === undefined) {
      this.#resolver.take(row, isDelta, this.buffer, this.start, size);
    } else {
      ring.send(row, size, isDelta);
    }
  }

  /** The thread that `place` found to be full, for who waits for it. */
  get awaited(): EntryRingWriter | undefined {
    return this.#rings[this.#owner - 1];
  }

  /** Makes the threads look, after many entries. */
  wake(): void {
    for (const ring of this.#rings) ring.wake();
  }

  /** This thread has the stream to inflate: it helps when all others have enough to do. */
  #leastBusy(): number {
    let best = HERE;
    let least = ENOUGH_BYTES;
    for (let index = 0; index < this.#rings.length; index++) {
      const waiting = this.#rings[index]!.waitingBytes;
      if (waiting >= least) continue;
      least = waiting;
      best = index + 1;
    }
    return best;
  }
}
