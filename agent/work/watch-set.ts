/**
 * inotify watches on directories, through node:fs. In: directories to watch, precious ones (Git
 * directories) and others; out: which entry changed where. Where the system's limit is reached, the
 * directories in which something happened last keep their watches, and the others wait: who owns
 * them has to look by himself (Place.held tells).
 */
import { watch } from 'node:fs';
import type { FSWatcher } from 'node:fs';
import { basename } from 'node:path/posix';
import { errnoOf } from '../errors.ts';
import { fsPath } from '../repository/byte-path.ts';
import type { BytePath } from '../repository/byte-path.ts';
import { EVENT_QUEUE } from './event-queue.ts';

/** @param name of the entry; null when the system does not say, or for the directory itself. */
export type OnChange = (name: BytePath | null, gone: boolean) => void;

export interface Place {
  readonly path: BytePath;
  /** Whether changes in it are reported. */
  readonly held: boolean;
  close(): void;
}

export interface WatchSetContext {
  /** No more directories can be watched: ENOSPC (watches) or EMFILE (instances). */
  readonly onLimit: (error: Error) => void;
  /** So many events at once that the system may have dropped others, of this set or of another. */
  readonly onOverflow: () => void;
}

export class WatchSet implements Disposable {
  readonly #context: WatchSetContext;
  /** Watched, the one without a change for longest first; precious ones apart. */
  readonly #held = new Set<WatchedPlace>();
  readonly #precious = new Set<WatchedPlace>();
  readonly #waiting = new Set<WatchedPlace>();
  #limited = false;
  /** Watches given back since the limit was reached. */
  #freed = 0;
  readonly #queue: Disposable;

  constructor(context: WatchSetContext) {
    this.#context = context;
    this.#queue = EVENT_QUEUE.join(context.onOverflow);
  }

  get watched(): number {
    return this.#held.size + this.#precious.size;
  }

  /** Directories that wait for a watch. */
  get waiting(): number {
    return this.#waiting.size;
  }

  /** Watches from now on if it can; precious ones take the place of others. */
  open(path: BytePath, precious: boolean, onChange: OnChange): Place {
    const place = new WatchedPlace(this, path, precious, onChange);
    if (this.#limited && !precious && this.#freed === 0) this.#waiting.add(place);
    else this.#start(place);
    return place;
  }

  close(place: WatchedPlace): void {
    if (place.held) this.#freed++;
    this.#held.delete(place);
    this.#precious.delete(place);
    this.#waiting.delete(place);
    place.stop();
  }

  /** Something happened there: it is watched rather than the one without a change for longest. */
  prefer(place: Place): void {
    if (!(place instanceof WatchedPlace) || !this.#waiting.has(place)) return;
    this.#evictFor(place);
  }

  /** Asks the system again, which may have more watches by now. @returns whether none waits any more. */
  retry(): boolean {
    if (this.#waiting.size === 0) return false;
    for (const place of this.#waiting) {
      if (!place.start()) return false;
      this.#waiting.delete(place);
      (place.precious ? this.#precious : this.#held).add(place);
    }
    this.#limited = false;
    return true;
  }

  [Symbol.dispose](): void {
    this.#queue[Symbol.dispose]();
    for (const set of [this.#held, this.#precious, this.#waiting]) {
      for (const place of set) place.stop();
      set.clear();
    }
  }

  /** Called by a place: an event, before its owner hears of it. */
  seen(place: WatchedPlace): void {
    if (this.#limited && this.#held.delete(place)) this.#held.add(place);
  }

  /** Called by a place: the system has no watch for it. */
  refused(error: unknown): void {
    if (this.#limited || !(error instanceof Error)) return;
    this.#limited = true;
    this.#context.onLimit(error);
  }

  #start(place: WatchedPlace): void {
    if (this.#freed > 0) this.#freed--;
    if (place.start()) (place.precious ? this.#precious : this.#held).add(place);
    else if (place.precious && this.#limited) this.#evictFor(place);
    else this.#waiting.add(place);
  }

  #evictFor(place: WatchedPlace): void {
    this.#waiting.delete(place);
    const [oldest] = this.#held;
    if (oldest !== undefined) {
      oldest.stop();
      this.#held.delete(oldest);
      this.#waiting.add(oldest);
    }
    if (oldest !== undefined && place.start()) {
      (place.precious ? this.#precious : this.#held).add(place);
    } else {
      this.#waiting.add(place);
    }
  }
}

class WatchedPlace implements Place {
  readonly path: BytePath;
  readonly precious: boolean;
  readonly #set: WatchSet;
  readonly #onChange: OnChange;
  #watcher: FSWatcher | undefined;

  constructor(set: WatchSet, path: BytePath, precious: boolean, onChange: OnChange) {
    this.#set = set;
    this.path = path;
    this.precious = precious;
    this.#onChange = onChange;
  }

  get held(): boolean {
    return this.#watcher !== undefined;
  }

  close(): void {
    this.#set.close(this);
  }

  /** @returns false when the system has no watch for it, or the directory is not there or closed to us. */
  start(): boolean {
    const options = { persistent: false, encoding: 'latin1' } as const;
    try {
      const watcher = watch(fsPath(this.path), options, (kind, name) => {
        EVENT_QUEUE.count();
        if (watcher === this.#watcher) this.#onEvent(kind, name);
      });
      watcher.on('error', () => {
        if (watcher === this.#watcher) this.#onGone();
      });
      this.#watcher = watcher;
      return true;
    } catch (error) {
      const errno = errnoOf(error);
      if (errno === undefined || errno.startsWith('ERR_')) throw error;
      if (['ENOSPC', 'EMFILE', 'ENFILE', 'ENOMEM'].includes(errno)) this.#set.refused(error);
      return false;
    }
  }

  stop(): void {
    const watcher = this.#watcher;
    this.#watcher = undefined;
    if (watcher !== undefined) EVENT_QUEUE.giveBack(watcher);
  }

  #onEvent(kind: string, name: BytePath | null): void {
    this.#set.seen(this);
    // An event of the directory itself comes under its own name, as one of an entry so called.
    const self = name === basename(this.path);
    if (self && kind === 'rename') this.#onGone();
    else this.#onChange(self ? null : name, false);
  }

  #onGone(): void {
    this.stop();
    this.#onChange(null, true);
  }
}
