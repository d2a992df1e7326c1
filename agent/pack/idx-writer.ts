/**
 * The entry table in, an idx version 2 in a file out, byte for byte git index-pack's
 * (gitformat-pack, "Version 2 pack-*.idx files"): fan-out, oids, CRCs, 31-bit offsets, 64-bit
 * offsets for what does not fit, the pack's checksum, its own.
 */
import { createHash } from 'node:crypto';
import type { FileHandle } from 'node:fs/promises';
import { OID_BYTES } from './entry-header.ts';
import type { EntryTable } from './entry-table.ts';

const SIGNATURE = 0xff74_4f63;
const VERSION = 2;
const LARGE = 0x8000_0000;
const PIECE_BYTES = 2 ** 20;

/** Writes the idx; `order` is every row sorted by oid, `checksum` the pack's trailer in hex. */
export async function writeIdx(
  file: FileHandle,
  table: EntryTable,
  order: Uint32Array,
  checksum: string,
  largestShortOffset: number,
): Promise<void> {
  const out = new IdxOutput(file);
  await writeFanOut(out, table, order);
  for (const row of order) {
    if (out.isFull) await out.flush();
    out.putBytes(table.oids, row * OID_BYTES, OID_BYTES);
  }
  for (const row of order) {
    if (out.isFull) await out.flush();
    out.putUint32(table.crcs[row]!);
  }
  const largeOffsets: number[] = [];
  for (const row of order) {
    if (out.isFull) await out.flush();
    const offset = table.offsets[row]!;
    const large = offset > largestShortOffset || offset >= LARGE;
    out.putUint32(large ? LARGE + largeOffsets.push(offset) - 1 : offset);
  }
  for (const offset of largeOffsets) {
    if (out.isFull) await out.flush();
    out.putUint32(Math.floor(offset / 2 ** 32));
    out.putUint32(offset % 2 ** 32);
  }
  out.putBytes(Buffer.from(checksum, 'hex'), 0, OID_BYTES);
  await out.end();
}

async function writeFanOut(out: IdxOutput, table: EntryTable, order: Uint32Array): Promise<void> {
  const counts = new Uint32Array(256);
  for (const row of order) counts[table.oids[row * OID_BYTES]!]! += 1;
  out.putUint32(SIGNATURE);
  out.putUint32(VERSION);
  let total = 0;
  for (const count of counts) out.putUint32((total += count));
  await out.flush();
}

/** A piece of the file that is filled, hashed and written, again and again. */
class IdxOutput {
  readonly #file: FileHandle;
  readonly #hash = createHash('sha1');
  readonly #piece = Buffer.allocUnsafeSlow(PIECE_BYTES);
  #length = 0;

  constructor(file: FileHandle) {
    this.#file = file;
  }

  /** No room for one more field. */
  get isFull(): boolean {
    return this.#length > PIECE_BYTES - 2 * OID_BYTES;
  }

  putUint32(value: number): void {
    this.#length = this.#piece.writeUInt32BE(value, this.#length);
  }

  putBytes(source: Buffer, start: number, length: number): void {
    source.copy(this.#piece, this.#length, start, start + length);
    this.#length += length;
  }

  async flush(): Promise<void> {
    this.#hash.update(this.#piece.subarray(0, this.#length));
    await this.#write();
  }

  /** Writes the rest and the idx's own checksum. */
  async end(): Promise<void> {
    await this.flush();
    this.#hash.digest().copy(this.#piece);
    this.#length = OID_BYTES;
    await this.#write();
  }

  async #write(): Promise<void> {
    let position = 0;
    while (position < this.#length) {
      const { bytesWritten } = await this.#file.write(
        this.#piece,
        position,
        this.#length - position,
      );
      position += bytesWritten;
    }
    this.#length = 0;
  }
}
