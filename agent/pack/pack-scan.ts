/**
 * A file that grows by a pack's bytes in; the entry table and the checked trailer out. What was
 * received is read into one window, which the scanner takes when it is full; between two windows the
 * event loop turns, so that the socket is read. Reading back what was just written costs a copy out
 * of the system's cache, and bounds the memory whatever the scanner is behind.
 */
import { createHash } from 'node:crypto';
import { readSync } from 'node:fs';
import { PackError } from '../errors.ts';
import { nextTurn } from '../lifetime.ts';
import { OID_BYTES } from './entry-header.ts';
import type { EntryScanner } from './entry-scanner.ts';
import type { PackReceiver } from './pack-receiver.ts';
import type { Turn } from './turns.ts';

export interface ScanHooks {
  /** Called when the scanner has stopped, to mend the reason. */
  readonly onStop: () => Promise<void>;
  /** Called after each window. */
  readonly onWindow: () => void;
  /** Called while the bytes for the next window are not there: true when there is more to do. */
  readonly onWait: () => boolean;
}

/**
 * So much is scanned without waiting for a full window: on a slow link there is time to begin an
 * entry anew with each piece, and little is left when the last one has come.
 */
const SOON_BYTES = 128 * 1024;

export class PackScan {
  readonly #fd: number;
  readonly #receiver: PackReceiver;
  readonly #scanner: EntryScanner;
  /** In the kernel's memory. */
  readonly #window: Buffer;
  /** The pack's own SHA-1: everything before the trailer. */
  readonly #hash = createHash('sha1');
  readonly #hooks: ScanHooks;
  readonly #turn: Turn | undefined;
  /** window[0, #filled) was read from the file and not taken yet. */
  #filled = 0;
  #readBytes = 0;
  #waiting: { readonly bytes: number; readonly resolve: () => void } | null = null;

  constructor(
    fd: number,
    receiver: PackReceiver,
    scanner: EntryScanner,
    window: Buffer,
    hooks: ScanHooks,
    turn?: Turn,
  ) {
    this.#turn = turn;
    this.#fd = fd;
    this.#receiver = receiver;
    this.#scanner = scanner;
    this.#window = window;
    this.#hooks = hooks;
  }

  /** Goes through the whole stream and checks its trailer. Returns the checksum in hex. Throws PackError. */
  async run(): Promise<string> {
    const receiver = this.#receiver;
    while (true) {
      const room = this.#window.length - this.#filled;
      await this.#untilThere(this.#readBytes + Math.min(room, SOON_BYTES));
      this.#read();
      const ended = receiver.ended && this.#readBytes === receiver.receivedBytes;
      await this.#scan();
      if (ended) return this.#checkTrailer();
      await nextTurn();
    }
  }

  /** And it is this pack's turn, which it keeps after the last window: what follows is all work. */
  async #untilThere(bytes: number): Promise<void> {
    while (!this.#receiver.has(bytes) && this.#hooks.onWait()) {
      await nextTurn();
      await this.#turn?.take();
    }
    if (!this.#receiver.has(bytes)) {
      this.#turn?.release();
      await this.#receiver.until(bytes);
    }
    await this.#turn?.take();
  }

  /**
   * Null while at most `bytes` of what was received were not read yet; else settles when that is so.
   * For one caller at a time.
   */
  until(bytes: number): Promise<void> | null {
    if (this.#receiver.receivedBytes - this.#readBytes <= bytes) return null;
    return new Promise((resolve) => {
      this.#waiting = { bytes, resolve };
    });
  }

  #read(): void {
    this.#receiver.flush();
    const { receivedBytes } = this.#receiver;
    while (this.#filled < this.#window.length && this.#readBytes < receivedBytes) {
      const room = Math.min(this.#window.length - this.#filled, receivedBytes - this.#readBytes);
      const got = readSync(this.#fd, this.#window, this.#filled, room, this.#readBytes);
      if (got === 0) throw new TypeError('the pack file became shorter while it was read');
      this.#filled += got;
      this.#readBytes += got;
    }
  }

  /** Scans what the window holds, and moves what is left to its front. */
  async #scan(): Promise<void> {
    const window = this.#window;
    const filled = this.#filled;
    // The last bytes so far may be the trailer, and are no entry in any case.
    const end = Math.max(0, filled - OID_BYTES);
    const full = filled === window.length;
    let taken = this.#scanner.scan(window, 0, end, full);
    while (this.#scanner.stopped !== 'no') {
      await this.#hooks.onStop();
      taken += this.#scanner.scan(window, taken, end, full && taken === 0);
    }
    this.#hash.update(window.subarray(0, taken));
    window.copyWithin(0, taken, filled);
    this.#filled = filled - taken;
    this.#refuseTrailingBytes();
    this.#hooks.onWindow();
    this.#wake();
  }

  #wake(): void {
    const waiting = this.#waiting;
    if (waiting === null) return;
    if (this.#receiver.receivedBytes - this.#readBytes > waiting.bytes) return;
    waiting.resolve();
    this.#waiting = null;
  }

  /** After the last entry nothing but the trailer may come. */
  #refuseTrailingBytes(): void {
    if (!this.#scanner.complete || this.#filled <= OID_BYTES) return;
    const offset = this.#scanner.table.endOffset + OID_BYTES;
    const message = `the pack ends at ${offset}, but more bytes follow`;
    throw new PackError('PACK_TRAILING_BYTES', message, { data: { offset } });
  }

  #checkTrailer(): string {
    const { table, totalObjects, complete } = this.#scanner;
    const offset = this.#readBytes;
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
}
