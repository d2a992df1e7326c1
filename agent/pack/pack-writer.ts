/**
 * Rows of an object table in, a pack out (gitformat-pack, version 2), each object whole and its bytes
 * stored: what takes the pack compresses it. Its length is known before it is written, and no more of
 * it is in memory than one piece, or one object that its own repository stores as a delta.
 */
import { createHash, type Hash } from 'node:crypto';
import { PackError } from '../errors.ts';
import { OID_BYTES } from './entry-header.ts';
import type { ObjectStore } from './object-store.ts';
import type { ObjectTable } from './object-table.ts';
import { StoredStream, storedLength } from './stored-zlib.ts';
import { streamStored } from './stored-object.ts';

const HEADER_BYTES = 12;
const VERSION = 2;
const PIECE_BYTES = 128 * 1024;
/** Larger objects go by in pieces where they are stored whole. */
const STREAM_BYTES = 4 * 2 ** 20;

/** What the pack is made of: an ObjectStore, or one with a few objects more. */
export type PackSource = Pick<ObjectStore, 'read' | 'placeOf'>;

export function packLength(objects: ObjectTable): number {
  let length = HEADER_BYTES + OID_BYTES;
  for (let row = 0; row < objects.count; row++) {
    const size = objects.sizeAt(row);
    length += entryHeader(objects.typeAt(row), size).length + storedLength(size);
  }
  return length;
}

/**
 * Throws PackError OBJECT_MISSING for an object that went away since its row was made, OBJECT_INVALID
 * for one that is not what its row says.
 */
export async function* writePack(objects: ObjectTable, store: PackSource): AsyncGenerator<Buffer> {
  const checksum = createHash('sha1');
  const gathering = new Gathering();
  gathering.put(packHeader(objects.count));
  for (let row = 0; row < objects.count; row++) {
    const size = objects.sizeAt(row);
    const place = size > STREAM_BYTES ? store.placeOf(objects.oidAt(row)) : undefined;
    // Most objects are small: for those a promise would cost more than the object.
    const stream = new StoredStream(size);
    gathering.put(entryHeader(objects.typeAt(row), size));
    gathering.put(stream.begin());
    if (place === undefined) {
      for (const piece of stream.push(readWhole(objects, row, store))) gathering.put(piece);
    } else {
      for await (const content of streamStored({ ...place, size })) {
        for (const piece of stream.push(content)) gathering.put(piece);
        yield* gathering.full(checksum);
      }
    }
    gathering.put(stream.end());
    yield* gathering.full(checksum);
  }
  yield* gathering.rest(checksum);
  yield checksum.digest();
}

function readWhole(objects: ObjectTable, row: number, store: PackSource): Buffer {
  const oid = objects.oidAt(row);
  const size = objects.sizeAt(row);
  const object = store.read(oid);
  if (object === undefined) {
    throw new PackError('OBJECT_MISSING', `object ${oid} went away`, { data: { oid } });
  }
  if (object.content.length === size) return object.content;
  const message = `object ${oid}: expected ${size} bytes, got ${object.content.length}`;
  throw new PackError('OBJECT_INVALID', message, { data: { oid } });
}

function packHeader(count: number): Buffer {
  const header = Buffer.from('PACK\0\0\0\0\0\0\0\0', 'latin1');
  header.writeUInt32BE(VERSION, 4);
  header.writeUInt32BE(count, 8);
  return header;
}

/** Type and size: four bits of it, then seven a byte. */
function entryHeader(type: number, size: number): Buffer {
  const bytes = [(type << 4) | (size & 15)];
  for (let left = Math.floor(size / 16); left > 0; left = Math.floor(left / 128)) {
    bytes[bytes.length - 1]! |= 0x80;
    bytes.push(left & 0x7f);
  }
  return Buffer.from(bytes);
}

/** Small pieces become larger ones, so that who takes them is asked less often. */
class Gathering {
  #pieces: Buffer[] = [];
  #bytes = 0;

  put(piece: Buffer): void {
    this.#pieces.push(piece);
    this.#bytes += piece.length;
  }

  /** What there is, once that is enough. */
  *full(checksum: Hash): Generator<Buffer> {
    if (this.#bytes >= PIECE_BYTES) yield* this.rest(checksum);
  }

  *rest(checksum: Hash): Generator<Buffer> {
    const all = Buffer.concat(this.#pieces, this.#bytes);
    this.#pieces = [];
    this.#bytes = 0;
    checksum.update(all);
    yield all;
  }
}
