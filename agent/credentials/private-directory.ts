/**
 * One directory that only its owner can enter, held open. Files in it appear by rename, whole and
 * synced, mode 0600: a reader sees the old content or the new. Writing goes through the open
 * directory, so that nobody who may write in it can lead a privileged daemon elsewhere by a link.
 */
import { randomBytes } from 'node:crypto';
import { constants } from 'node:fs';
import type { FileHandle } from 'node:fs/promises';
import { mkdir, open, readFile, readdir, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { AgentError, errnoOf } from '../errors.ts';
import type { Owner } from '../host.ts';

export type { Owner };

const TEMPORARY = '.new-';

export class PrivateDirectory implements AsyncDisposable {
  readonly #handle: FileHandle;
  readonly #owner: Owner | null;

  private constructor(handle: FileHandle, owner: Owner | null) {
    this.#handle = handle;
    this.#owner = owner;
  }

  /** Creates the directory where it is missing. @throws RUN_DIR_UNUSABLE */
  static async open(path: string, owner: Owner | null): Promise<PrivateDirectory> {
    try {
      await mkdir(path, { recursive: true, mode: 0o700 });
      const handle = await open(path, constants.O_DIRECTORY | constants.O_NOFOLLOW);
      try {
        await handle.chmod(0o700);
        if (owner !== null) await handle.chown(owner.uid, owner.gid);
      } catch (error) {
        await handle.close();
        throw error;
      }
      return new PrivateDirectory(handle, owner);
    } catch (error) {
      const errno = errnoOf(error);
      if (errno === undefined) throw error;
      const message = `run directory ${path}: expected a directory of one's own, got ${errno}`;
      throw new AgentError('RUN_DIR_UNUSABLE', message, { cause: error, data: { path, errno } });
    }
  }

  openDirectory(name: string): Promise<PrivateDirectory> {
    return PrivateDirectory.open(this.#pathOf(name), this.#owner);
  }

  /** @throws RUN_DIR_UNUSABLE when the disk does not take it. */
  async write(name: string, content: string): Promise<void> {
    const aside = this.#pathOf(TEMPORARY + randomBytes(8).toString('hex'));
    try {
      await using file = await open(aside, 'wx', 0o600);
      await file.writeFile(content);
      if (this.#owner !== null) await file.chown(this.#owner.uid, this.#owner.gid);
      await file.sync();
      await rename(aside, this.#pathOf(name));
    } catch (error) {
      await rm(aside, { force: true });
      throw unwritable(name, error);
    }
  }

  /** The content, or an empty string where there is no such file. */
  async read(name: string): Promise<string> {
    try {
      return await readFile(this.#pathOf(name), 'utf8');
    } catch (error) {
      if (errnoOf(error) === 'ENOENT') return '';
      throw error;
    }
  }

  /** Removes what an earlier run left: files cut off half-written, and what `keep` does not want. */
  async sweep(keep: (name: string) => boolean): Promise<void> {
    for (const name of await readdir(this.#pathOf('.'))) {
      if (name.startsWith(TEMPORARY) || !keep(name))
        await rm(this.#pathOf(name), { recursive: true });
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#handle.close();
  }

  #pathOf(name: string): string {
    return join(`/proc/self/fd/${this.#handle.fd}`, name);
  }
}

function unwritable(name: string, error: unknown): unknown {
  const errno = errnoOf(error);
  if (errno === undefined) return error;
  return new AgentError('RUN_DIR_UNUSABLE', `cannot write ${name} in the run directory: ${errno}`, {
    cause: error,
    data: { errno },
    remedy: 'Free space where --run-dir is, or give it a disk that works.',
  });
}
