/**
 * inotify's queue of events, one for all watches of this process. What does not fit is dropped by the
 * system, and libuv passes over the event that says so; but whatever was in a full queue arrives
 * within one turn of the event loop. So the events of each turn are counted, and after one that may
 * have emptied a full queue all who watch are told that they may have missed something.
 */
import { readFileSync } from 'node:fs';
import { errnoOf } from '../errors.ts';

/** Of events that were queued, those of a watch that was given back in the meantime are not counted. */
const SUSPICIOUS_SHARE = 0.5;
const USUAL_LIMIT = 16_384;

interface Closeable {
  close(): void;
}

export class EventQueue {
  readonly #suspicious: number;
  readonly #listeners = new Set<() => void>();
  #closing: Closeable[] = [];
  #seen = 0;

  /** @param limit how many events it holds. */
  constructor(limit: number) {
    this.#suspicious = limit * SUSPICIOUS_SHARE;
  }

  /** @param onLost events may have been dropped. */
  join(onLost: () => void): Disposable {
    this.#listeners.add(onLost);
    return { [Symbol.dispose]: () => void this.#listeners.delete(onLost) };
  }

  /** To be called for each event. */
  count(): void {
    if (this.#seen++ === 0)
      setImmediate(() => {
        this.#endTurn();
      });
  }

  /** Gives a watch back; while events arrive only after the last one, so that its own are counted. */
  giveBack(watch: Closeable): void {
    if (this.#seen === 0) watch.close();
    else this.#closing.push(watch);
  }

  #endTurn(): void {
    const isSuspicious = this.#seen >= this.#suspicious;
    this.#seen = 0;
    for (const watch of this.#closing.splice(0)) watch.close();
    if (isSuspicious) for (const onLost of this.#listeners) onLost();
  }
}

/** Of this process, with the limit that was set when its first watch began. */
export const EVENT_QUEUE = new EventQueue(readLimit());

function readLimit(): number {
  try {
    const limit = Number(readFileSync('/proc/sys/fs/inotify/max_queued_events', 'latin1'));
    return limit > 0 ? limit : USUAL_LIMIT;
  } catch (error) {
    if (errnoOf(error) === undefined) throw error;
    return USUAL_LIMIT;
  }
}
