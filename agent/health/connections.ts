/**
 * The open connections of one listener, at most `limit`. A new one over the limit takes the place
 * of the one that has been quiet longest: slow clients can fill the places, but never keep a probe out.
 */
import type { Socket } from 'node:net';

export class Connections {
  readonly #limit: number;
  /** Quiet longest first: a Set keeps the order of insertion. */
  readonly #open = new Set<Socket>();

  constructor(limit: number) {
    this.#limit = limit;
  }

  get size(): number {
    return this.#open.size;
  }

  admit(socket: Socket): void {
    for (const quietest of this.#open) {
      if (this.#open.size < this.#limit) break;
      this.#open.delete(quietest);
      quietest.destroy();
    }
    this.#open.add(socket);
    socket.once('close', () => this.#open.delete(socket));
  }

  /** A whole request arrived: this client is none of the slow ones. */
  refresh(socket: Socket): void {
    if (this.#open.delete(socket)) this.#open.add(socket);
  }

  destroyAll(): void {
    for (const socket of this.#open) socket.destroy();
  }
}
