/**
 * A path and what is going to be written there in; nothing out while the disk has room for it, else
 * MOUNT_NO_SPACE with both figures, before a write fails half-way. The answer is a snapshot: others
 * write to the same disk, and a quota is not in it, so that ENOSPC and EDQUOT are handled all the same.
 */
import { statfs, type StatsFs } from 'node:fs';
import { MountError } from '../errors.ts';

const MiB = 2 ** 20;

/** Left free for what else a session needs to go on: logs, locks, the run directory. */
const RESERVE_BYTES = 32 * MiB;
/** A second or more of most links. */
const EVERY_BYTES = 64 * MiB;

/**
 * Throws MOUNT_NO_SPACE unless `bytes` and `files` more fit the file system of `path`, which exists.
 * A file system that does not say how large it is, or counts no inodes, is taken at its word.
 * Throws the errno of statfs as it is.
 */
export async function requireSpace(path: string, bytes: number, files = 0): Promise<void> {
  const { blocks, bavail, bsize, files: inodes, ffree } = await statsOf(path);
  const free = bavail * bsize;
  if (blocks > 0 && free < bytes) {
    const message = `${path}: ${inMegabytes(bytes)} are needed, ${inMegabytes(free)} are free`;
    const data = { needed_bytes: bytes, free_bytes: free };
    throw new MountError('MOUNT_NO_SPACE', message, { data });
  }
  if (inodes > 0 && ffree < files) {
    const message = `${path}: ${files} inodes are needed, ${ffree} are free`;
    throw new MountError('MOUNT_NO_SPACE', message, {
      data: { needed_inodes: files, free_inodes: ffree },
    });
  }
}

/** node:fs/promises would take a clone's process a millisecond to load, for this alone. */
function statsOf(path: string): Promise<StatsFs> {
  return new Promise((resolve, reject) => {
    statfs(path, (error, stats) => {
      if (error === null) resolve(stats);
      else reject(error);
    });
  });
}

/**
 * Looks now and then while a stream of unknown length is written; not at its start, so that a small
 * stream needs no more than itself, on a small disk.
 */
export class SpaceGuard {
  readonly #path: string;
  readonly #reserveBytes: number;
  readonly #everyBytes: number;
  #nextBytes: number;

  constructor(path: string, reserveBytes = RESERVE_BYTES, everyBytes = EVERY_BYTES) {
    this.#path = path;
    this.#reserveBytes = reserveBytes;
    this.#everyBytes = everyBytes;
    this.#nextBytes = everyBytes;
  }

  /** Whether `check` is to be called, now that so much was written. */
  isDue(writtenBytes: number): boolean {
    return writtenBytes >= this.#nextBytes;
  }

  /** Throws MOUNT_NO_SPACE when less than the reserve is left. */
  async check(writtenBytes: number): Promise<void> {
    this.#nextBytes = writtenBytes + this.#everyBytes;
    await requireSpace(this.#path, this.#reserveBytes);
  }
}

function inMegabytes(bytes: number): string {
  return `${(bytes / 1e6).toFixed(1)} MB`;
}
