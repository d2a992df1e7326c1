/**
 * The contents of the objects made last, by row: what the next deltas build on. One piece of memory
 * that is written round and round: the oldest contents are overwritten, nothing is allocated and
 * nothing freed. Git writes a base shortly before its deltas, so that 16 MiB hold nine of ten bases
 * that are asked for; one that is used again late moves to the front.
 */
import { HEADROOM } from './object-hash.ts';

/** Places are multiples of this, and kept divided by it. */
const UNIT = 16;
/** One content may take this part of the ring at most, so that base and result always fit together. */
const LARGEST_SHARE = 1 / 4;
/** Where counting begins anew, so that a place divided by UNIT stays below 2^32. */
const LAP_END = 2 ** 35;

export class ContentRing {
  /** Contents, each with HEADROOM bytes before it; the first four of these are its size. */
  readonly bytes: Buffer;
  readonly #capacity: number;
  /** Per row: where its content begins, counted without going round, divided by UNIT; 0 for none. */
  readonly #places: Uint32Array;
  /** Where the next content goes, counted without going round. */
  #head = 0;

  /** @param rows how many rows there can be. Memory is committed only where it is used. */
  constructor(bytes: number, rows: number) {
    this.#capacity = Math.ceil(bytes / (4 * UNIT)) * 4 * UNIT;
    this.bytes = Buffer.allocUnsafeSlow(this.#capacity);
    this.#places = new Uint32Array(rows);
  }

  /** Whether a content of `size` bytes may be put here. */
  admits(size: number): boolean {
    return HEADROOM + size < this.#capacity * LARGEST_SHARE;
  }

  /**
   * Makes room for an admitted content, `spare` bytes and one more behind it; returns where in
   * `bytes` it begins.
   */
  reserve(size: number, spare = 0): number {
    const length = (HEADROOM + size + spare + UNIT) & -UNIT;
    let index = this.#head % this.#capacity;
    if (index + length > this.#capacity) {
      this.#head += this.#capacity - index;
      index = 0;
    }
    this.#head += length;
    this.bytes.writeUInt32LE(size, index);
    return index + HEADROOM;
  }

  /** Remembers that the content at `start` (from the last `reserve`) is that of `row`. */
  keep(row: number, start: number): void {
    const lap = Math.floor((this.#head - 1) / this.#capacity) * this.#capacity;
    this.#places[row] = (lap + start) / UNIT;
  }

  /** Where in `bytes` the row's content begins, or -1. It outlives one `reserve`, its size does not. */
  find(row: number): number {
    if (this.#head > LAP_END) this.clear();
    const place = this.#places[row]! * UNIT;
    const age = this.#head - place;
    if (place === 0 || age > this.#capacity - HEADROOM) return -1;
    const start = place % this.#capacity;
    if (age <= this.#capacity / 2) return start;
    const size = this.sizeAt(start);
    const moved = this.reserve(size);
    this.bytes.copyWithin(moved, start, start + size);
    this.keep(row, moved);
    return moved;
  }

  /** Size of the content that begins at `start`. */
  sizeAt(start: number): number {
    return this.bytes.readUInt32LE(start - HEADROOM);
  }

  clear(): void {
    this.#places.fill(0);
    this.#head = 0;
  }
}
