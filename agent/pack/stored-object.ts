/**
 * The place of a large object in; its content out, piece by piece, at the reader's pace. Inflated by
 * node:zlib's stream, because the store's own inflater cannot wait for whoever takes the pieces.
 */
import { createReadStream } from 'node:fs';
import { pipeline } from 'node:stream';
import { createInflate } from 'node:zlib';
import { PackError } from '../errors.ts';

export interface StoredPlace {
  readonly path: string;
  /** Where the zlib stream begins, and how many of its bytes come before the content. */
  readonly offset: number;
  readonly skip: number;
  /** Of the content. */
  readonly size: number;
}

/** Larger pieces are fewer objects, and V8 frees them later: 40 MB more in Node 24 with 256 KiB. */
const READ_BYTES = 32 * 1024;

/** Throws PackError OBJECT_INVALID when it is not as long as said; errnos and zlib's errors as they are. */
export async function* streamStored(place: StoredPlace): AsyncGenerator<Buffer> {
  const file = createReadStream(place.path, { start: place.offset, highWaterMark: READ_BYTES });
  const inflate = createInflate({ chunkSize: READ_BYTES });
  // The reader of `inflate` gets the error of either.
  pipeline(file, inflate, () => undefined);
  let { skip } = place;
  let left = place.size;
  try {
    for await (const chunk of inflate as AsyncIterable<Buffer>) {
      const piece = chunk.subarray(skip);
      skip = Math.max(0, skip - chunk.length);
      left -= piece.length;
      if (left < 0) break;
      if (piece.length > 0) yield piece;
    }
  } finally {
    file.destroy();
    inflate.destroy();
  }
  if (left === 0) return;
  const got = left < 0 ? 'more' : place.size - left;
  throw new PackError('OBJECT_INVALID', `expected ${place.size} bytes of content, got ${got}`, {
    data: { path: place.path, offset: place.offset },
  });
}
