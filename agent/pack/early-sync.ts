/**
 * How much of the pack is in its file in; the same on the disk out: now and then while the link makes
 * us wait, so that little is left when the last byte has come. A disk that fails may say so only once,
 * to whoever asks first: `finish` throws it.
 */
import { fdatasync, fsync } from 'node:fs';
import { promisify } from 'node:util';

/** 0.4 s of a link of 20 MB/s. */
const EVERY_BYTES = 8 * 2 ** 20;

export class EarlySync {
  readonly #fd: number;
  #bytes = 0;
  #isUnderWay = false;
  #begun: Promise<unknown> = Promise.resolve();

  constructor(fd: number) {
    this.#fd = fd;
  }

  /** Begins when enough has come since it last began, and that has ended. */
  offer(bytes: number): void {
    if (this.#isUnderWay || bytes < this.#bytes + EVERY_BYTES) return;
    this.#bytes = bytes;
    this.#isUnderWay = true;
    const syncing = promisify(fdatasync)(this.#fd).finally(() => {
      this.#isUnderWay = false;
    });
    this.#begun = Promise.all([this.#begun, syncing]);
    this.#begun.catch(() => undefined);
  }

  /** All of the file, with what is known about it. Throws errno. */
  async finish(): Promise<void> {
    await this.#begun;
    await promisify(fsync)(this.#fd);
  }

  /** Settles, well or not, when nothing is under way: the file may be closed then. */
  async settled(): Promise<void> {
    await Promise.allSettled([this.#begun]);
  }
}
