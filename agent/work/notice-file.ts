/**
 * Keeps AT_RISK.md in the run directory: whole or absent, mode 0600, written aside and renamed,
 * and only when its words are other than before.
 */
import { renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Owner } from '../host.ts';
import { removeFile, writeAnew } from './private-file.ts';

export class NoticeFile {
  readonly path: string;
  readonly #owner: Owner | undefined;
  /** undefined until the first call: an earlier run may have left one. */
  #content: string | null | undefined;

  constructor(runDir: string, owner: Owner | undefined) {
    this.path = join(runDir, 'AT_RISK.md');
    this.#owner = owner;
  }

  /** @param content null removes the file. @returns whether it is there now and was not. @throws what the disk says. */
  show(content: string | null): boolean {
    if (content === this.#content) return false;
    const isNew = content !== null && typeof this.#content !== 'string';
    if (content === null) removeFile(this.path);
    else this.#write(content);
    this.#content = content;
    return isNew;
  }

  #write(content: string): void {
    const aside = `${this.path}.new`;
    writeAnew(aside, this.#owner, (fd) => {
      // No fsync: when the machine crashes, the session and its disk are gone.
      writeFileSync(fd, content);
    });
    renameSync(aside, this.path);
  }
}
