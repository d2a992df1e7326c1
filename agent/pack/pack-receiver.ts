/**
 * The pack stream in; the same bytes in a file, the entry table and the checked trailer out.
 * Chunks collect in one window; when it is full it goes to the file and then to the scanner, and the
 * next chunk is asked for when both are done: the disk and the processor pause the socket. The file
 * comes first, so that whoever needs an entry a second time finds it there.
 */
import { createHash } from 'node:crypto';
import type { FileHandle } from 'node:fs/promises';
import { PackError } from '../errors.ts';
import { OID_BYTES } from './entry-header.ts';
import type { EntryScanner } from './entry-scanner.ts';
import type { PackLimits } from './limits.ts';

export class PackReceiver {
  readonly #file: FileHandle;
  readonly #scanner: EntryScanner;
  readonly #limits: PackLimits;
  readonly #window: Buffer;
  /** The pack's own SHA-1: everything before the trailer. */
  readonly #hash = createHash('sha1');
  /** Called when the scanner has stopped, to mend the reason. */
  readonly #onStop: () => Promise<void>;
  /** window[0, #written) is on disk already, window[0, #filled) is there. */
  #written = 0;
  #filled = 0;
  /** Bytes of the stream so far. */
  receivedBytes = 0;

  constructor(
    file: FileHandle,
    scanner: EntryScanner,
    limits: PackLimits,
    windowBytes: number,
    onStop: () => Promise<void>,
  ) {
    this.#onStop = onStop;
    this.#file = file;
    this.#scanner = scanner;
    this.#limits = limits;
    this.#window = Buffer.allocUnsafeSlow(windowBytes);
  }

  /** Takes the next piece of the stream, which the caller may reuse afterwards. Throws PackError. */
  async take(chunk: Uint8Array): Promise<void> {
    this.receivedBytes += chunk.length;
    if (this.receivedBytes > this.#limits.packBytes) {
      const limit = this.#limits.packBytes;
      throw new PackError('PACK_LIMIT', `the pack is larger than ${limit} bytes`, {
        data: { limit },
      });
    }
    let position = 0;
    while (position < chunk.length) {
      const length = Math.min(chunk.length - position, this.#window.length - this.#filled);
      this.#window.set(chunk.subarray(position, position + length), this.#filled);
      this.#filled += length;
      position += length;
      if (this.#filled === this.#window.length) await this.#turn();
    }
  }

  /** The stream has ended: takes the rest and checks the trailer. Returns the checksum in hex. */
  async end(): Promise<string> {
    await this.#turn();
    const { table, totalObjects, complete } = this.#scanner;
    const offset = this.receivedBytes;
    if (!complete) {
      const expected = totalObjects === -1 ? 'a pack header' : `${totalObjects} objects`;
      const message = `expected ${expected}, the pack ended at ${offset} after ${table.count} objects`;
      throw new PackError('PACK_TRUNCATED', message, { data: { offset } });
    }
    if (this.#filled < OID_BYTES) {
      const message = `expected ${OID_BYTES} bytes of checksum, the pack ended after ${this.#filled}`;
      throw new PackError('PACK_TRUNCATED', message, { data: { offset } });
    }
    const expected = this.#hash.digest('hex');
    const got = this.#window.toString('hex', 0, OID_BYTES);
    if (got !== expected) {
      const message = `the pack's checksum is ${expected}, its trailer says ${got}`;
      throw new PackError('PACK_CHECKSUM', message, { data: { offset: table.endOffset } });
    }
    return got;
  }

  /** Writes and scans what the window holds, and moves what is left to its front. */
  async #turn(): Promise<void> {
    const window = this.#window;
    const filled = this.#filled;
    await this.#write(this.#written, filled);
    // The last bytes so far may be the trailer, and are no entry in any case.
    const end = Math.max(0, filled - OID_BYTES);
    const full = filled === window.length;
    let taken = this.#scanner.scan(window, 0, end, full);
    while (this.#scanner.stopped !== 'no') {
      await this.#onStop();
      taken += this.#scanner.scan(window, taken, end, full && taken === 0);
    }
    this.#hash.update(window.subarray(0, taken));
    window.copyWithin(0, taken, filled);
    this.#filled = this.#written = filled - taken;
    this.#refuseTrailingBytes();
  }

  /** After the last entry nothing but the trailer may come. */
  #refuseTrailingBytes(): void {
    if (!this.#scanner.complete || this.#filled <= OID_BYTES) return;
    const offset = this.#scanner.table.endOffset + OID_BYTES;
    throw new PackError(
      'PACK_TRAILING_BYTES',
      `the pack ends at ${offset}, but more bytes follow`,
      {
        data: { offset },
      },
    );
  }

  async #write(start: number, end: number): Promise<void> {
    let position = start;
    while (position < end) {
      const { bytesWritten } = await this.#file.write(this.#window, position, end - position);
      position += bytesWritten;
    }
  }
}
