/**
 * Small files in the run directory, which belongs to somebody who may have put anything there: a
 * name is replaced and never followed, and whatever stands in the way is a system error.
 */
import { closeSync, constants, fchownSync, openSync, unlinkSync } from 'node:fs';
import { errnoOf } from '../errors.ts';
import type { Owner } from '../host.ts';

const { O_WRONLY, O_CREAT, O_EXCL, O_NOFOLLOW } = constants;

/** Not rmSync: that throws an error of Node's own, and not the system's, where a directory stands. */
export function removeFile(path: string): void {
  try {
    unlinkSync(path);
  } catch (error) {
    if (errnoOf(error) !== 'ENOENT') throw error;
  }
}

/** A new file of mode 0600 in the place of any old one. */
export function writeAnew(
  path: string,
  owner: Owner | undefined,
  write: (fd: number) => void,
): void {
  removeFile(path);
  const fd = openSync(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, 0o600);
  try {
    if (owner !== undefined) fchownSync(fd, owner.uid, owner.gid);
    write(fd);
  } finally {
    closeSync(fd);
  }
}
