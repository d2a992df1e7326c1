/**
 * A finished checkout in, an index file out: version 2, with the TREE extension (gitformat-index). Readers see
 * the old file or the new one, never half of it: the bytes go to git's own lock name first.
 */
import { createHash } from 'node:crypto';
import { closeSync, fsyncSync, openSync, renameSync, unlinkSync, writeFileSync } from 'node:fs';
import type { PlannedFiles } from './planned-files.ts';

const VERSION = 2;
const WORD_BYTES = 4;

/**
 * Writes the index at `path`, durably. Fails with EEXIST while somebody holds `<path>.lock`;
 * errors of the file system pass through, and then `path` is as it was.
 */
export function writeIndex(path: string, files: PlannedFiles): void {
  const lock = `${path}.lock`;
  // 0666 through the umask, as git does: 0644 by default.
  const fd = openSync(lock, 'wx', 0o666);
  try {
    try {
      writeTo(fd, files);
      fsyncSync(fd);
    } finally {
      closeSync(fd);
    }
    renameSync(lock, path);
  } catch (error) {
    unlinkSync(lock);
    throw error;
  }
}

function writeTo(fd: number, files: PlannedFiles): void {
  const hash = createHash('sha1');
  const write = (bytes: Buffer): void => {
    hash.update(bytes);
    writeFileSync(fd, bytes);
  };
  write(Buffer.concat([Buffer.from('DIRC'), word(VERSION), word(files.count)]));
  for (const piece of files.encoded()) write(piece);
  const tree = files.encodedTrees();
  write(Buffer.concat([Buffer.from('TREE'), word(tree.length)]));
  write(tree);
  writeFileSync(fd, hash.digest());
}

function word(value: number): Buffer {
  const bytes = Buffer.alloc(WORD_BYTES);
  bytes.writeUInt32BE(value);
  return bytes;
}
