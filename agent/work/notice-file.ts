/**
 * Keeps AT_RISK.md in the run directory: whole or absent, mode 0600, written aside and renamed,
 * and only when its words are other than before.
 */
import {
  closeSync,
  constants,
  fchownSync,
  fsyncSync,
  openSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import type { Owner } from './activity-file.ts';

const { O_WRONLY, O_CREAT, O_EXCL, O_NOFOLLOW } = constants;

export class NoticeFile {
  readonly #path: string;
  readonly #owner: Owner | undefined;
  /** undefined until the first call: an earlier run may have left one. */
  #content: string | null | undefined;

  constructor(runDir: string, owner: Owner | undefined) {
    this.#path = join(runDir, 'AT_RISK.md');
    this.#owner = owner;
  }

  /** @param content null removes the file. */
  show(content: string | null): void {
    if (content === this.#content) return;
    if (content === null) rmSync(this.#path, { force: true });
    else this.#write(content);
    this.#content = content;
  }

  #write(content: string): void {
    const aside = `${this.#path}.new`;
    rmSync(aside, { force: true });
    const fd = openSync(aside, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, 0o600);
    try {
      if (this.#owner !== undefined) fchownSync(fd, this.#owner.uid, this.#owner.gid);
      writeFileSync(fd, content);
      fsyncSync(fd);
    } finally {
      closeSync(fd);
    }
    renameSync(aside, this.#path);
  }
}
