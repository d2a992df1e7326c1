/**
 * Reads of files that somebody else may replace at any moment by a FIFO, a device, a symlink or
 * something huge: never blocks, never more than a limit, and absence is an answer.
 */
import { closeSync, constants, fstatSync, openSync, readSync } from 'node:fs';
import type { Stats } from 'node:fs';
import { errnoOf } from '../errors.ts';
import { fsPath } from './byte-path.ts';
import type { BytePath } from './byte-path.ts';
import { Doubt } from './doubt.ts';

const { O_RDONLY, O_NONBLOCK, O_NOFOLLOW, O_NOCTTY } = constants;
const LIMIT_BYTES = 256 * 1024 * 1024;
/** ELOOP: a symlink where none is followed. ENXIO: a socket. */
const ABSENT = new Set(['ENOENT', 'ENOTDIR', 'ELOOP', 'EISDIR', 'ENXIO', 'ENODEV']);

export interface ReadOptions {
  /** A symlink as the last component counts as absent, as Git has it for `.gitignore`. */
  readonly noFollow?: boolean;
}

/** Calls `use` with a descriptor of the regular file at `path`; undefined when there is none. */
export function withRegularFile<T>(
  path: BytePath,
  use: (fd: number, stats: Stats) => T,
  options: ReadOptions = {},
): T | undefined {
  const flags = O_RDONLY | O_NONBLOCK | O_NOCTTY | (options.noFollow === true ? O_NOFOLLOW : 0);
  let fd: number;
  try {
    fd = openSync(fsPath(path), flags);
  } catch (error) {
    if (ABSENT.has(errnoOf(error) ?? '')) return undefined;
    throw error;
  }
  try {
    const stats = fstatSync(fd);
    return stats.isFile() ? use(fd, stats) : undefined;
  } finally {
    closeSync(fd);
  }
}

/** The whole content, or undefined when there is no such regular file. */
export function readRegularFile(path: BytePath, options: ReadOptions = {}): Buffer | undefined {
  return withRegularFile(
    path,
    (fd, stats) => {
      if (stats.size > LIMIT_BYTES) throw new Doubt(`${path} has ${stats.size} bytes, too many`);
      const content = Buffer.allocUnsafe(stats.size);
      let filled = 0;
      while (filled < content.length) {
        const count = readSync(fd, content, filled, content.length - filled, null);
        if (count === 0) break;
        filled += count;
      }
      return content.subarray(0, filled);
    },
    options,
  );
}

/** The content as text with one byte per character. */
export function readBytesAsText(path: BytePath, options: ReadOptions = {}): string | undefined {
  return readRegularFile(path, options)?.toString('latin1');
}
