/**
 * Planned files in, one by one while the pack arrives; the same on shared memory out, so that pack
 * threads find the files whose content a blob is, write them, and leave the stat data where the index
 * is made from. This thread adds, all others look; what an entry needs is there before its slot says
 * so. The memory is committed by the system as it is written, up to CAPACITY files.
 */
import { randomBytes } from 'node:crypto';
import {
  EntryArena,
  FIXED_BYTES,
  IndexEntry,
  MODE,
  OID_BYTES,
  createEntry,
  putEntry,
} from './index-entry.ts';
import type { Directory, EntryKeeper } from './plan.ts';
import { checkoutTime } from './worktree-files.ts';

/** More files are planned like the others, and written when the pack is complete. */
const CAPACITY = 2 ** 19;
const SLOTS = 2 * CAPACITY;
const PATH_BYTES = 64;
const OID_AT = 40;

export const NONE = -1;
/** Where a file stands: a value of `SharedMemory.states`. */
export const STATE = { missing: 0, claimed: 1, written: 2, lfsPointer: 3 } as const;

/** All that a thread gets to see; on its way a Buffer becomes a plain Uint8Array. */
export interface SharedMemory {
  readonly worktree: string;
  readonly mtimeSec: number;
  /** Per entry the fixed part of its index entry and its path; where it begins; one place more. */
  readonly bytes: Buffer;
  readonly starts: Uint32Array;
  /** Per entry: the index of its directory. */
  readonly directoryOf: Int32Array;
  /** Per entry: 1 + the next one with the same oid, or 0. */
  readonly next: Int32Array;
  readonly states: Uint8Array;
  /** Per directory: bytes of its path, which begins the path of each entry in it; its parent. */
  readonly directoryLengths: Uint16Array;
  readonly parentOf: Int32Array;
  /** Per directory: 1 once it was made. */
  readonly made: Uint8Array;
  /** 1 + the first entry of an oid, or 0; open addressing, see slotOf(). */
  readonly slots: Int32Array;
  /** Two odd numbers that nobody can guess: who makes oids that collide must not slow a lookup. */
  readonly salt: Uint32Array;
  /** 1 while a thread makes directories. */
  readonly lock: Int32Array;
}

class SharedEntry extends IndexEntry {
  readonly number: number;

  constructor(bytes: Buffer, start: number, end: number, number: number) {
    super(bytes, start, bytes, start + FIXED_BYTES, end);
    this.number = number;
  }
}

export class SharedFiles implements EntryKeeper {
  readonly memory: SharedMemory;
  /** Entries that are no files, or too many. */
  readonly #arena = new EntryArena();
  #count = 0;

  constructor(worktree: string) {
    this.memory = allocate(worktree, checkoutTime());
    this.memory.made[0] = 1;
    this.memory.parentOf[0] = NONE;
  }

  add(mode: number, oid: string, directory: Directory, prefix: Buffer, name: Buffer): IndexEntry {
    const { bytes, starts } = this.memory;
    const start = starts[this.#count]!;
    const end = start + FIXED_BYTES + prefix.length + name.length;
    const isFile = mode === MODE.regular || mode === MODE.executable;
    const fits = this.#count < CAPACITY && directory.index < CAPACITY && end <= bytes.length;
    if (!isFile || !fits) return createEntry(this.#arena, mode, oid, prefix, name);
    putEntry(bytes, start, mode, oid, prefix, name);
    this.#addDirectory(directory);
    this.#publish(this.#count, end, directory.index);
    return new SharedEntry(bytes, start, end, this.#count++);
  }

  /** Files that nobody has begun yet; without those that other memory holds. */
  get missingCount(): number {
    let missing = 0;
    for (let entry = 0; entry < this.#count; entry++) {
      if (this.memory.states[entry] === STATE.missing) missing++;
    }
    return missing;
  }

  stateOf(entry: IndexEntry): number {
    return entry instanceof SharedEntry ? this.memory.states[entry.number]! : STATE.missing;
  }

  isMade({ index }: Directory): boolean {
    return index < CAPACITY && this.memory.made[index] === 1;
  }

  #addDirectory({ path, index, parent }: Directory): void {
    const { directoryLengths, parentOf } = this.memory;
    if (parent === null || directoryLengths[index] !== 0) return;
    directoryLengths[index] = path.length;
    parentOf[index] = parent.index;
    this.#addDirectory(parent);
  }

  #publish(number: number, end: number, directory: number): void {
    const { memory } = this;
    memory.starts[number + 1] = end;
    memory.directoryOf[number] = directory;
    const slot = slotOf(memory, memory.bytes, memory.starts[number]! + OID_AT);
    memory.next[number] = memory.slots[slot]!;
    Atomics.store(memory.slots, slot, number + 1);
  }
}

/** An entry as a view on the memory that all threads see. */
export function entryAt({ bytes, starts }: SharedMemory, entry: number): IndexEntry {
  const start = starts[entry]!;
  return new IndexEntry(bytes, start, bytes, start + FIXED_BYTES, starts[entry + 1]!);
}

/** The slot of the oid at oids[start, …): it holds the first entry with this oid, or 0. */
export function slotOf(memory: SharedMemory, oids: Buffer, start: number): number {
  const { slots, salt, bytes, starts } = memory;
  const low = Math.imul(oids.readUInt32LE(start), salt[0]!);
  const high = Math.imul(oids.readUInt32LE(start + 4), salt[1]!);
  let slot = ((low ^ high) >>> 7) & (SLOTS - 1);
  for (let found = Atomics.load(slots, slot); found !== 0; found = Atomics.load(slots, slot)) {
    const at = starts[found - 1]! + OID_AT;
    if (oids.compare(bytes, at, at + OID_BYTES, start, start + OID_BYTES) === 0) break;
    slot = (slot + 1) & (SLOTS - 1);
  }
  return slot;
}

/** The memory as a thread got it. */
export function receiveMemory(memory: SharedMemory): SharedMemory {
  const { buffer, byteOffset, length } = memory.bytes;
  return { ...memory, bytes: Buffer.from(buffer, byteOffset, length) };
}

function allocate(worktree: string, mtimeSec: number): SharedMemory {
  const share = (bytes: number): SharedArrayBuffer => new SharedArrayBuffer(bytes);
  return {
    worktree,
    mtimeSec,
    bytes: Buffer.from(share(CAPACITY * (FIXED_BYTES + PATH_BYTES))),
    starts: new Uint32Array(share((CAPACITY + 1) * 4)),
    directoryOf: new Int32Array(share(CAPACITY * 4)),
    next: new Int32Array(share(CAPACITY * 4)),
    states: new Uint8Array(share(CAPACITY)),
    directoryLengths: new Uint16Array(share(CAPACITY * 2)),
    parentOf: new Int32Array(share(CAPACITY * 4)),
    made: new Uint8Array(share(CAPACITY)),
    slots: new Int32Array(share(SLOTS * 4)),
    salt: new Uint32Array([randomBytes(4).readUInt32LE() | 1, randomBytes(4).readUInt32LE() | 1]),
    lock: new Int32Array(share(4)),
  };
}
