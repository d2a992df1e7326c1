/**
 * `activity` in the run directory. Its mtime is the session's last activity: whoever touches it
 * counts as active, and a daemon that starts again goes on from it.
 */
import { closeSync, constants, fchownSync, futimesSync, lstatSync, openSync, watch } from 'node:fs';
import type { FSWatcher } from 'node:fs';
import { join } from 'node:path';
import { isSystemError } from '../repository/doubt.ts';
import type { Log } from '../log.ts';
import type { Owner } from '../host.ts';

export type { Owner };

export interface ActivityFileContext {
  readonly runDir: string;
  readonly owner?: Owner | undefined;
  readonly log: Log;
}

const { O_WRONLY, O_CREAT, O_NOFOLLOW, O_NONBLOCK } = constants;

export class ActivityFile implements Disposable {
  readonly #context: ActivityFileContext;
  readonly #path: string;
  #watcher: FSWatcher | undefined;

  constructor(context: ActivityFileContext) {
    this.#context = context;
    this.#path = join(context.runDir, 'activity');
  }

  /** Milliseconds since the epoch, or undefined while there is no such file. */
  readMs(): number | undefined {
    return lstatSync(this.#path, { throwIfNoEntry: false })?.mtimeMs;
  }

  touch(atMs: number): void {
    const { owner } = this.#context;
    const fd = openSync(this.#path, O_WRONLY | O_CREAT | O_NOFOLLOW | O_NONBLOCK, 0o600);
    try {
      if (owner !== undefined) fchownSync(fd, owner.uid, owner.gid);
      futimesSync(fd, atMs / 1000, atMs / 1000);
    } finally {
      closeSync(fd);
    }
  }

  /** Calls back when the file may have been touched. Where no watch can be had, callers look. */
  watch(onTouch: () => void): void {
    try {
      this.#watcher = watch(this.#context.runDir, { persistent: false }, (_event, name) => {
        if (name === 'activity') onTouch();
      });
      this.#watcher.on('error', (error) => {
        this.#context.log.debug(
          { reason: error.message },
          'the run directory is no longer watched',
        );
      });
    } catch (error) {
      if (!isSystemError(error)) throw error;
      this.#context.log.info(
        { reason: error.message },
        'the run directory cannot be watched; looking each minute',
      );
    }
  }

  [Symbol.dispose](): void {
    this.#watcher?.close();
    this.#watcher = undefined;
  }
}
