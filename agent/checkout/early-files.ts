/**
 * Blobs in, while the pack still arrives; the files of the worktree that have one as their content
 * out. Each content is written as it passes, so that no blob is inflated a second time. One of these
 * runs in every thread that makes objects. What does not pass here (a blob too large to be whole in
 * memory, one that comes before its tree) is left to checkOut, as are symlinks and conversions.
 */
import { writeSync } from 'node:fs';
import { OBJECT_TYPE } from '../pack/entry-header.ts';
import { OID_BYTES } from './index-entry.ts';
import { isLfsPointer } from './lfs-pointer.ts';
import { NONE, STATE, entryAt, receiveMemory, slotOf } from './shared-files.ts';
import type { SharedMemory } from './shared-files.ts';
import { WorktreeFiles } from './worktree-files.ts';

/**
 * Contents are put aside until there are so many, and one thread at a time writes its own: two that
 * create files at once on ext4 took 4.8 s for 50,000 files, one alone 1.1 s, because they spin on the
 * same locks of the kernel; and two that take turns at each file mostly switch.
 */
const BATCH_BYTES = 2 ** 20;

interface Pending {
  readonly entry: number;
  /** Where in the batch the content is. */
  readonly start: number;
  readonly size: number;
}

export class EarlyFiles {
  readonly #batch = Buffer.allocUnsafeSlow(BATCH_BYTES);
  #batchBytes = 0;
  #pending: Pending[] = [];
  readonly #shared: SharedMemory;
  readonly #oids: Buffer;
  readonly #files: WorktreeFiles;

  /** @param oids 20 bytes a row: the oid of each object that passes is there by then. */
  constructor(shared: SharedMemory, oids: Buffer) {
    this.#shared = receiveMemory(shared);
    this.#oids = oids;
    this.#files = new WorktreeFiles(shared.worktree, shared.mtimeSec);
  }

  /** Takes an object: content[start, start + size). Throws what WorktreeFiles throws. */
  take(row: number, type: number, content: Buffer, start: number, size: number): void {
    if (type !== OBJECT_TYPE.blob) return;
    const { slots, next } = this.#shared;
    let found = slots[slotOf(this.#shared, this.#oids, row * OID_BYTES)]!;
    // What is too large for a batch is too large for one look at the pack.
    if (found === 0 || size > BATCH_BYTES) return;
    if (this.#batchBytes + size > BATCH_BYTES) this.flush();
    const at = this.#batchBytes;
    content.copy(this.#batch, at, start, start + size);
    this.#batchBytes += size;
    for (; found !== 0; found = next[found - 1]!) {
      this.#pending.push({ entry: found - 1, start: at, size });
    }
  }

  /** Writes what was put aside. For who has nothing more to give, or nothing for now. */
  flush(): void {
    if (this.#pending.length === 0) return;
    const { lock } = this.#shared;
    while (Atomics.compareExchange(lock, 0, 0, 1) !== 0) Atomics.wait(lock, 0, 1);
    try {
      for (const { entry, start, size } of this.#pending) this.#write(entry, start, size);
    } finally {
      Atomics.store(lock, 0, 0);
      Atomics.notify(lock, 0, 1);
      this.#pending = [];
      this.#batchBytes = 0;
    }
  }

  #write(entry: number, start: number, size: number): void {
    const { states, directoryOf } = this.#shared;
    if (states[entry] !== STATE.missing) return;
    const indexEntry = entryAt(this.#shared, entry);
    this.#makeDirectories(directoryOf[entry]!, indexEntry.path);
    this.#files.createFile(indexEntry, (fd) => {
      const end = start + size;
      for (let at = start; at < end;) at += writeSync(fd, this.#batch, at, end - at);
    });
    states[entry] = isLfsPointer(this.#batch, start, size) ? STATE.lfsPointer : STATE.written;
  }

  /** Makes the directory of `path` and those above it; there are at most 2,048 of these. */
  #makeDirectories(directory: number, path: Buffer): void {
    const { made, parentOf, directoryLengths } = this.#shared;
    if (made[directory] === 1) return;
    const missing: number[] = [];
    for (let at = directory; at !== NONE && made[at] === 0; at = parentOf[at]!) missing.push(at);
    for (const at of missing.reverse()) {
      this.#files.makeDirectory(path.subarray(0, directoryLengths[at]));
      made[at] = 1;
    }
  }
}
