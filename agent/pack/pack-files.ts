/**
 * The files of one pack being made, in …/objects/pack: temporary names first, `.pack`, `.rev` and
 * `.idx` (0444, on disk) at the end. The idx is renamed last: a pack without one does not exist for Git.
 * Whatever was not published is removed on disposal, and nothing else is.
 */
import { randomBytes } from 'node:crypto';
import { open, rename, rm, type FileHandle } from 'node:fs/promises';
import { join } from 'node:path';
import { errnoOf } from '../errors.ts';

const READ_ONLY = 0o444;

export interface TemporaryFile {
  readonly path: string;
  readonly file: FileHandle;
}

export class PackFiles {
  readonly #packDir: string;
  readonly #opened: FileHandle[] = [];
  /** What to remove unless everything goes well. */
  readonly #made = new Set<string>();

  constructor(packDir: string) {
    this.#packDir = packDir;
  }

  /** A new empty file `<prefix>XXXXXX` as Git names them, so that `git gc` sweeps it after a crash. */
  async create(prefix: 'tmp_pack_' | 'tmp_rev_' | 'tmp_idx_'): Promise<TemporaryFile> {
    while (true) {
      const path = join(this.#packDir, prefix + randomBytes(3).toString('hex'));
      try {
        const file = await open(path, 'wx+', 0o600);
        this.#opened.push(file);
        this.#made.add(path);
        return { path, file };
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
    const packPath = await this.#putInPlace(pack, `${stem}.pack`);
    await this.#putInPlace(rev, `${stem}.rev`);
    const idxPath = await this.#putInPlace(idx, `${stem}.idx`);
    this.#made.clear();
    await syncDirectory(this.#packDir);
    return { packPath, idxPath };
  }

  async #putInPlace({ file, path }: TemporaryFile, place: string): Promise<string> {
    await file.chmod(READ_ONLY);
    await rename(path, place);
    this.#made.delete(path);
    this.#made.add(place);
    return place;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const file of this.#opened) await file.close();
    for (const path of this.#made) await rm(path, { force: true });
  }
}

async function syncDirectory(path: string): Promise<void> {
  const directory = await open(path, 'r');
  try {
    await directory.sync();
  } finally {
    await directory.close();
  }
}
