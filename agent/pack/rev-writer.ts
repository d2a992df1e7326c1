/**
 * A sorted table in, a reverse index in a file out, byte for byte that of `git index-pack --rev-index`
 * (gitformat-pack, "pack-*.rev files"): for each object, in the pack's order, its place in the idx. Git
 * 2.41 writes one with every clone; without it each push or gc sorts all objects.
 */
import { createHash } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { OID_BYTES } from './entry-header.ts';
import type { SortedTable } from './sorted-table.ts';

const SIGNATURE = 'RIDX';
const VERSION = 1;
const SHA_1 = 1;
const HEADER_BYTES = 12;

/** `checksum` is the pack's trailer in hex. Throws PACK_LIMIT. */
export function writeRev(
  fd: number,
  { rows, kernel, memory }: SortedTable,
  checksum: string,
): void {
  const tableEnd = HEADER_BYTES + rows.byteLength;
  const bytes = memory.take(tableEnd + 2 * OID_BYTES);
  bytes.write(SIGNATURE, 'latin1');
  bytes.writeUInt32BE(VERSION, 4);
  bytes.writeUInt32BE(SHA_1, 8);
  kernel.fillPlaces(rows.byteOffset, rows.length, bytes.byteOffset + HEADER_BYTES);
  bytes.write(checksum, tableEnd, 'hex');
  const checked = tableEnd + OID_BYTES;
  createHash('sha1').update(bytes.subarray(0, checked)).digest().copy(bytes, checked);
  writeFileSync(fd, bytes);
}
