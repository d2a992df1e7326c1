/**
 * Entries of an index in, one by one and in order; out, what a ledger asks of them by position. They
 * are kept as they stand on disk (gitformat-index) but for their flags, outside of V8's heap: about 65
 * bytes an entry, and its path.
 */
import type { Stats } from 'node:fs';
import type { IndexEntry } from '../checkout/index-entry.ts';
import type { BytePath } from './byte-path.ts';

const FLAG = { stage: 3, skipWorktree: 4, intentToAdd: 8 } as const;
/** Stat data, mode and oid of an entry. */
const ROW_BYTES = 60;
const AT = { ctime: 0, mtime: 8, ino: 20, mode: 24, size: 36, oid: 40 } as const;
const SLASH = 47;

export class IndexTable {
  count = 0;
  /** Of the index file: an entry that is not older may hide a later change of the same size. */
  mtimeMs = 0;
  #rows: Buffer;
  #view: DataView;
  #flags: Uint8Array;
  #pathEnds: Uint32Array;
  #paths: Buffer;

  /** @param fileBytes size of the index file: memory that stays unused costs nothing. */
  constructor(fileBytes: number) {
    const capacity = Math.ceil(fileBytes / ROW_BYTES) + 1;
    const rows = new ArrayBuffer(capacity * ROW_BYTES);
    this.#rows = Buffer.from(rows);
    this.#view = new DataView(rows);
    this.#flags = new Uint8Array(capacity);
    this.#pathEnds = new Uint32Array(capacity);
    this.#paths = Buffer.from(new ArrayBuffer(fileBytes));
  }

  add(entry: IndexEntry): void {
    const position = this.count++;
    if (position === this.#flags.length) this.#growRows();
    entry.copyFixedTo(this.#rows, position * ROW_BYTES);
    const { stage, extendedFlags } = entry;
    this.#flags[position] =
      extendedFlags === 0
        ? stage
        : stage |
          (entry.skipWorktree ? FLAG.skipWorktree : 0) |
          (entry.intentToAdd ? FLAG.intentToAdd : 0);
    const start = this.#startOf(position);
    // Those of a split index, and of version 4, may take more than the file.
    if (start + entry.pathBytes > this.#paths.length) {
      this.#paths = Buffer.from(grown(this.#paths, (start + entry.pathBytes) * 2));
    }
    this.#pathEnds[position] = entry.copyPathTo(this.#paths, start);
  }

  path(position: number, from = 0): BytePath {
    const start = this.#startOf(position) + from;
    return this.#paths.toString('latin1', start, this.#pathEnds[position]);
  }

  /** Empty for the root, else with a slash at the end. */
  directoryOf(position: number): BytePath {
    const start = this.#startOf(position);
    // A sparse index names a whole directory with its slash.
    const slash = this.#paths.lastIndexOf(SLASH, this.#pathEnds[position]! - 2);
    return slash < start ? '' : this.#paths.toString('latin1', start, slash + 1);
  }

  /** Whether it lies in the same directory as the entry before, whose prefix has that length. */
  isBesideLast(position: number, prefixLength: number): boolean {
    const paths = this.#paths;
    const start = this.#startOf(position);
    const before = this.#startOf(position - 1);
    const end = this.#pathEnds[position]! - 1;
    if (end - start < prefixLength) return false;
    for (let at = 0; at < prefixLength; at++) {
      if (paths[start + at] !== paths[before + at]) return false;
    }
    for (let at = start + prefixLength; at < end; at++) if (paths[at] === SLASH) return false;
    return true;
  }

  /** Order of the path after `from` bytes against `name`: memcmp, a prefix first. */
  compareName(position: number, from: number, name: BytePath): number {
    const start = this.#startOf(position) + from;
    const bytes = this.#pathEnds[position]! - start;
    const shared = Math.min(bytes, name.length);
    for (let at = 0; at < shared; at++) {
      const order = this.#paths[start + at]! - name.charCodeAt(at);
      if (order !== 0) return order;
    }
    return bytes - name.length;
  }

  comparePath(position: number, other: IndexTable, at: number): number {
    return this.#paths.compare(
      other.#paths,
      other.#startOf(at),
      other.#pathEnds[at],
      this.#startOf(position),
      this.#pathEnds[position],
    );
  }

  /** Whether stat data, mode, oid and flags are the same. */
  isSame(position: number, other: IndexTable, at: number): boolean {
    if (this.#flags[position] !== other.#flags[at]) return false;
    const start = position * ROW_BYTES;
    const otherStart = at * ROW_BYTES;
    const end = start + ROW_BYTES;
    return this.#rows.compare(other.#rows, otherStart, otherStart + ROW_BYTES, start, end) === 0;
  }

  oid(position: number): string {
    const at = position * ROW_BYTES + AT.oid;
    return this.#rows.toString('hex', at, (position + 1) * ROW_BYTES);
  }

  mode(position: number): number {
    return this.#view.getUint32(position * ROW_BYTES + AT.mode);
  }

  stage(position: number): number {
    return this.#flags[position]! & FLAG.stage;
  }

  isSkipWorktree(position: number): boolean {
    return (this.#flags[position]! & FLAG.skipWorktree) !== 0;
  }

  isIntentToAdd(position: number): boolean {
    return (this.#flags[position]! & FLAG.intentToAdd) !== 0;
  }

  /** The low 32 bits, as Git keeps them. */
  size(position: number): number {
    return this.#view.getUint32(position * ROW_BYTES + AT.size);
  }

  /** Whether these are the times, size and inode that Git saw. */
  hasStats(position: number, { mtimeMs, ctimeMs, size, ino }: Stats): boolean {
    const row = position * ROW_BYTES;
    return (
      this.#timeMs(row + AT.mtime) === mtimeMs &&
      this.#timeMs(row + AT.ctime) === ctimeMs &&
      this.#view.getUint32(row + AT.size) === size % 2 ** 32 &&
      this.#view.getUint32(row + AT.ino) === ino % 2 ** 32
    );
  }

  /** As node:fs computes them, so that equal times are equal numbers. */
  #timeMs(at: number): number {
    return this.#view.getUint32(at) * 1e3 + this.#view.getUint32(at + 4) / 1e6;
  }

  #startOf(position: number): number {
    return position === 0 ? 0 : this.#pathEnds[position - 1]!;
  }

  #growRows(): void {
    const capacity = this.#flags.length * 2;
    const rows = grown(this.#rows, capacity * ROW_BYTES);
    this.#rows = Buffer.from(rows);
    this.#view = new DataView(rows);
    this.#flags = new Uint8Array(grown(this.#flags, capacity));
    const ends = new Uint32Array(capacity);
    ends.set(this.#pathEnds);
    this.#pathEnds = ends;
  }
}

function grown(from: Uint8Array, byteCount: number): ArrayBuffer {
  const memory = new ArrayBuffer(byteCount);
  new Uint8Array(memory).set(from);
  return memory;
}
