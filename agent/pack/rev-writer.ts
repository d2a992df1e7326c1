/**
 * The order of the idx in, a reverse index in a file out, byte for byte that of `git index-pack
 * --rev-index` (gitformat-pack, "pack-*.rev files"): for each object, in the pack's order, its place
 * in the idx. Git 2.41 writes one with every clone; without it each push or gc sorts all objects.
 */
import { createHash } from 'node:crypto';
import type { FileHandle } from 'node:fs/promises';
import { endianness } from 'node:os';
import { OID_BYTES } from './entry-header.ts';

const SIGNATURE = 'RIDX';
const VERSION = 1;
const SHA_1 = 1;
const HEADER_BYTES = 12;

/** `order` is every row, which stand in the pack's order, sorted by oid; `checksum` the pack's, in hex. */
export async function writeRev(
  file: FileHandle,
  order: Uint32Array,
  checksum: string,
): Promise<void> {
  const tableEnd = HEADER_BYTES + order.length * 4;
  const bytes = Buffer.alloc(tableEnd + 2 * OID_BYTES);
  bytes.write(SIGNATURE, 'latin1');
  bytes.writeUInt32BE(VERSION, 4);
  bytes.writeUInt32BE(SHA_1, 8);
  const places = new Uint32Array(bytes.buffer, bytes.byteOffset + HEADER_BYTES, order.length);
  for (let place = 0; place < order.length; place++) places[order[place]!] = place;
  if (endianness() === 'LE') bytes.subarray(HEADER_BYTES, tableEnd).swap32();
  bytes.write(checksum, tableEnd, 'hex');
  const checked = tableEnd + OID_BYTES;
  createHash('sha1').update(bytes.subarray(0, checked)).digest().copy(bytes, checked);
  await file.writeFile(bytes);
}
