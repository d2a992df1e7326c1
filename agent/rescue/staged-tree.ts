/**
 * Files in, below one fresh directory that this process made: every directory, file and link is
 * created exclusively and none is followed or replaced, so that whatever two names a rescue uses,
 * nothing is ever written outside, or through a link that came before.
 */
import {
  closeSync,
  constants,
  fchmodSync,
  mkdirSync,
  openSync,
  symlinkSync,
  writeSync,
} from 'node:fs';
import { AgentError, errnoOf } from '../errors.ts';
import { displayPath, fsPath } from '../repository/byte-path.ts';
import type { BytePath } from '../repository/byte-path.ts';

const CREATE = constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW | constants.O_WRONLY;
const TAKEN = new Set(['EEXIST', 'ENOTDIR', 'EISDIR', 'ELOOP']);
const IMPOSSIBLE = new Set(['ENAMETOOLONG', 'EINVAL', 'EILSEQ']);

export class StagedTree {
  readonly root: BytePath;
  readonly #directories = new Set<BytePath>(['']);

  /** @param root absolute; made here, its parent exists. */
  constructor(root: BytePath) {
    this.root = root;
    mkdirSync(fsPath(root), 0o700);
  }

  /** A directory and those above it that are missing; its mode goes through the umask. */
  directory(path: BytePath): void {
    if (this.#directories.has(path)) return;
    const slash = path.lastIndexOf('/');
    if (slash !== -1) this.directory(path.slice(0, slash));
    this.#create(path, (place) => {
      mkdirSync(place, 0o777);
    });
    this.#directories.add(path);
  }

  /** An empty file, open for writing. The mode is taken as it is; setuid and setgid are not. */
  file(path: BytePath, mode: number): StagedFile {
    this.#directoryOf(path);
    const fd = this.#create(path, (place) => openSync(place, CREATE, 0o600));
    return new StagedFile(fd, path, mode & 0o777);
  }

  /** As a checkout makes it: its mode goes through the umask. */
  checkedOutFile(path: BytePath, executable: boolean): StagedFile {
    this.#directoryOf(path);
    const mode = executable ? 0o777 : 0o666;
    return new StagedFile(
      this.#create(path, (place) => openSync(place, CREATE, mode)),
      path,
      null,
    );
  }

  write(path: BytePath, content: Uint8Array, mode = 0o644): void {
    using file = this.file(path, mode);
    file.write(content);
    file.finish();
  }

  /** The target is taken as it stands: nothing here follows it. */
  link(path: BytePath, target: Buffer): void {
    this.#directoryOf(path);
    this.#create(path, (place) => {
      symlinkSync(target, place);
    });
  }

  #directoryOf(path: BytePath): void {
    const slash = path.lastIndexOf('/');
    if (slash !== -1) this.directory(path.slice(0, slash));
  }

  #create<T>(path: BytePath, make: (place: string | Buffer) => T): T {
    try {
      return make(fsPath(`${this.root}/${path}`));
    } catch (error) {
      const errno = errnoOf(error) ?? '';
      if (!TAKEN.has(errno) && !IMPOSSIBLE.has(errno)) throw error;
      const why = TAKEN.has(errno) ? 'is in the file twice' : 'cannot exist here';
      throw new AgentError('RESCUE_PATH_REFUSED', `${displayPath(path)} ${why} (${errno})`, {
        cause: error,
      });
    }
  }
}

/** Written piece by piece; not whole, and closed, until finish(). */
export class StagedFile implements Disposable {
  readonly fd: number;
  readonly path: BytePath;
  /** null: as it was created. */
  readonly #mode: number | null;

  constructor(fd: number, path: BytePath, mode: number | null) {
    this.fd = fd;
    this.path = path;
    this.#mode = mode;
  }

  write(content: Uint8Array): void {
    let written = 0;
    while (written < content.length) written += writeSync(this.fd, content, written);
  }

  finish(): void {
    if (this.#mode !== null) fchmodSync(this.fd, this.#mode);
  }

  [Symbol.dispose](): void {
    closeSync(this.fd);
  }
}
