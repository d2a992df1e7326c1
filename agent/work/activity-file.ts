/**
 * `activity` in the run directory. Its mtime is the session's last activity: whoever touches it
 * counts as active, and a daemon that starts again goes on from it. `warned` beside it remembers
 * which warning was given, and belongs to the period of rest whose mtime it carries.
 */
import { closeSync, fchownSync, futimesSync, lstatSync, openSync, readFileSync } from 'node:fs';
import { constants, watch, writeSync } from 'node:fs';
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

const { O_WRONLY, O_CREAT, O_NOFOLLOW, O_NONBLOCK, O_TRUNC } = constants;
/** Two mtimes are the same when they differ by less: utimes takes a float of seconds. */
const SAME_MS = 1;

export class ActivityFile implements Disposable {
  readonly #context: ActivityFileContext;
  #watcher: FSWatcher | undefined;

  constructor(context: ActivityFileContext) {
    this.#context = context;
  }

  /** Milliseconds since the epoch, or undefined while there is no such file. */
  readMs(): number | undefined {
    return this.#mtimeMs('activity');
  }

  touch(atMs: number): void {
    this.#write('activity', atMs, undefined);
  }

  /** The least threshold that was warned of since `activityMs`; undefined when none was. */
  readWarnedMs(activityMs: number): number | undefined {
    const warnedAtMs = this.#mtimeMs('warned');
    if (warnedAtMs === undefined || Math.abs(warnedAtMs - activityMs) > SAME_MS) return undefined;
    const value = Number(readFileSync(join(this.#context.runDir, 'warned'), 'utf8'));
    return Number.isFinite(value) ? value : undefined;
  }

  writeWarned(thresholdMs: number, activityMs: number): void {
    this.#write('warned', activityMs, `${thresholdMs}\n`);
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

  #mtimeMs(name: string): number | undefined {
    return lstatSync(join(this.#context.runDir, name), { throwIfNoEntry: false })?.mtimeMs;
  }

  #write(name: string, mtimeMs: number, content: string | undefined): void {
    const { runDir, owner } = this.#context;
    const truncate = content === undefined ? 0 : O_TRUNC;
    const flags = O_WRONLY | O_CREAT | O_NOFOLLOW | O_NONBLOCK | truncate;
    const fd = openSync(join(runDir, name), flags, 0o600);
    try {
      if (owner !== undefined) fchownSync(fd, owner.uid, owner.gid);
      if (content !== undefined) writeSync(fd, content);
      futimesSync(fd, mtimeMs / 1000, mtimeMs / 1000);
    } finally {
      closeSync(fd);
    }
  }
}
