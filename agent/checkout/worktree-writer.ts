/**
 * Planned entries in, files, symlinks and directories below one fresh directory out; each entry gets
 * its stat data. Every name is created exclusively and none is followed: whatever already has the
 * name (a second spelling on a case-folding file system) is a refusal. Modes go through the umask.
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
  readSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { AgentError, CheckoutError, errnoOf } from '../errors.ts';
import type { ErrorCode } from '../errors.ts';
import type { Attributes } from './attributes.ts';
import type { BlobSource } from './blob-source.ts';
import { convertToWorktree } from './convert.ts';
import type { Conversion } from './convert.ts';
import { MODE } from './index-entry.ts';
import type { IndexEntry } from './index-entry.ts';
import { MAX_PATH_BYTES } from './path-safety.ts';
import { requireType } from './plan.ts';
import { printable } from './tree.ts';

export interface Written {
  readonly bytes: number;
  readonly lfsPointer: boolean;
}

const CREATE = constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW | constants.O_RDWR;
/** Index entries hold nanoseconds; a double does not. */
const EXACT = { bigint: true } as const;

const LFS_POINTER = Buffer.from('version https://git-lfs.github.com/spec/v1\n');
const LFS_POINTER_LIMIT_BYTES = 1024;

/** Throws OBJECT_MISSING, OBJECT_INVALID, TREE_PATH_REFUSED, MOUNT_NO_SPACE, …PERMISSION, …IO. */
export class WorktreeWriter {
  readonly #store: BlobSource;
  readonly #attributes: Attributes;
  /** The worktree's path with a slash, and room for a path below it. */
  readonly #path: Buffer;
  readonly #base: number;
  /**
   * Every file gets this one, a second before any of them exists. Git looks at whole seconds: a file
   * not older than the index is "racy", its content is read by each status, and found changed where
   * attributes would convert it. So none is; and whatever changes a file moves its time.
   */
  readonly #mtimeSec = Math.floor(Date.now() / 1000) - 1;
  readonly #lfsPointerStart = Buffer.alloc(LFS_POINTER.length);

  constructor(store: BlobSource, worktree: string, attributes: Attributes) {
    this.#store = store;
    this.#attributes = attributes;
    const prefix = Buffer.from(`${worktree}/`);
    this.#base = prefix.length;
    this.#path = Buffer.concat([prefix], prefix.length + MAX_PATH_BYTES);
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

  writeFile(entry: IndexEntry): Written {
    try {
      const mode = entry.mode === MODE.executable ? 0o777 : 0o666;
      const fd = openSync(this.#pathOf(entry), CREATE, mode);
      try {
        const conversion = this.#conversionFor(entry);
        const bytes =
          conversion === null
            ? this.#store.writeBlob(entry.oid, fd)
            : this.#writeConverted(entry, conversion, fd);
        futimesSync(fd, this.#mtimeSec, this.#mtimeSec);
        entry.setStat(fstatSync(fd, EXACT));
        return { bytes, lfsPointer: bytes < LFS_POINTER_LIMIT_BYTES && this.#isLfsPointer(fd) };
      } finally {
        closeSync(fd);
      }
    } catch (error) {
      throw worktreeError(error, entry.path);
    }
  }

  #conversionFor(entry: IndexEntry): Conversion | null {
    if (this.#attributes.empty) return null;
    return this.#attributes.conversionFor(entry.path.toString('latin1'));
  }

  #writeConverted({ oid, path }: IndexEntry, conversion: Conversion, fd: number): number {
    const object = this.#store.read(oid);
    requireType(object, 'blob', oid, path);
    const content = convertToWorktree(object.content, conversion, oid);
    writeFileSync(fd, content);
    return content.length;
  }

  /** The target is taken as it stands, absolute and escaping ones too: nothing here follows it. */
  makeSymlink(entry: IndexEntry): Written {
    const object = this.#store.read(entry.oid);
    requireType(object, 'blob', entry.oid, entry.path);
    const target = object.content;
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
    return { bytes: target.length, lfsPointer: false };
  }

  /** Reads back what was written: one short call for a small file, where blobs cost no copy else. */
  #isLfsPointer(fd: number): boolean {
    const start = this.#lfsPointerStart;
    return readSync(fd, start, 0, start.length, 0) === start.length && LFS_POINTER.equals(start);
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
