/**
 * The pack stream in, the same bytes in a file out, as fast as they come: who reads the file (pack-scan.ts)
 * may be behind. A processor that is busy with many small objects then does not make the link wait.
 * Small pieces are put together first; nobody counts on bytes that are not in the file.
 */
import { writeSync } from 'node:fs';
import { PackError } from '../errors.ts';
import type { PackLimits } from './limits.ts';

/** Written at once: into the system's cache, 0.1 ms; a trip through libuv's pool takes longer. */
const PIECE_BYTES = 256 * 1024;

export class PackReceiver {
  readonly #fd: number;
  readonly #limits: PackLimits;
  readonly #piece = Buffer.allocUnsafeSlow(PIECE_BYTES);
  #filled = 0;
  #ended = false;
  #waiting: { readonly bytes: number; readonly resolve: () => void } | null = null;
  /** Bytes of the stream so far. */
  receivedBytes = 0;

  constructor(fd: number, limits: PackLimits) {
    this.#fd = fd;
    this.#limits = limits;
  }

  /** No more bytes will come. */
  get ended(): boolean {
    return this.#ended;
  }

  /** As a PackSink. Throws PackError, errno. */
  take(chunk: Uint8Array): void {
    const limit = this.#limits.packBytes;
    if (this.receivedBytes + chunk.length > limit) {
      throw new PackError('PACK_LIMIT', `the pack is larger than ${limit} bytes`, {
        data: { limit },
      });
    }
    this.receivedBytes += chunk.length;
    for (let position = 0; position < chunk.length;) {
      const length = Math.min(chunk.length - position, PIECE_BYTES - this.#filled);
      this.#piece.set(chunk.subarray(position, position + length), this.#filled);
      this.#filled += length;
      position += length;
      if (this.#filled === PIECE_BYTES) this.flush();
    }
    if (this.#waiting !== null && this.receivedBytes >= this.#waiting.bytes) this.#wake();
  }

  /** Now all bytes received are in the file. Throws errno. */
  flush(): void {
    for (let position = 0; position < this.#filled;) {
      position += writeSync(this.#fd, this.#piece, position, this.#filled - position);
    }
    this.#filled = 0;
  }

  /** The stream has ended, well or not. */
  end(): void {
    this.#ended = true;
    this.#wake();
  }

  /** Whether so many bytes are there, or no more will come. */
  has(bytes: number): boolean {
    return this.receivedBytes >= bytes || this.#ended;
  }

  /** Settles when it has them. For one caller at a time. */
  async until(bytes: number): Promise<void> {
    if (this.has(bytes)) return;
    await new Promise<void>((resolve) => {
      this.#waiting = { bytes, resolve };
    });
  }

  #wake(): void {
    this.#waiting?.resolve();
    this.#waiting = null;
  }
}
