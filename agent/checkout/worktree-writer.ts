/**
 * Planned entries and the store of a complete pack in, files and symlinks with the content that
 * attributes ask for out: what is left when the pack has arrived, large files most of all.
 */
import { readSync, writeFileSync } from 'node:fs';
import type { Attributes } from './attributes.ts';
import type { BlobSource } from './blob-source.ts';
import { convertToWorktree } from './convert.ts';
import type { Conversion } from './convert.ts';
import type { IndexEntry } from './index-entry.ts';
import { LFS_POINTER, LFS_POINTER_LIMIT_BYTES } from './lfs-pointer.ts';
import { requireType } from './plan.ts';
import type { WorktreeFiles } from './worktree-files.ts';

export interface Written {
  readonly bytes: number;
  readonly lfsPointer: boolean;
}

/** Throws OBJECT_MISSING, OBJECT_INVALID, and what WorktreeFiles throws. */
export class WorktreeWriter {
  readonly #store: BlobSource;
  readonly #attributes: Attributes;
  readonly #files: WorktreeFiles;
  readonly #lfsPointerStart = Buffer.alloc(LFS_POINTER.length);

  constructor(store: BlobSource, files: WorktreeFiles, attributes: Attributes) {
    this.#store = store;
    this.#attributes = attributes;
    this.#files = files;
  }

  /** Whether any file's content could be another than its blob's. */
  get mayConvert(): boolean {
    return !this.#attributes.empty;
  }

  /** Whether the file's content is another than the blob's. */
  converts(entry: IndexEntry): boolean {
    return this.#conversionFor(entry) !== null;
  }

  writeFile(entry: IndexEntry): Written {
    const conversion = this.#conversionFor(entry);
    return this.#files.createFile(entry, (fd) => {
      const bytes =
        conversion === null
          ? this.#store.writeBlob(entry.oid, fd)
          : this.#writeConverted(entry, conversion, fd);
      return { bytes, lfsPointer: bytes < LFS_POINTER_LIMIT_BYTES && this.#isLfsPointer(fd) };
    });
  }

  makeSymlink(entry: IndexEntry): Written {
    const object = this.#store.read(entry.oid);
    requireType(object, 'blob', entry.oid, entry.path);
    this.#files.makeSymlink(entry, object.content);
    return { bytes: object.content.length, lfsPointer: false };
  }

  #conversionFor(entry: IndexEntry): Conversion | null {
    if (this.#attributes.empty) return null;
    return this.#attributes.conversionFor(entry.path.toString('latin1'));
  }

  #writeConverted({ oid, path }: IndexEntry, conversion: Conversion, fd: number): number {
    const object = this.#store.read(oid);
    requireType(object, 'blob', oid, path);
    const content = convertToWorktree(object.content, conversion, oid);
    writeFileSync(fd, content);
    return content.length;
  }

  /** Reads back what was written: one short call for a small file, where blobs cost no copy else. */
  #isLfsPointer(fd: number): boolean {
    const start = this.#lfsPointerStart;
    return readSync(fd, start, 0, start.length, 0) === start.length && LFS_POINTER.equals(start);
  }
}
