/**
 * Standard error when it is a pipe. Node writes to pipes as to files, and waits: a reader that stops
 * reading would stop the daemon, its probes and its clones with the 64 kB of the pipe. Here lines go
 * out as far as there is room, wait in a bounded queue, and are counted when even that is full. The
 * pipe is opened anew (proc(5), /proc/PID/fd), so that the command, which has it too, keeps its own
 * blocking writes.
 */
import { closeSync, constants, fstatSync, openSync, writeSync } from 'node:fs';
import { errnoOf } from './errors.ts';
import type { Output } from './host.ts';

const QUEUE_LIMIT_BYTES = 256 * 1024;
const RETRY_MS = 50;
const LAST_WORDS_MS = 250;

export class LogPipe implements Output {
  readonly #fd: number;
  #queue: Buffer[] = [];
  #queuedBytes = 0;
  #lost = 0;
  #isClosed = false;
  #timer: NodeJS.Timeout | null = null;

  private constructor(fd: number) {
    this.#fd = fd;
  }

  /** @returns null for whatever else it is: a terminal, a file, a socket, a pipe of somebody else. */
  static open(fd: number): LogPipe | null {
    let own: number;
    try {
      if (!fstatSync(fd).isFIFO()) return null;
      own = openSync(`/proc/self/fd/${fd}`, constants.O_WRONLY | constants.O_NONBLOCK);
    } catch (error) {
      // Closed, without a reader, not ours, or no /proc.
      if (errnoOf(error) === undefined) throw error;
      return null;
    }
    return new LogPipe(own);
  }

  write(text: string): void {
    if (this.#isClosed) return;
    const line = Buffer.from(text);
    if (this.#queuedBytes + line.length > QUEUE_LIMIT_BYTES) {
      this.#lost += 1;
      return;
    }
    this.#push(line);
    this.#drain();
  }

  /** The last words, as far as somebody reads them within a quarter of a second. */
  end(): void {
    const deadline = performance.now() + LAST_WORDS_MS;
    const clock = new Int32Array(new SharedArrayBuffer(4));
    this.#drain();
    while (this.#queue.length > 0 && performance.now() < deadline) {
      Atomics.wait(clock, 0, 0, 10);
      this.#drain();
    }
    this.#close();
  }

  #push(line: Buffer): void {
    this.#queue.push(line);
    this.#queuedBytes += line.length;
  }

  #drain(): void {
    let head = this.#queue[0];
    while (head !== undefined) {
      const written = this.#writeSome(head);
      if (written === 0) break;
      this.#queuedBytes -= written;
      if (written < head.length) this.#queue[0] = head.subarray(written);
      else this.#queue.shift();
      if (this.#queue.length === 0) this.#tellLoss();
      head = this.#queue[0];
    }
    if (this.#queue.length > 0) this.#tryLater();
  }

  /** @returns how much of it the pipe took. */
  #writeSome(line: Buffer): number {
    try {
      return writeSync(this.#fd, line);
    } catch (error) {
      const errno = errnoOf(error);
      if (errno === 'EAGAIN') return 0;
      if (errno !== 'EPIPE') throw error;
      // Nobody will ever read again, and nobody can be told.
      this.#close();
      return 0;
    }
  }

  #tellLoss(): void {
    if (this.#lost === 0) return;
    const record = { level: 'warn', time: new Date().toISOString(), lines: this.#lost };
    this.#lost = 0;
    const msg = 'lines of the log were lost: nobody read it';
    this.#push(Buffer.from(`${JSON.stringify({ ...record, msg })}\n`));
  }

  #tryLater(): void {
    this.#timer ??= setTimeout(() => {
      this.#timer = null;
      this.#drain();
    }, RETRY_MS).unref();
  }

  #close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#queue = [];
    this.#queuedBytes = 0;
    if (this.#timer !== null) clearTimeout(this.#timer);
    closeSync(this.#fd);
  }
}
