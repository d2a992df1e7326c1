/**
 * Entries of an index in, one by one and in order; columns out that hold what the ledger asks of
 * them, outside of V8's heap: about 50 bytes an entry and its path.
 */
import type { IndexEntry } from '../checkout/index-entry.ts';
import type { BytePath } from './byte-path.ts';

export const ENTRY_FLAG = { stage: 3, skipWorktree: 4, intentToAdd: 8 } as const;

const FIRST_CAPACITY = 1024;
const PATH_BYTES_GUESS = 48;
const OID_BYTES = 20;
/** Of the oid in an entry as it stands on disk. */
const OID_AT = 40;
const SCRATCH = Buffer.alloc(OID_AT + OID_BYTES);
const SLASH = 47;

export class IndexColumns {
  count = 0;
  modes = new Uint32Array(FIRST_CAPACITY);
  sizes = new Uint32Array(FIRST_CAPACITY);
  inodes = new Uint32Array(FIRST_CAPACITY);
  /** As node:fs computes them, so that equal times are equal numbers. */
  mtimesMs = new Float64Array(FIRST_CAPACITY);
  ctimesMs = new Float64Array(FIRST_CAPACITY);
  flags = new Uint8Array(FIRST_CAPACITY);
  #oids: Buffer = Buffer.allocUnsafeSlow(FIRST_CAPACITY * OID_BYTES);
  #paths: Buffer = Buffer.allocUnsafeSlow(FIRST_CAPACITY * PATH_BYTES_GUESS);
  #pathEnds = new Uint32Array(FIRST_CAPACITY);

  add(entry: IndexEntry): void {
    const position = this.count++;
    if (position === this.modes.length) this.#grow(position * 2);
    this.modes[position] = entry.mode;
    this.sizes[position] = entry.size;
    this.inodes[position] = entry.ino;
    this.mtimesMs[position] = entry.mtimeSec * 1e3 + entry.mtimeNsec / 1e6;
    this.ctimesMs[position] = entry.ctimeSec * 1e3 + entry.ctimeNsec / 1e6;
    this.flags[position] =
      entry.stage |
      (entry.skipWorktree ? ENTRY_FLAG.skipWorktree : 0) |
      (entry.intentToAdd ? ENTRY_FLAG.intentToAdd : 0);
    entry.copyFixedTo(SCRATCH, 0);
    SCRATCH.copy(this.#oids, position * OID_BYTES, OID_AT, OID_AT + OID_BYTES);
    const start = this.#startOf(position);
    if (start + entry.pathBytes > this.#paths.length) {
      this.#paths = grown(this.#paths, (start + entry.pathBytes) * 2);
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

  oid(position: number): string {
    return this.#oids.toString('hex', position * OID_BYTES, (position + 1) * OID_BYTES);
  }

  comparePath(position: number, other: IndexColumns, at: number): number {
    return this.#paths.compare(
      other.#paths,
      other.#startOf(at),
      other.#pathEnds[at],
      this.#startOf(position),
      this.#pathEnds[position],
    );
  }

  isSame(position: number, other: IndexColumns, at: number): boolean {
    return (
      this.mtimesMs[position] === other.mtimesMs[at] &&
      this.ctimesMs[position] === other.ctimesMs[at] &&
      this.sizes[position] === other.sizes[at] &&
      this.inodes[position] === other.inodes[at] &&
      this.modes[position] === other.modes[at] &&
      this.flags[position] === other.flags[at] &&
      this.#oids.compare(
        other.#oids,
        at * OID_BYTES,
        (at + 1) * OID_BYTES,
        position * OID_BYTES,
        (position + 1) * OID_BYTES,
      ) === 0
    );
  }

  #startOf(position: number): number {
    return position === 0 ? 0 : this.#pathEnds[position - 1]!;
  }

  #grow(capacity: number): void {
    this.modes = copied(this.modes, new Uint32Array(capacity));
    this.sizes = copied(this.sizes, new Uint32Array(capacity));
    this.inodes = copied(this.inodes, new Uint32Array(capacity));
    this.mtimesMs = copied(this.mtimesMs, new Float64Array(capacity));
    this.ctimesMs = copied(this.ctimesMs, new Float64Array(capacity));
    this.flags = copied(this.flags, new Uint8Array(capacity));
    this.#pathEnds = copied(this.#pathEnds, new Uint32Array(capacity));
    this.#oids = grown(this.#oids, capacity * OID_BYTES);
  }
}

function copied<T extends Uint8Array | Uint32Array | Float64Array>(from: T, to: T): T {
  to.set(from);
  return to;
}

function grown(from: Buffer, length: number): Buffer {
  const to = Buffer.allocUnsafeSlow(length);
  from.copy(to);
  return to;
}
