/**
 * A file that somebody may be writing in; its bytes of one moment out, or word that there was no such
 * moment. Small files are read until two looks around a reading agree; large ones go by in pieces and
 * are judged at their end. Whatever happens to a file that was begun, as many bytes come as were said.
 */
import { lstatSync, readlinkSync } from 'node:fs';
import type { BigIntStats } from 'node:fs';
import { open } from 'node:fs/promises';
import type { FileHandle } from 'node:fs/promises';
import { constants } from 'node:fs';
import { errnoOf } from '../errors.ts';
import { fsPath } from '../repository/byte-path.ts';
import type { BytePath } from '../repository/byte-path.ts';
import { withRegularFile } from '../repository/read-file.ts';
import { statOrUndefined } from '../repository/repository.ts';
import { readFully } from '../pack/regular-file.ts';
import { signatureOf } from './state-files.ts';

/** To be disposed of: a large one is open. */
export interface Copy extends AsyncDisposable {
  readonly kind: 'file' | 'symlink';
  readonly stats: BigIntStats;
  readonly size: number;
  /** Exactly `size` bytes. */
  readonly pieces: Iterable<Buffer> | AsyncIterable<Buffer>;
  /** Asked after the pieces: whether they are of one moment. */
  readonly isWhole: () => boolean;
  /** Asked after the pieces: why they could not all be read. */
  readonly failure: () => string | undefined;
}

const HELD_BYTES = 4n * 2n ** 20n;
/** Small, for the same reason as the archive's own. */
const PIECE_BYTES = 32 * 1024;
const ATTEMPTS = 3;
const GONE = new Set(['ENOENT', 'ENOTDIR', 'ELOOP', 'EISDIR', 'ENXIO', 'ENODEV']);
const UNREADABLE = new Set(['EIO', 'ESTALE', 'EACCES', 'EPERM']);

/** undefined when there is neither file nor symlink. Throws errnos such as EACCES as they are. */
export async function copyOf(place: BytePath): Promise<Copy | undefined> {
  const stats = lookAt(place);
  if (stats?.isSymbolicLink() === true) return linkCopy(place, stats);
  if (stats?.isFile() !== true) return undefined;
  return stats.size <= HELD_BYTES ? heldCopy(place) : await StreamedCopy.open(place);
}

export function lookAt(place: BytePath): BigIntStats | undefined {
  return statOrUndefined(() => lstatSync(fsPath(place), { bigint: true }));
}

function linkCopy(place: BytePath, stats: BigIntStats): Copy | undefined {
  try {
    const target = readlinkSync(fsPath(place), 'buffer');
    return held('symlink', stats, target, true);
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
        // It may have grown since it was small.
        const buffer = Buffer.allocUnsafe(Math.min(size, Number(HELD_BYTES)));
        return buffer.subarray(0, readFully(fd, buffer, 0, buffer.length, 0));
      },
      { noFollow: true },
    );
    const after = lookAt(place);
    if (content === undefined || after === undefined) return undefined;
    const isWhole =
      signatureOf(before) === signatureOf(after) && content.length === Number(after.size);
    if (!isWhole && attempt < ATTEMPTS) continue;
    return held('file', before, content, isWhole);
  }
}

function held(kind: Copy['kind'], stats: BigIntStats, content: Buffer, isWhole: boolean): Copy {
  return {
    ...{ kind, stats, size: content.length, pieces: [content] },
    isWhole: () => isWhole,
    failure: () => undefined,
    [Symbol.asyncDispose]: () => Promise.resolve(),
  };
}

class StreamedCopy implements Copy {
  readonly kind = 'file';
  readonly stats: BigIntStats;
  readonly size: number;
  readonly #place: BytePath;
  readonly #file: FileHandle;
  #failure: string | undefined;

  private constructor(place: BytePath, file: FileHandle, stats: BigIntStats) {
    this.#place = place;
    this.#file = file;
    this.stats = stats;
    this.size = Number(stats.size);
  }

  static async open(place: BytePath): Promise<Copy | undefined> {
    const { O_RDONLY, O_NONBLOCK, O_NOFOLLOW, O_NOCTTY } = constants;
    let file: FileHandle;
    try {
      file = await open(fsPath(place), O_RDONLY | O_NONBLOCK | O_NOFOLLOW | O_NOCTTY);
    } catch (error) {
      if (GONE.has(errnoOf(error) ?? '')) return undefined;
      throw error;
    }
    const stats = await file.stat({ bigint: true });
    if (stats.isFile()) return new StreamedCopy(place, file, stats);
    await file.close();
    return undefined;
  }

  /** What a file that shrinks, or cannot be read on, lacks is made up for by zeros. */
  get pieces(): AsyncIterable<Buffer> {
    return this.#read();
  }

  isWhole(): boolean {
    const now = lookAt(this.#place);
    return (
      this.#failure === undefined &&
      now !== undefined &&
      signatureOf(now) === signatureOf(this.stats)
    );
  }

  failure(): string | undefined {
    return this.#failure;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#file.close();
  }

  async *#read(): AsyncGenerator<Buffer> {
    let left = this.size;
    while (left > 0) {
      const buffer = Buffer.allocUnsafe(Math.min(PIECE_BYTES, left));
      const bytesRead = await this.#fill(buffer);
      if (bytesRead === 0) break;
      left -= bytesRead;
      yield buffer.subarray(0, bytesRead);
    }
    for (; left > 0; left -= Math.min(PIECE_BYTES, left)) {
      yield Buffer.alloc(Math.min(PIECE_BYTES, left));
    }
  }

  async #fill(buffer: Buffer): Promise<number> {
    try {
      return (await this.#file.read(buffer, 0, buffer.length, null)).bytesRead;
    } catch (error) {
      const errno = errnoOf(error);
      if (errno === undefined || !UNREADABLE.has(errno)) throw error;
      this.#failure = errno;
      return 0;
    }
  }
}
