/**
 * The files of one pack being made, in …/objects/pack: temporary names first, `.pack`, `.rev` and
 * `.idx` (0444, on disk) at the end. The idx is renamed last: a pack without one does not exist for Git.
 * Whatever was not published is removed on disposal, and nothing else is.
 */
import { randomBytes } from 'node:crypto';
import { closeSync, fchmodSync, fsync, openSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { errnoOf } from '../errors.ts';

const READ_ONLY = 0o444;

/**
 * Open until the files are disposed of. What does not wait for the disk is done at once: each way through
 * libuv's pool and back is half a millisecond where all cores have work.
 */
export interface TemporaryFile {
  readonly path: string;
  readonly fd: number;
}

export class PackFiles {
  readonly #packDir: string;
  readonly #opened: number[] = [];
  /** What to remove unless everything goes well. */
  readonly #made = new Set<string>();

  constructor(packDir: string) {
    this.#packDir = packDir;
  }

  /** A new empty file `<prefix>XXXXXX` as Git names them, so that `git gc` sweeps it after a crash. */
  create(prefix: 'tmp_pack_' | 'tmp_rev_' | 'tmp_idx_'): TemporaryFile {
    while (true) {
      const path = join(this.#packDir, prefix + randomBytes(3).toString('hex'));
      try {
        const fd = openSync(path, 'wx+', 0o600);
        this.#opened.push(fd);
        this.#made.add(path);
        return { path, fd };
      } catch (error) {
        if (errnoOf(error) !== 'EEXIST') throw error;
      }
    }
  }

  /** Puts the files in place; the contents must be complete and synced. */
  async publish(
    pack: TemporaryFile,
    rev: TemporaryFile,
    idx: TemporaryFile,
    checksum: string,
  ): Promise<{ packPath: string; idxPath: string }> {
    const stem = join(this.#packDir, `pack-${checksum}`);
    const packPath = this.#putInPlace(pack, `${stem}.pack`);
    this.#putInPlace(rev, `${stem}.rev`);
    const idxPath = this.#putInPlace(idx, `${stem}.idx`);
    this.#made.clear();
    await syncDirectory(this.#packDir);
    return { packPath, idxPath };
  }

  #putInPlace({ fd, path }: TemporaryFile, place: string): string {
    fchmodSync(fd, READ_ONLY);
    renameSync(path, place);
    this.#made.delete(path);
    this.#made.add(place);
    return place;
  }

  [Symbol.dispose](): void {
    for (const fd of this.#opened) closeSync(fd);
    for (const path of this.#made) rmSync(path, { force: true });
  }
}

/** Settles when all of a file, or of a directory, is on the disk. Throws errno. */
export async function sync(fd: number): Promise<void> {
  await promisify(fsync)(fd);
}

async function syncDirectory(path: string): Promise<void> {
  const fd = openSync(path, 'r');
  try {
    await sync(fd);
  } finally {
    closeSync(fd);
  }
}
