/**
 * One entry of an index as a view into bytes: the fixed part as it stands on disk (gitformat-index,
 * 62 bytes, or 64 with extended flags) and the path's raw bytes. Nothing is decoded before it is
 * asked for: 500,000 entries cost 80 bytes each on top of the file itself.
 */
import type { BigIntStats } from 'node:fs';
import { compareBytes, copyBytes } from './bytes.ts';

export const OID_BYTES = 20;
/** Stat data, mode, oid and flags; the extended flags of version 3 follow. */
export const FIXED_BYTES = 62;

/** Modes of index entries and, but for DIRECTORY, of what checkout creates. */
export const MODE = {
  regular: 0o100644,
  executable: 0o100755,
  symlink: 0o120000,
  gitlink: 0o160000,
  /** Only in a sparse index: a whole directory outside the sparse checkout. */
  directory: 0o040000,
} as const;

export type Stage = 0 | 1 | 2 | 3;

const AT = {
  ctimeSec: 0,
  ctimeNsec: 4,
  mtimeSec: 8,
  mtimeNsec: 12,
  dev: 16,
  ino: 20,
  mode: 24,
  uid: 28,
  gid: 32,
  size: 36,
  oid: 40,
  flags: 60,
  extendedFlags: 62,
} as const;

export const FLAG = {
  assumeValid: 0x8000,
  extended: 0x4000,
  stage: 0x3000,
  nameLength: 0x0fff,
} as const;
export const EXTENDED_FLAG = { skipWorktree: 0x4000, intentToAdd: 0x2000 } as const;

const NSEC_PER_SEC = 1_000_000_000n;

export class IndexEntry {
  readonly #fixed: Buffer;
  readonly #fixedAt: number;
  readonly #paths: Buffer;
  readonly #pathStart: number;
  readonly #pathEnd: number;

  /** The buffers stay owned by the index that they were read from, and alive with its entries. */
  constructor(fixed: Buffer, fixedAt: number, paths: Buffer, pathStart: number, pathEnd: number) {
    this.#fixed = fixed;
    this.#fixedAt = fixedAt;
    this.#paths = paths;
    this.#pathStart = pathStart;
    this.#pathEnd = pathEnd;
  }

