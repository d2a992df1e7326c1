/**
 * Buffers for object contents, lent and taken back, in classes of powers of two: delta resolution
 * needs a new one every few microseconds and the garbage collector frees large ones late.
 */
const SMALLEST_BITS = 12;
/** Larger ones are not kept: they are rare, and keeping them would hold memory. */
const LARGEST_KEPT_BITS = 22;
const KEPT_BYTES_PER_CLASS = 4 * 2 ** 20;

export class BufferPool {
  readonly #free: Buffer[][] = [];

  /** A buffer of at least `bytes`; its content is anything. */
  take(bytes: number): Buffer {
    if (bytes > 2 ** LARGEST_KEPT_BITS) return Buffer.allocUnsafeSlow(bytes);
    const bits = Math.max(SMALLEST_BITS, 32 - Math.clz32(bytes - 1));
    return this.#free[bits]?.pop() ?? Buffer.allocUnsafeSlow(2 ** bits);
  }

  /** Takes back what `take` gave; the caller forgets it. */
  give(buffer: Buffer): void {
    const bits = 31 - Math.clz32(buffer.length);
    if (bits > LARGEST_KEPT_BITS || buffer.length !== 2 ** bits) return;
    const free = (this.#free[bits] ??= []);
    if (free.length * buffer.length < KEPT_BYTES_PER_CLASS) free.push(buffer);
  }
}
