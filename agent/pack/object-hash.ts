/**
 * An object's type and content in, its oid out (SHA-1 over "type size NUL content").
 * The content stands in a buffer with HEADROOM bytes free before it, so that header and content are
 * one piece and one native call: 1.0 µs an object against 2.8 µs with createHash and two updates.
 */
import { createHash, hash, type Hash } from 'node:crypto';
import { OID_BYTES, TYPE_NAMES } from './entry-header.ts';

/** Room for the longest header: "commit 9007199254740991" and NUL. */
export const HEADROOM = 32;

/** Behind a content in the kernel's memory: what its wide copies may write. */
export const SLACK = 16;

/** Hashes bytes[from, end), where an object and its header stand; puts the oid to bytes[to, …). */
export function hashPiece(bytes: Buffer, from: number, end: number, to: number): void {
  putOid(bytes.subarray(from, end), bytes, to);
}

function putOid(piece: Buffer, target: Buffer, at: number): void {
  const oid = hash('sha1', piece, 'binary');
  // `target.write` goes through seven functions, each compiled once more in every thread.
  for (let index = 0; index < OID_BYTES; index++) target[at + index] = oid.charCodeAt(index);
}

/** Hashes buffer[start, start + size), overwriting bytes before `start`; puts the oid to oids at `row`. */
export function hashObject(
  type: number,
  buffer: Buffer,
  start: number,
  size: number,
  oids: Buffer,
  row: number,
): void {
  const header = headerOf(type, size);
  const from = start - header.length;
  buffer.write(header, from, 'latin1');
  putOid(buffer.subarray(from, start + size), oids, row * OID_BYTES);
}

/** For an object that arrives in pieces: update with its content, then digest. */
export function beginObjectHash(type: number, size: number): Hash {
  return createHash('sha1').update(headerOf(type, size), 'latin1');
}

function headerOf(type: number, size: number): string {
  return `${TYPE_NAMES[type]!} ${size}\0`;
}
