/**
 * An index file in, its entries in order and its cache tree out; nothing is written and nothing
 * run. The file belongs to the user: every count and length in it is a claim. Versions 2, 3 and 4,
 * split and sparse indexes: gitformat-index.
 */
import { createHash } from 'node:crypto';
import { closeSync, constants, fstatSync, openSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { CheckoutError, errnoOf } from '../errors.ts';
import { parseCacheTree } from './cache-tree.ts';
import type { CacheTree } from './cache-tree.ts';
import {
  EntryArena,
  EXTENDED_FLAG,
  FIXED_BYTES,
  FLAG,
  IndexEntry,
  OID_BYTES,
} from './index-entry.ts';
import { mergeSplitIndex, parseLink } from './split-index.ts';
import type { IndexLink } from './split-index.ts';

export interface GitIndex {
  /** By path bytes, then stage. */
  readonly entries: readonly IndexEntry[];
  /** null when the file has none or a damaged one. */
  readonly cacheTree: CacheTree | null;
  /** The extension as it stands (REUC): what the stages of conflicts were before they were solved. */
  readonly resolveUndo: Buffer | null;
  /**
   * The index file's own mtime, nanoseconds; 0n when there is no file. An entry whose mtime is not
   * before it may hide a later change of the same size: its content has to be compared.
   */
  readonly mtimeNs: bigint;
}

export interface ReadIndexOptions {
  /** Most bytes of the file, and again of the paths in it once they are expanded. */
  readonly limitBytes?: number;
  /**
   * Takes the entries of an index that is not split one by one, in order; `entries` is empty then.
   * For who keeps less of an entry than all of it.
   */
  readonly onEntry?: (entry: IndexEntry) => void;
  /** Takes the TREE extension as it stands; `cacheTree` is null then. */
  readonly onCacheTree?: (bytes: Buffer) => void;
}

const SIGNATURE = 0x44495243; // DIRC
const HEADER_BYTES = 12;
const EXTENSION_HEADER_BYTES = 8;
const EXTENDED_FLAGS_BYTES = 2;
const NULL_CHECKSUM = Buffer.alloc(OID_BYTES);
const DEFAULT_LIMIT_BYTES = 1024 ** 3;
/** Entries between two rests. */
const STRIDE = 1024;
const EMPTY: GitIndex = { entries: [], cacheTree: null, resolveUndo: null, mtimeNs: 0n };

/** Work in steps: after each the caller may do something else. */
type Steps<T> = Generator<undefined, T, undefined>;

/**
 * Reads `<gitdir>/index`; an absent one is empty. Throws INDEX_INVALID for what git would not
 * read either; errors of the file system pass through.
 */
export function readIndex(gitdir: string, options: ReadIndexOptions = {}): GitIndex {
  const steps = readIndexInSteps(gitdir, options);
  for (;;) {
    const { done, value } = steps.next();
    if (done === true) return value;
  }
}

/** As readIndex; of a big index each step takes some milliseconds. */
export function* readIndexInSteps(gitdir: string, options: ReadIndexOptions = {}): Steps<GitIndex> {
  const limitBytes = options.limitBytes ?? DEFAULT_LIMIT_BYTES;
  const path = join(gitdir, 'index');
  const file = readIndexFile(path, limitBytes);
  if (file === undefined) return EMPTY;
  yield;
  const parsed = yield* parseIndex(file.bytes, path, limitBytes, options);
  const { entries: own, cacheTree, resolveUndo, link } = parsed;
  const shared = link?.sharedOid ?? null;
  const entries =
    link === null || shared === null
      ? own
      : mergeSplitIndex(yield* readSharedIndex(gitdir, shared, limitBytes), own, link);
  checkOrder(entries, path);
  return { entries, cacheTree, resolveUndo, mtimeNs: file.mtimeNs };
}

function* readSharedIndex(gitdir: string, oid: string, limitBytes: number): Steps<IndexEntry[]> {
  const path = join(gitdir, `sharedindex.${oid}`);
  const file = readIndexFile(path, limitBytes);
  if (file === undefined) throw invalid(path, 'the index refers to it, but it is absent');
  const checksum = file.bytes.subarray(-OID_BYTES).toString('hex');
  if (checksum !== oid) throw invalid(path, `expected checksum ${oid}, got ${checksum}`);
  const { entries, link } = yield* parseIndex(file.bytes, path, limitBytes);
  if (link !== null) throw invalid(path, 'a shared index is itself split');
  return entries;
}

interface IndexFile {
  readonly bytes: Buffer;
  readonly mtimeNs: bigint;
}

function readIndexFile(path: string, limitBytes: number): IndexFile | undefined {
  let fd: number;
  try {
    // O_NONBLOCK: a FIFO in its place must not hold us up.
    fd = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return undefined;
    throw error;
  }
  try {
    const stat = fstatSync(fd, { bigint: true });
    if (!stat.isFile()) throw invalid(path, 'expected a regular file');
    if (stat.size > limitBytes) throw invalid(path, `${stat.size} bytes, limit ${limitBytes}`);
    return { bytes: readFileSync(fd), mtimeNs: stat.mtimeNs };
  } finally {
    closeSync(fd);
  }
}

interface ParsedIndex {
  readonly entries: IndexEntry[];
  readonly cacheTree: CacheTree | null;
  readonly resolveUndo: Buffer | null;
  readonly link: IndexLink | null;
}

function* parseIndex(
  bytes: Buffer,
  path: string,
  limitBytes: number,
  { onEntry, onCacheTree }: ReadIndexOptions = {},
): Steps<ParsedIndex> {
  if (bytes.length < HEADER_BYTES + OID_BYTES) throw invalid(path, `${bytes.length} bytes`);
  const signature = bytes.readUInt32BE(0);
  if (signature !== SIGNATURE) throw invalid(path, `signature ${signature.toString(16)}, not DIRC`);
  const version = bytes.readUInt32BE(4);
  if (version < 2 || version > 4) throw invalid(path, `version ${version}, expected 2, 3 or 4`);
  verifyChecksum(bytes, path);
  yield;
  const end = bytes.length - OID_BYTES;
  const entryCount = bytes.readUInt32BE(8);
  if (entryCount * FIXED_BYTES > end) throw invalid(path, `${entryCount} entries cannot fit`);
  const reader = new EntryReader(bytes, end, path, version === 4 ? limitBytes : null);
  if (onEntry !== undefined && !isSplit(bytes)) {
    yield* handOver(reader, entryCount, path, onEntry);
    return { entries: [], ...parseExtensions(bytes.subarray(reader.at, end), path, onCacheTree) };
  }
  const entries = Array.from({ length: entryCount }, () => reader.next());
  return { entries, ...parseExtensions(bytes.subarray(reader.at, end), path, onCacheTree) };
}

/**
 * The extension's name and the first byte of its size. True as well for some path that ends like
 * this: then only memory is lost.
 */
function isSplit(bytes: Buffer): boolean {
  return bytes.includes('link\0', 0, 'latin1');
}

function* handOver(
  reader: EntryReader,
  count: number,
  path: string,
  onEntry: (entry: IndexEntry) => void,
): Steps<void> {
  let before: IndexEntry | undefined;
  for (let position = 0; position < count; position++) {
    const entry = reader.next();
    if (before !== undefined) checkPair(before, entry, position, path);
    onEntry(entry);
    before = entry;
    if (position % STRIDE === 0) yield;
  }
}

function verifyChecksum(bytes: Buffer, path: string): void {
  const body = bytes.length - OID_BYTES;
  const expected = bytes.subarray(body);
  // index.skipHash
  if (expected.equals(NULL_CHECKSUM)) return;
  const actual = createHash('sha1').update(bytes.subarray(0, body)).digest();
  if (!actual.equals(expected)) {
    throw invalid(
      path,
      `expected checksum ${expected.toString('hex')}, got ${actual.toString('hex')}`,
    );
  }
}

class EntryReader {
  at = HEADER_BYTES;
  readonly #bytes: Buffer;
  readonly #end: number;
  readonly #file: string;
  readonly #arena: EntryArena | null;
  #pathBytesLeft: number;
  #previousPath: Buffer = Buffer.alloc(0);

  /** @param pathLimitBytes of version 4's expanded paths; null for the versions before it. */
  constructor(bytes: Buffer, end: number, file: string, pathLimitBytes: number | null) {
    this.#bytes = bytes;
    this.#end = end;
    this.#file = file;
    this.#arena = pathLimitBytes === null ? null : new EntryArena();
    this.#pathBytesLeft = pathLimitBytes ?? 0;
  }

  next(): IndexEntry {
    const start = this.at;
    if (start + FIXED_BYTES + EXTENDED_FLAGS_BYTES > this.#end) throw this.#damage('entry cut off');
    const flags = this.#bytes.readUInt16BE(start + FIXED_BYTES - 2);
    let fixedBytes = FIXED_BYTES;
    if ((flags & FLAG.extended) !== 0) {
      const extended = this.#bytes.readUInt16BE(start + FIXED_BYTES);
      if ((extended & ~(EXTENDED_FLAG.skipWorktree | EXTENDED_FLAG.intentToAdd)) !== 0) {
        throw this.#damage(`extended flags ${extended.toString(16)}`);
      }
      fixedBytes += EXTENDED_FLAGS_BYTES;
    }
    const pathStart = start + fixedBytes;
    if (this.#arena !== null) return this.#withPrefix(this.#arena, start, pathStart);
    const pathEnd = this.#pathEnd(pathStart, flags & FLAG.nameLength);
    // One to eight NULs, up to a multiple of eight.
    this.at = start + ((fixedBytes + pathEnd - pathStart + 8) & ~7);
    if (this.at > this.#end) throw this.#damage('entry cut off');
    return new IndexEntry(this.#bytes, start, this.#bytes, pathStart, pathEnd);
  }

  #pathEnd(pathStart: number, claimedBytes: number): number {
    const bytes = this.#bytes;
    let end = pathStart;
    while (end < this.#end && bytes[end] !== 0) end++;
    if (end === this.#end) throw this.#damage('path without an end');
    const pathBytes = Math.min(end - pathStart, FLAG.nameLength);
    if (pathBytes !== claimedBytes) {
      throw this.#damage(`path of ${pathBytes} bytes, said to have ${claimedBytes}`);
    }
    return end;
  }

  /** Version 4: how many bytes to drop from the path before, then what follows, to a NUL. */
  #withPrefix(arena: EntryArena, start: number, varintStart: number): IndexEntry {
    const dropped = this.#varint(varintStart);
    const previous = this.#previousPath;
    const suffixEnd = this.#bytes.indexOf(0, dropped.end);
    if (dropped.value > previous.length)
      throw this.#damage('path prefix longer than the path before');
    if (suffixEnd < 0 || suffixEnd >= this.#end) throw this.#damage('path without an end');
    const keptBytes = previous.length - dropped.value;
    const pathBytes = keptBytes + suffixEnd - dropped.end;
    this.#pathBytesLeft -= pathBytes;
    if (this.#pathBytesLeft < 0) throw this.#damage('expanded paths over the limit');
    const { buffer, at } = arena.take(pathBytes);
    previous.copy(buffer, at, 0, keptBytes);
    this.#bytes.copy(buffer, at + keptBytes, dropped.end, suffixEnd);
    this.#previousPath = buffer.subarray(at, at + pathBytes);
    this.at = suffixEnd + 1;
    return new IndexEntry(this.#bytes, start, buffer, at, at + pathBytes);
  }

  /** The offset encoding of pack entries: each further byte adds one before it shifts. */
  #varint(start: number): { value: number; end: number } {
    let at = start;
    let byte = this.#bytes[at++]!;
    let value = byte & 0x7f;
    while ((byte & 0x80) !== 0) {
      byte = this.#bytes[at++]!;
      value = (value + 1) * 128 + (byte & 0x7f);
      if (at > this.#end || value > this.#end) throw this.#damage('path prefix out of range');
    }
    return { value, end: at };
  }

  #damage(what: string): CheckoutError {
    return invalid(this.#file, `${what}, at offset ${this.at}`);
  }
}

function parseExtensions(
  bytes: Buffer,
  path: string,
  onCacheTree: ReadIndexOptions['onCacheTree'],
): Omit<ParsedIndex, 'entries'> {
  let cacheTree: CacheTree | null = null;
  let resolveUndo: Buffer | null = null;
  let link: IndexLink | null = null;
  let at = 0;
  while (at < bytes.length) {
    const start = at + EXTENSION_HEADER_BYTES;
    const end = start > bytes.length ? Infinity : start + bytes.readUInt32BE(at + 4);
    if (end > bytes.length) throw invalid(path, 'extension cut off');
    const name = bytes.toString('latin1', at, at + 4);
    if (name === 'TREE' && onCacheTree !== undefined) onCacheTree(bytes.subarray(start, end));
    else if (name === 'TREE') cacheTree = parseCacheTree(bytes.subarray(start, end));
    else if (name === 'REUC') resolveUndo = bytes.subarray(start, end);
    else if (name === 'link') link = parseLink(bytes.subarray(start, end));
    // Upper case: optional (UNTR, FSMN, EOIE, IEOT …). "sdir" only says that an entry may
    // stand for a directory, which its mode says as well.
    else if (!/^[A-Z]/.test(name) && name !== 'sdir') {
      throw invalid(path, `required extension ${JSON.stringify(name)} is unknown`);
    }
    at = end;
  }
  return { cacheTree, resolveUndo, link };
}

function checkOrder(entries: readonly IndexEntry[], path: string): void {
  for (let i = 1; i < entries.length; i++) checkPair(entries[i - 1]!, entries[i]!, i, path);
}

function checkPair(before: IndexEntry, entry: IndexEntry, position: number, path: string): void {
  const order = before.comparePath(entry);
  if (order > 0 || (order === 0 && (before.stage === 0 || before.stage > entry.stage))) {
    throw invalid(path, `entries ${position - 1} and ${position} are out of order`);
  }
}

function invalid(path: string, what: string): CheckoutError {
  return new CheckoutError('INDEX_INVALID', `${path}: ${what}`);
}
