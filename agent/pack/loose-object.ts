/**
 * A loose object's file in; its type and content out (zlib over "type size NUL content",
 * gitrepository-layout "objects"). Anybody may have written it.
 */
import { closeSync } from 'node:fs';
import zlib from 'node:zlib';
import { TYPE_NAMES } from './entry-header.ts';
import { InflateFault, type Inflater, type Sink } from './inflater.ts';
import { openRegularFile, readFully } from './regular-file.ts';

/** Enough for the header; the first bytes of a deflate stream never need more. */
const HEAD_BYTES = 512;
const PIECE_BYTES = 64 * 1024;
const HEADER = /^(commit|tree|blob|tag) (0|[1-9][0-9]{0,15})\0/;

export interface LooseObject {
  readonly fd: number;
  readonly type: number;
  readonly size: number;
  /** Bytes of the inflated file before the content. */
  readonly headerLength: number;
}

/** Opens the object and reads its header; undefined when there is no such file. Throws InflateFault. */
export function openLooseObject(path: string): LooseObject | undefined {
  const file = openRegularFile(path);
  if (file === undefined) return undefined;
  let object: LooseObject | undefined;
  try {
    object = { fd: file.fd, ...readHeader(file.fd) };
    return object;
  } finally {
    if (object === undefined) closeSync(file.fd);
  }
}

/** Gives the content piece by piece. Throws InflateFault when it is not as long as declared. */
export function streamLooseObject(object: LooseObject, inflater: Inflater, sink: Sink): void {
  const stored = Buffer.allocUnsafe(PIECE_BYTES);
  let skip = object.headerLength;
  let position = 0;
  inflater.begin(object.headerLength + object.size);
  while (!inflater.ended) {
    const length = readFully(object.fd, stored, 0, PIECE_BYTES, position);
    if (length === 0) throw new InflateFault('data', 'the file is cut off');
    inflater.push(stored, 0, length, (piece) => {
      const header = Math.min(skip, piece.length);
      skip -= header;
      if (header < piece.length) sink(piece.subarray(header));
    });
    position += length;
  }
}

function readHeader(fd: number): { type: number; size: number; headerLength: number } {
  const stored = Buffer.allocUnsafe(HEAD_BYTES);
  const length = readFully(fd, stored, 0, HEAD_BYTES, 0);
  const header = HEADER.exec(inflateStart(stored.subarray(0, length)));
  if (header === null) throw new InflateFault('data', 'no header of a loose object');
  const size = Number(header[2]);
  const type = TYPE_NAMES.findIndex((name) => name === header[1]);
  if (size > Number.MAX_SAFE_INTEGER) throw new InflateFault('size', 'size is 2^53 or more');
  return { type, size, headerLength: header[0].length };
}

/** What the first bytes of a zlib stream inflate to. */
function inflateStart(stored: Buffer): string {
  try {
    const start = zlib.inflateSync(stored, { finishFlush: zlib.constants.Z_SYNC_FLUSH });
    return start.toString('latin1', 0, 64);
  } catch (error) {
    throw new InflateFault('data', error instanceof Error ? error.message : String(error));
  }
}
