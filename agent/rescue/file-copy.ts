/**
 * A file that somebody may be writing in; its bytes of one moment out, or word that there was no such
 * moment. Small files are read until two looks around a reading agree; large ones go by in pieces and
 * are judged at their end.
 */
import { lstatSync, readlinkSync } from 'node:fs';
import type { BigIntStats } from 'node:fs';
import { open } from 'node:fs/promises';
import { constants } from 'node:fs';
import { errnoOf } from '../errors.ts';
import { fsPath } from '../repository/byte-path.ts';
import type { BytePath } from '../repository/byte-path.ts';
import { withRegularFile } from '../repository/read-file.ts';
import { statOrUndefined } from '../repository/repository.ts';
import { readFully } from '../pack/regular-file.ts';
import { signatureOf } from './state-files.ts';

export interface Copy {
  readonly kind: 'file' | 'symlink';
  readonly stats: BigIntStats;
  readonly size: number;
  /** Exactly `size` bytes. */
  readonly pieces: Iterable<Buffer> | AsyncIterable<Buffer>;
  /** Asked after the pieces: whether they are of one moment. */
  readonly isWhole: () => boolean;
}

const HELD_BYTES = 4 * 2 ** 20;
const PIECE_BYTES = 256 * 1024;
const ATTEMPTS = 3;

/** undefined when there is neither file nor symlink. Throws errnos such as EACCES as they are. */
export function copyOf(place: BytePath): Copy | undefined {
  const stats = lookAt(place);
  if (stats?.isSymbolicLink() === true) return linkCopy(place, stats);
  if (stats?.isFile() !== true) return undefined;
  return stats.size <= HELD_BYTES ? heldCopy(place) : streamedCopy(place, stats);
}

export function lookAt(place: BytePath): BigIntStats | undefined {
  return statOrUndefined(() => lstatSync(fsPath(place), { bigint: true }));
}

function linkCopy(place: BytePath, stats: BigIntStats): Copy | undefined {
  try {
    const target = readlinkSync(fsPath(place), 'buffer');
    const facts = { kind: 'symlink', stats, size: target.length, pieces: [target] } as const;
    return { ...facts, isWhole: () => true };
  } catch (error) {
    if (['ENOENT', 'EINVAL', 'ENOTDIR'].includes(errnoOf(error) ?? '')) return undefined;
    throw error;
  }
}

function heldCopy(place: BytePath): Copy | undefined {
  for (let attempt = 1; ; attempt++) {
    const before = lookAt(place);
    if (before?.isFile() !== true) return undefined;
    const content = withRegularFile(
      place,
      (fd, { size }) => {
        const buffer = Buffer.allocUnsafe(size);
        return buffer.subarray(0, readFully(fd, buffer, 0, size, 0));
      },
      { noFollow: true },
    );
    const after = lookAt(place);
    if (content === undefined || after === undefined) return undefined;
    const isWhole =
      signatureOf(before) === signatureOf(after) && content.length === Number(after.size);
    if (!isWhole && attempt < ATTEMPTS) continue;
    const facts = { kind: 'file', stats: before, size: content.length, pieces: [content] } as const;
    return { ...facts, isWhole: () => isWhole };
  }
}

function streamedCopy(place: BytePath, stats: BigIntStats): Copy {
  const size = Number(stats.size);
  const isWhole = (): boolean => {
    const now = lookAt(place);
    return now !== undefined && signatureOf(now) === signatureOf(stats);
  };
  return { kind: 'file', stats, size, pieces: readPieces(place, size), isWhole };
}

/** As many bytes as were promised: what a file that shrinks lacks is made up for by zeros. */
async function* readPieces(place: BytePath, size: number): AsyncGenerator<Buffer> {
  const { O_RDONLY, O_NONBLOCK, O_NOFOLLOW } = constants;
  let left = size;
  await using file = await open(fsPath(place), O_RDONLY | O_NONBLOCK | O_NOFOLLOW);
  while (left > 0) {
    const buffer = Buffer.allocUnsafe(Math.min(PIECE_BYTES, left));
    const { bytesRead } = await file.read(buffer, 0, buffer.length, null);
    if (bytesRead === 0) break;
    left -= bytesRead;
    yield buffer.subarray(0, bytesRead);
  }
  for (; left > 0; left -= Math.min(PIECE_BYTES, left)) {
    yield Buffer.alloc(Math.min(PIECE_BYTES, left));
  }
}
