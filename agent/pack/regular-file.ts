/**
 * A path in a directory that others can write in; a regular file's descriptor out. A FIFO, device or
 * directory there neither blocks nor is read.
 */
import { closeSync, constants, fstatSync, openSync, readSync, writeSync } from 'node:fs';
import { errnoOf } from '../errors.ts';

export interface OpenFile {
  readonly fd: number;
  readonly size: number;
}

const ABSENT = new Set(['ENOENT', 'ENOTDIR', 'ELOOP', 'ENXIO', 'EISDIR', 'ENAMETOOLONG']);

/** Opens for reading; undefined when there is no regular file. The caller closes. */
export function openRegularFile(path: string): OpenFile | undefined {
  let fd: number;
  try {
    fd = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
  } catch (error) {
    if (ABSENT.has(errnoOf(error) ?? '')) return undefined;
    throw error;
  }
  const stats = fstatSync(fd);
  if (stats.isFile()) return { fd, size: stats.size };
  closeSync(fd);
  return undefined;
}

/** The whole content, or undefined when there is no regular file or it is over `limitBytes`. */
export function readRegularFile(path: string, limitBytes: number): Buffer | undefined {
  const file = openRegularFile(path);
  if (file === undefined) return undefined;
  try {
    if (file.size > limitBytes) return undefined;
    const content = Buffer.allocUnsafeSlow(file.size);
    return content.subarray(0, readFully(file.fd, content, 0, file.size, 0));
  } finally {
    closeSync(file.fd);
  }
}

/** Reads up to `length` bytes at `position` to buffer[start …]; less only at the file's end. */
export function readFully(
  fd: number,
  buffer: Buffer,
  start: number,
  length: number,
  position: number,
): number {
  let filled = 0;
  while (filled < length) {
    const got = readSync(fd, buffer, start + filled, length - filled, position + filled);
    if (got === 0) break;
    filled += got;
  }
  return filled;
}

/** Writes all of it at the descriptor's position. */
export function writeFully(fd: number, content: Buffer): void {
  let written = 0;
  while (written < content.length) {
    written += writeSync(fd, content, written, content.length - written);
  }
}
