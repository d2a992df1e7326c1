/**
 * Entries with their contents in, files, symlinks and directories below one fresh directory out; each
 * entry gets its stat data. Every name is created exclusively and none is followed: whatever already
 * has the name (a second spelling on a case-folding file system) is a refusal. Modes go through the
 * umask.
 */
import {
  closeSync,
  constants,
  fstatSync,
  futimesSync,
  lstatSync,
  lutimesSync,
  mkdirSync,
  openSync,
  symlinkSync,
  unlinkSync,
} from 'node:fs';
import { AgentError, CheckoutError, errnoOf } from '../errors.ts';
import type { ErrorCode } from '../errors.ts';
import { MODE } from './index-entry.ts';
import type { IndexEntry } from './index-entry.ts';
import { MAX_PATH_BYTES } from './path-safety.ts';
import { printable } from './tree.ts';

const CREATE = constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW | constants.O_RDWR;
/** The least that a file takes on most file systems. */
export const BLOCK_BYTES = 4096;
/** Index entries hold nanoseconds; a double does not. */
const EXACT = { bigint: true } as const;

/**
 * The time that every file of a checkout gets: a second before any of them exists. Git looks at whole
 * seconds: a file not older than the index is "racy", its content is read by each status, and found
 * changed where attributes would convert it. So none is; and whatever changes a file moves its time.
 */
export function checkoutTime(): number {
  return Math.floor(Date.now() / 1000) - 1;
}

/** Throws TREE_PATH_REFUSED, MOUNT_NO_SPACE, …PERMISSION, …IO. */
export class WorktreeFiles {
  /** The worktree's path with a slash, and room for a path below it. */
  readonly #path: Buffer;
  readonly #base: number;
  readonly #mtimeSec: number;

  constructor(worktree: string, mtimeSec: number) {
    const prefix = Buffer.from(`${worktree}/`);
    this.#base = prefix.length;
    this.#path = Buffer.concat([prefix], prefix.length + MAX_PATH_BYTES);
    this.#mtimeSec = mtimeSec;
  }

  /** @param directory relative; its parent exists. */
  makeDirectory(directory: Buffer): void {
    const end = this.#base + directory.copy(this.#path, this.#base);
    try {
      mkdirSync(this.#path.subarray(0, end), 0o777);
    } catch (error) {
      throw worktreeError(error, directory);
    }
  }

  /** A submodule that nobody has initialised is an empty directory. */
  makeGitlink(entry: IndexEntry): void {
    this.makeDirectory(entry.path);
    entry.setStat(lstatSync(this.#pathOf(entry), EXACT));
  }

  /** Creates the file, and lets `fill` write its content; @returns what that returns. */
  createFile<T>(entry: IndexEntry, fill: (fd: number) => T): T {
    try {
      const mode = entry.mode === MODE.executable ? 0o777 : 0o666;
      const fd = openSync(this.#pathOf(entry), CREATE, mode);
      try {
        const filled = fill(fd);
        futimesSync(fd, this.#mtimeSec, this.#mtimeSec);
        entry.setStat(fstatSync(fd, EXACT));
        return filled;
      } finally {
        closeSync(fd);
      }
    } catch (error) {
      throw worktreeError(error, entry.path);
    }
  }

  /** Removes a file that `createFile` made, to be made anew. */
  removeFile(entry: IndexEntry): void {
    try {
      unlinkSync(this.#pathOf(entry));
    } catch (error) {
      throw worktreeError(error, entry.path);
    }
  }

  /** The target is taken as it stands, absolute and escaping ones too: nothing here follows it. */
  makeSymlink(entry: IndexEntry, target: Buffer): void {
    if (target.length === 0 || target.includes(0)) {
      throw new CheckoutError(
        'TREE_PATH_REFUSED',
        `${printable(entry.path)}: a symlink to ${printable(target)} cannot exist`,
      );
    }
    const path = this.#pathOf(entry);
    try {
      symlinkSync(target, path);
      lutimesSync(path, this.#mtimeSec, this.#mtimeSec);
      entry.setStat(lstatSync(path, EXACT));
    } catch (error) {
      throw worktreeError(error, entry.path);
    }
  }

  /** Valid until the next call. */
  #pathOf(entry: IndexEntry): Buffer {
    return this.#path.subarray(0, entry.copyPathTo(this.#path, this.#base));
  }
}

const CODE_OF_ERRNO: Readonly<Partial<Record<string, ErrorCode>>> = {
  EEXIST: 'TREE_PATH_REFUSED',
  ENOTDIR: 'TREE_PATH_REFUSED',
  EISDIR: 'TREE_PATH_REFUSED',
  ELOOP: 'TREE_PATH_REFUSED',
  ENAMETOOLONG: 'TREE_PATH_REFUSED',
  EINVAL: 'TREE_PATH_REFUSED',
  EILSEQ: 'TREE_PATH_REFUSED',
  ENOSPC: 'MOUNT_NO_SPACE',
  EDQUOT: 'MOUNT_NO_SPACE',
  EACCES: 'MOUNT_PERMISSION',
  EPERM: 'MOUNT_PERMISSION',
  EROFS: 'MOUNT_PERMISSION',
};

/** A system error as what it means for a checkout, an object's error with its path added. */
export function worktreeError(error: unknown, path: Buffer): unknown {
  if (error instanceof AgentError) {
    const { code, message, data } = error;
    return new CheckoutError(code, `${printable(path)}: ${message}`, { cause: error, data });
  }
  const errno = errnoOf(error);
  if (errno === undefined) return error;
  return new CheckoutError(CODE_OF_ERRNO[errno] ?? 'MOUNT_IO', `${printable(path)}: ${errno}`, {
    cause: error,
  });
}
