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

export class EarlyFiles {
  readonly #shared: SharedMemory;
  readonly #oids: Buffer;
  readonly #files: WorktreeFiles;

  /** @param oids 20 bytes a row: the oid of each object that passes is there by then. */
  constructor(shared: SharedMemory, oids: Buffer) {
    this.#shared = receiveMemory(shared);
    this.#oids = oids;
    this.#files = new WorktreeFiles(shared.worktree, shared.mtimeSec);
  }

  /** Whether a file that is missing has the object's content. */
  wants(row: number): boolean {
    const { slots, next, states } = this.#shared;
    let found = slots[slotOf(this.#shared, this.#oids, row * OID_BYTES)]!;
    for (; found !== 0; found = next[found - 1]!) {
      if (Atomics.load(states, found - 1) === STATE.missing) return true;
    }
    return false;
  }

  /** Takes an object: content[start, start + size). Throws what WorktreeFiles throws. */
  take(row: number, type: number, content: Buffer, start: number, size: number): void {
    if (type !== OBJECT_TYPE.blob) return;
    const { slots, next, states } = this.#shared;
    let found = slots[slotOf(this.#shared, this.#oids, row * OID_BYTES)]!;
    for (; found !== 0; found = next[found - 1]!) {
      const entry = found - 1;
      // A pack may have an object twice, and two threads make it at once.
      const state = Atomics.compareExchange(states, entry, STATE.missing, STATE.claimed);
      if (state === STATE.missing) this.#write(entry, content, start, size);
    }
  }

  #write(entry: number, content: Buffer, start: number, size: number): void {
    const { states, directoryOf } = this.#shared;
    const indexEntry = entryAt(this.#shared, entry);
    this.#makeDirectories(directoryOf[entry]!, indexEntry.path);
    this.#files.createFile(indexEntry, (fd) => {
      const end = start + size;
      for (let at = start; at < end;) at += writeSync(fd, content, at, end - at);
    });
    states[entry] = isLfsPointer(content, start, size) ? STATE.lfsPointer : STATE.written;
  }

  /** Makes the directory of `path` and those above it, one thread at a time. */
  #makeDirectories(directory: number, path: Buffer): void {
    const { made, lock } = this.#shared;
    if (Atomics.load(made, directory) === 1) return;
    while (Atomics.compareExchange(lock, 0, 0, 1) !== 0) Atomics.wait(lock, 0, 1);
    try {
      this.#makeMissing(directory, path);
    } finally {
      Atomics.store(lock, 0, 0);
      Atomics.notify(lock, 0, 1);
    }
  }

  /** There are at most 2,048 above each other. */
  #makeMissing(directory: number, path: Buffer): void {
    const { made, parentOf, directoryLengths } = this.#shared;
    const missing: number[] = [];
    for (let at = directory; at !== NONE && made[at] === 0; at = parentOf[at]!) missing.push(at);
    for (const at of missing.reverse()) {
      this.#files.makeDirectory(path.subarray(0, directoryLengths[at]));
      Atomics.store(made, at, 1);
    }
  }
}