  /** Raw bytes, `/` between components; a view, not to be written to. */
  get path(): Buffer {
    return this.#paths.subarray(this.#pathStart, this.#pathEnd);
  }
  get pathBytes(): number {
    return this.#pathEnd - this.#pathStart;
  }
  get oid(): string {
    const at = this.#fixedAt + AT.oid;
    return this.#fixed.toString('hex', at, at + OID_BYTES);
  }
  get mode(): number {
    return this.#uint32(AT.mode);
  }
  get stage(): Stage {
    return ((this.#flags & FLAG.stage) >> 12) as Stage;
  }
  /** The low 32 bits of the file's size, as are dev, ino, uid and gid. */
  get size(): number {
    return this.#uint32(AT.size);
  }
  get ctimeSec(): number {
    return this.#uint32(AT.ctimeSec);
  }
  get ctimeNsec(): number {
    return this.#uint32(AT.ctimeNsec);
  }
  get mtimeSec(): number {
    return this.#uint32(AT.mtimeSec);
  }
  get mtimeNsec(): number {
    return this.#uint32(AT.mtimeNsec);
  }
  get dev(): number {
    return this.#uint32(AT.dev);
  }
  get ino(): number {
    return this.#uint32(AT.ino);
  }
  get uid(): number {
    return this.#uint32(AT.uid);
  }
  get gid(): number {
    return this.#uint32(AT.gid);
  }
  get assumeValid(): boolean {
    return (this.#flags & FLAG.assumeValid) !== 0;
  }
  get skipWorktree(): boolean {
    return (this.extendedFlags & EXTENDED_FLAG.skipWorktree) !== 0;
  }
  get intentToAdd(): boolean {
    return (this.extendedFlags & EXTENDED_FLAG.intentToAdd) !== 0;
  }
  /** The 16 bits of version 3, 0 where the entry has none. */
  get extendedFlags(): number {
    if ((this.#flags & FLAG.extended) === 0) return 0;
    return this.#fixed.readUInt16BE(this.#fixedAt + AT.extendedFlags);
  }

  /** Copies the path to `target`; @returns where it ends there. */
  copyPathTo(target: Buffer, at: number): number {
    return copyBytes(this.#paths, this.#pathStart, this.#pathEnd, target, at);
  }

  /** memcmp of the paths, a prefix first. */
  comparePath(other: IndexEntry): number {
    const shared = Math.min(this.pathBytes, other.pathBytes);
    const order = compareBytes(
      this.#paths,
      this.#pathStart,
      other.#paths,
      other.#pathStart,
      shared,
    );
    return order === 0 ? this.pathBytes - other.pathBytes : order;
  }

  /** By path, then stage: the order of every index. */
  compare(other: IndexEntry): number {
    const order = this.comparePath(other);
    return order === 0 ? this.stage - other.stage : order;
  }

  /** This entry under the path of another (split index: replacements come without their names). */
  withPathOf(other: IndexEntry): IndexEntry {
    return new IndexEntry(
      this.#fixed,
      this.#fixedAt,
      other.#paths,
      other.#pathStart,
      other.#pathEnd,
    );
  }

  /** Records what the file system says of the file just written. Only for entries being built. */
  setStat(stat: BigIntStats): void {
    this.#setUint32(AT.ctimeSec, stat.ctimeNs / NSEC_PER_SEC);
    this.#setUint32(AT.ctimeNsec, stat.ctimeNs % NSEC_PER_SEC);
    this.#setUint32(AT.mtimeSec, stat.mtimeNs / NSEC_PER_SEC);
    this.#setUint32(AT.mtimeNsec, stat.mtimeNs % NSEC_PER_SEC);
    this.#setUint32(AT.dev, stat.dev);
    this.#setUint32(AT.ino, stat.ino);
    this.#setUint32(AT.uid, stat.uid);
    this.#setUint32(AT.gid, stat.gid);
    this.#setUint32(AT.size, stat.size);
  }

  /** Copies stat data, mode and oid, as they stand on disk, to `target`. */
  copyFixedTo(target: Buffer, at: number): void {
    copyBytes(this.#fixed, this.#fixedAt, this.#fixedAt + AT.flags, target, at);
  }

  get #flags(): number {
    return this.#fixed.readUInt16BE(this.#fixedAt + AT.flags);
  }
  #uint32(offset: number): number {
    return this.#fixed.readUInt32BE(this.#fixedAt + offset);
  }
  #setUint32(offset: number, value: bigint): void {
    this.#fixed.writeUInt32BE(Number(BigInt.asUintN(32, value)), this.#fixedAt + offset);
  }
}

/** Memory for the fixed parts and paths of new entries, in chunks that are never moved. */
export class EntryArena {
  #chunk: Buffer = Buffer.alloc(0);
  #used = 0;

  /** @returns a zeroed place of `byteCount` bytes at `at` in `buffer`. */
  take(byteCount: number): { readonly buffer: Buffer; readonly at: number } {
    if (this.#used + byteCount > this.#chunk.length) {
      this.#chunk = Buffer.alloc(Math.max(CHUNK_BYTES, byteCount));
      this.#used = 0;
    }
    const at = this.#used;
    this.#used += byteCount;
    return { buffer: this.#chunk, at };
  }
}
const CHUNK_BYTES = 256 * 1024;

/** A new entry at stage 0 without stat data: what checkout starts from. Copies the bytes. */
export function createEntry(
  arena: EntryArena,
  mode: number,
  oid: string,
  directory: Buffer,
  name: Buffer,
): IndexEntry {
  const { buffer, at } = arena.take(FIXED_BYTES + directory.length + name.length);
  const end = putEntry(buffer, at, mode, oid, directory, name);
  return new IndexEntry(buffer, at, buffer, at + FIXED_BYTES, end);
}

/** Writes the fixed part and the path of such an entry to zeroed memory; @returns where it ends. */
function putEntry(
  buffer: Buffer,
  at: number,
  mode: number,
  oid: string,
  directory: Buffer,
  name: Buffer,
): number {
  buffer.writeUInt32BE(mode, at + AT.mode);
  buffer.write(oid, at + AT.oid, OID_BYTES, 'hex');
  const nameStart = copyBytes(directory, 0, directory.length, buffer, at + FIXED_BYTES);
  return copyBytes(name, 0, name.length, buffer, nameStart);
}
