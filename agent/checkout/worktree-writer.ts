/**
 * Planned entries in, files, symlinks and directories below one fresh directory out; each entry gets
 * its stat data. Every name is created exclusively and none is followed: whatever already has the
 * name (a second spelling on a case-folding file system) is a refusal. Modes go through the umask.
 */
import {
  closeSync,
  constants,
  fstatSync,
  lstatSync,
  mkdirSync,
  openSync,
  symlinkSync,
  writeSync,
} from 'node:fs';
import { AgentError, CheckoutError, errnoOf } from '../errors.ts';
import type { ErrorCode } from '../errors.ts';
import type { BlobSource } from './blob-source.ts';
import { MODE } from './index-entry.ts';
import type { IndexEntry } from './index-entry.ts';
import { MAX_PATH_BYTES } from './path-safety.ts';
import { requireType } from './plan.ts';
import { printable } from './tree.ts';

export interface Written {
  readonly bytes: number;
  readonly lfsPointer: boolean;
}

const CREATE = constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW | constants.O_WRONLY;
/** Index entries hold nanoseconds; a double does not. */
const EXACT = { bigint: true } as const;
/** Blobs over this are streamed to the file instead of held whole. */
const WHOLE_BLOB_LIMIT_BYTES = 4 * 1024 * 1024;

const LFS_POINTER_START = Buffer.from('version https://git-lfs.github.com/spec/v1\n');
const LFS_POINTER_LIMIT_BYTES = 1024;

/** Throws OBJECT_MISSING, OBJECT_INVALID, TREE_PATH_REFUSED, MOUNT_NO_SPACE, …PERMISSION, …IO. */
export class WorktreeWriter {
  readonly #store: BlobSource;
  /** The worktree's path with a slash, and room for a path below it. */
  readonly #path: Buffer;
  readonly #base: number;

  constructor(store: BlobSource, worktree: string) {
    this.#store = store;
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
    const { oid } = entry;
    const header = this.#store.header(oid);
    if (header?.type !== 'blob') requireType(header, 'blob', oid, entry.path);
    const content = header.size > WHOLE_BLOB_LIMIT_BYTES ? null : this.#readBlob(entry, oid);
    try {
      return this.#create(entry, oid, content);
    } catch (error) {
      throw worktreeError(error, entry.path);
    }
  }

  /** The target is taken as it stands, absolute and escaping ones too: nothing here follows it. */
  makeSymlink(entry: IndexEntry): Written {
    const target = this.#readBlob(entry, entry.oid);
    if (target.length === 0 || target.includes(0)) {
      throw new CheckoutError(
        'TREE_PATH_REFUSED',
        `${printable(entry.path)}: a symlink to ${printable(target)} cannot exist`,
      );
    }
    const path = this.#pathOf(entry);
    try {
      symlinkSync(target, path);
      entry.setStat(lstatSync(path, EXACT));
    } catch (error) {
      throw worktreeError(error, entry.path);
    }
    return { bytes: target.length, lfsPointer: false };
  }

  #create(entry: IndexEntry, oid: string, content: Buffer | null): Written {
    const mode = entry.mode === MODE.executable ? 0o777 : 0o666;
    const fd = openSync(this.#pathOf(entry), CREATE, mode);
    try {
      const bytes = content === null ? this.#store.writeBlob(oid, fd) : writeAll(fd, content);
      entry.setStat(fstatSync(fd, EXACT));
      return { bytes, lfsPointer: content !== null && isLfsPointer(content) };
    } finally {
      closeSync(fd);
    }
  }

  #readBlob(entry: IndexEntry, oid: string): Buffer {
    const object = this.#store.read(oid);
    if (object?.type !== 'blob') requireType(object, 'blob', oid, entry.path);
    return object.content;
  }

  /** Valid until the next call. */
  #pathOf(entry: IndexEntry): Buffer {
    return this.#path.subarray(0, entry.copyPathTo(this.#path, this.#base));
  }
}

function writeAll(fd: number, content: Buffer): number {
  let written = 0;
  while (written < content.length) {
    written += writeSync(fd, content, written, content.length - written);
  }
  return written;
}

function isLfsPointer(content: Buffer): boolean {
  const { length } = LFS_POINTER_START;
  return (
    content.length > length &&
    content.length < LFS_POINTER_LIMIT_BYTES &&
    content.compare(LFS_POINTER_START, 0, length, 0, length) === 0
  );
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

/** A system error as what it means for a checkout; anything else as it is. */
export function worktreeError(error: unknown, path: Buffer): unknown {
  const errno = errnoOf(error);
  if (errno === undefined || error instanceof AgentError) return error;
  return new CheckoutError(CODE_OF_ERRNO[errno] ?? 'MOUNT_IO', `${printable(path)}: ${errno}`, {
    cause: error,
  });
}
