/**
 * Buffers for object contents, lent and taken back, in classes of powers of two: delta resolution
 * needs a new one every few microseconds and the garbage collector frees large ones late.
 */
const SMALLEST_BITS = 12;
/**
 * Of larger ones two are kept, a base's and a result's: chains of deltas on large objects go from one
 * to the other and back, where the garbage collector would free each only after some more.
 */
const LARGEST_KEPT_BITS = 22;
const LARGE_KEPT = 2;
const KEPT_BYTES_PER_CLASS = 4 * 2 ** 20;

export class BufferPool {
  readonly #free: Buffer[][] = [];
  readonly #large: Buffer[] = [];

  /** A buffer of at least `bytes`; its content is anything. */
  take(bytes: number): Buffer {
    if (bytes > 2 ** LARGEST_KEPT_BITS) return this.#takeLarge(bytes);
    const bits = Math.max(SMALLEST_BITS, 32 - Math.clz32(bytes - 1));
    return this.#free[bits]?.pop() ?? Buffer.allocUnsafeSlow(2 ** bits);
  }

  /** Takes back what `take` gave; the caller forgets it. */
  give(buffer: Buffer): void {
    const bits = 31 - Math.clz32(buffer.length);
    if (buffer.length > 2 ** LARGEST_KEPT_BITS) {
      if (this.#large.length < LARGE_KEPT) this.#large.push(buffer);
      return;
    }
    if (buffer.length !== 2 ** bits) return;
    const free = (this.#free[bits] ??= []);
    if (free.length * buffer.length < KEPT_BYTES_PER_CLASS) free.push(buffer);
  }

  /** Rounded up, so that an object that grows a little fits again. */
  #takeLarge(bytes: number): Buffer {
    const index = this.#large.findIndex(({ length }) => length >= bytes);
    const [kept] = index === -1 ? [] : this.#large.splice(index, 1);
    if (kept !== undefined) return kept;
    // What is too small now will be so next time.
    this.#large.length = 0;
    const step = 2 ** LARGEST_KEPT_BITS;
    return Buffer.allocUnsafeSlow(Math.ceil(bytes / step) * step);
  }
}
