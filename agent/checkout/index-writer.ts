/**
 * Entries and their cache tree in, an index file out: version 2, or 3 where an entry needs extended
 * flags, with the TREE extension. Readers see the old file or the new one, never half of it: the
 * bytes go to git's own lock name first. gitformat-index.
 */
import { createHash } from 'node:crypto';
import { closeSync, fsyncSync, openSync, renameSync, unlinkSync, writeFileSync } from 'node:fs';
import { encodeCacheTree } from './cache-tree.ts';
import type { CacheTree } from './cache-tree.ts';
import { FIXED_BYTES, FLAG, OID_BYTES } from './index-entry.ts';
import type { IndexEntry } from './index-entry.ts';

const HEADER_BYTES = 12;
const EXTENSION_HEADER_BYTES = 8;
const EXTENDED_FLAGS_BYTES = 2;

/**
 * Writes the index at `path`, durably. Fails with EEXIST while somebody holds `<path>.lock`;
 * errors of the file system pass through, and then `path` is as it was.
 */
export function writeIndex(
  path: string,
  entries: readonly IndexEntry[],
  cacheTree: CacheTree | null,
): void {
  const bytes = encodeIndex(entries, cacheTree);
  const lock = `${path}.lock`;
  // 0666 through the umask, as git does: 0644 by default.
  const fd = openSync(lock, 'wx', 0o666);
  try {
    try {
      writeFileSync(fd, bytes);
      fsyncSync(fd);
    } finally {
      closeSync(fd);
    }
    renameSync(lock, path);
  } catch (error) {
    unlinkSync(lock);
    throw error;
  }
}

export function encodeIndex(entries: readonly IndexEntry[], cacheTree: CacheTree | null): Buffer {
  const sorted = [...entries].sort((a, b) => a.compare(b));
  const tree = cacheTree === null ? null : encodeCacheTree(cacheTree);
  let size = HEADER_BYTES + OID_BYTES;
  if (tree !== null) size += EXTENSION_HEADER_BYTES + tree.length;
  for (const entry of sorted) size += entryBytes(entry);
  const bytes = Buffer.alloc(size);

  bytes.write('DIRC', 0, 'latin1');
  bytes.writeUInt32BE(sorted.some((entry) => entry.extendedFlags !== 0) ? 3 : 2, 4);
  bytes.writeUInt32BE(sorted.length, 8);
  let at = HEADER_BYTES;
  for (const entry of sorted) at = encodeEntry(entry, bytes, at);
  if (tree !== null) {
    bytes.write('TREE', at, 'latin1');
    bytes.writeUInt32BE(tree.length, at + 4);
    at += EXTENSION_HEADER_BYTES + tree.copy(bytes, at + EXTENSION_HEADER_BYTES);
  }
  createHash('sha1').update(bytes.subarray(0, at)).digest().copy(bytes, at);
  return bytes;
}

/** One to eight NULs end the path and fill up to a multiple of eight. */
function entryBytes(entry: IndexEntry): number {
  const extended = entry.extendedFlags === 0 ? 0 : EXTENDED_FLAGS_BYTES;
  return (FIXED_BYTES + extended + entry.pathBytes + 8) & ~7;
}

function encodeEntry(entry: IndexEntry, bytes: Buffer, start: number): number {
  entry.copyFixedTo(bytes, start);
  const { extendedFlags } = entry;
  const flags =
    (entry.assumeValid ? FLAG.assumeValid : 0) |
    (extendedFlags === 0 ? 0 : FLAG.extended) |
    (entry.stage << 12) |
    Math.min(entry.pathBytes, FLAG.nameLength);
  let at = bytes.writeUInt16BE(flags, start + FIXED_BYTES - 2);
  if (extendedFlags !== 0) at = bytes.writeUInt16BE(extendedFlags, at);
  entry.copyPathTo(bytes, at);
  return start + entryBytes(entry);
}
