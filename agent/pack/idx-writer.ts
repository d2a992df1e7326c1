/**
 * A sorted table in, an idx version 2 in a file out, byte for byte git index-pack's (gitformat-pack,
 * "Version 2 pack-*.idx files"): fan-out, oids, CRCs, 31-bit offsets, 64-bit offsets for what does not
 * fit, the pack's checksum, its own. The kernel fills a piece after the other.
 */
import { createHash } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { nextTurn } from '../lifetime.ts';
import { OID_BYTES } from './entry-header.ts';
import type { SortedTable } from './sorted-table.ts';

const SIGNATURE = 0xff74_4f63;
const VERSION = 2;
const FAN_OUT_START = 8;
const FAN_OUT_BYTES = 1024;
const WORD_BYTES = 4;
const LARGE_BYTES = 8;
/** An offset from here on does not fit: its highest bit says that it stands in the other table. */
const LARGE = 0x8000_0000;
/** Rows that are filled in before they are written: 320 KiB of oids. */
const STEP_ROWS = 2 ** 14;
/** Other clones of the process have a turn after so many of them, some 5 MiB. */
const PIECES_A_TURN = 16;

/** Writes the idx; `checksum` is the pack's trailer in hex. Throws PACK_LIMIT. */
export async function writeIdx(
  fd: number,
  sorted: SortedTable,
  checksum: string,
  largestShortOffset: number,
): Promise<void> {
  const { kernel, rows, table } = sorted;
  const { count } = table;
  const piece = sorted.memory.take(STEP_ROWS * OID_BYTES);
  const [to, oids, crcs, offsets] = [piece, table.oids, table.crcs, table.offsets].map(
    ({ byteOffset }) => byteOffset,
  ) as [number, number, number, number];
  const out = new IdxOutput(fd, piece);
  piece.writeUInt32BE(SIGNATURE, 0);
  piece.writeUInt32BE(VERSION, 4);
  kernel.fillFanOut(oids, count, to + FAN_OUT_START);
  await out.write(FAN_OUT_START + FAN_OUT_BYTES);
  for (const { byteOffset, length } of steps(rows)) {
    kernel.fillOids(byteOffset, length, oids, to);
    await out.write(length * OID_BYTES);
  }
  for (const { byteOffset, length } of steps(rows)) {
    kernel.fillCrcs(byteOffset, length, crcs, to);
    await out.write(length * WORD_BYTES);
  }
  const limit = Math.min(largestShortOffset, LARGE - 1);
  let largeCount = 0;
  for (const { byteOffset, length } of steps(rows)) {
    largeCount = kernel.fillOffsets(byteOffset, length, offsets, limit, largeCount, to);
    await out.write(length * WORD_BYTES);
  }
  if (largeCount > 0) await writeLarge(out, piece, sorted, limit);
  piece.write(checksum, 'hex');
  await out.end(OID_BYTES);
}

function* steps(rows: Uint32Array): Generator<Uint32Array> {
  for (let from = 0; from < rows.length; from += STEP_ROWS) {
    yield rows.subarray(from, from + STEP_ROWS);
  }
}

/** The offsets above `limit`. */
async function writeLarge(
  out: IdxOutput,
  piece: Buffer,
  { rows, table }: SortedTable,
  limit: number,
): Promise<void> {
  let used = 0;
  for (const row of rows) {
    const offset = table.offsets[row]!;
    if (offset <= limit) continue;
    piece.writeBigUInt64BE(BigInt(offset), used);
    used += LARGE_BYTES;
    if (used < piece.length) continue;
    await out.write(used);
    used = 0;
  }
  await out.write(used);
}

/** A piece of the file that is filled, hashed and written, again and again. */
class IdxOutput {
  readonly #fd: number;
  readonly #piece: Buffer;
  readonly #hash = createHash('sha1');
  #pieces = 0;

  constructor(fd: number, piece: Buffer) {
    this.#fd = fd;
    this.#piece = piece;
  }

  /** The first `length` bytes of the piece. */
  async write(length: number): Promise<void> {
    const bytes = this.#piece.subarray(0, length);
    this.#hash.update(bytes);
    writeFileSync(this.#fd, bytes);
    if (++this.#pieces % PIECES_A_TURN === 0) await nextTurn();
  }

  /** The last `length` bytes, and the checksum of all. */
  async end(length: number): Promise<void> {
    await this.write(length);
    writeFileSync(this.#fd, this.#hash.digest());
  }
}
