/**
 * An oid in; the object out, from packs, loose files and alternates of an objects directory, as Git
 * finds them. Reads only, and synchronously: a read is a few microseconds, less than a promise and a
 * thread cost. Sizes are held against what comes out of zlib and deltas; oids are not recomputed.
 */
import { closeSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { PackError, errnoOf } from '../errors.ts';
import { listObjectsDirs } from './alternates.ts';
import { BaseCache } from './base-cache.ts';
import type { BufferPool } from './buffer-pool.ts';
import { DeltaFault } from './delta.ts';
import { OBJECT_TYPE, TYPE_NAMES, type ObjectTypeName } from './entry-header.ts';
import { createInflater } from './inflate.ts';
import { InflateFault } from './inflater.ts';
import { openLooseObject, streamLooseObject, type LooseObject } from './loose-object.ts';
import { PackFile, ReadWindow } from './pack-file.ts';
import { PackObjectReader } from './pack-object-reader.ts';
import { writeFully } from './regular-file.ts';
import { asStorageError } from './storage-error.ts';
import type { StoredPlace } from './stored-object.ts';

export interface ObjectStoreOptions {
  /** Memory for objects that others may be deltas of. */
  readonly cacheBytes: number;
  /** Hold each idx in memory (28 bytes an object): for a process that reads most of a repository. */
  readonly preloadIdx: boolean;
  /** Larger objects are refused by `read`; `writeBlob` gives them piece by piece. */
  readonly limitBytes: number;
  /** Lends buffers for objects that are too large for the cache. */
  readonly buffers: BufferPool | undefined;
}

const DEFAULTS: ObjectStoreOptions = {
  cacheBytes: 32 * 2 ** 20,
  preloadIdx: false,
  limitBytes: 1024 * 2 ** 20,
  buffers: undefined,
};

/** Blobs above this are written piece by piece when they are stored whole. */
const STREAM_BYTES = 2 ** 20;
const OID = /^[0-9a-f]{40}$/;

export interface GitObject {
  readonly type: ObjectTypeName;
  /** To be read only: the store may hold on to it. */
  readonly content: Buffer;
}

/** Where an object was found. */
type Place =
  | { readonly pack: PackFile; readonly offset: number }
  | { readonly pack: undefined; readonly loose: LooseObject; readonly path: string };

export class ObjectStore {
  readonly #objectsDir: string;
  readonly #options: ObjectStoreOptions;
  readonly #inflater = createInflater();
  readonly #window = new ReadWindow();
  readonly #reader: PackObjectReader;
  #objectsDirs: string[] = [];
  #packs: PackFile[] = [];
  #nextPackId = 0;

  private constructor(objectsDir: string, options: ObjectStoreOptions) {
    this.#objectsDir = objectsDir;
    this.#options = options;
    const { cacheBytes, limitBytes, buffers } = options;
    this.#reader = new PackObjectReader(new BaseCache(cacheBytes), limitBytes, buffers);
  }

  /** Opens …/objects. Nothing is read that is not asked for, but the names of the packs. */
  static open(objectsDir: string, options: Partial<ObjectStoreOptions> = {}): ObjectStore {
    const store = new ObjectStore(objectsDir, { ...DEFAULTS, ...options });
    store.refresh();
    return store;
  }

  /** The object, or undefined when it is not there. Throws PackError (OBJECT_INVALID, PACK_LIMIT). */
  read(oid: string): GitObject | undefined {
    return this.#at(oid, (place) => {
      if (place.pack === undefined) return this.#readLoose(place.loose);
      const { type, content } = this.#reader.read(place.pack, place.offset);
      return { type: TYPE_NAMES[type]!, content };
    });
  }

  /** Type and size without the content. Throws PackError (OBJECT_INVALID). */
  header(oid: string): { type: ObjectTypeName; size: number } | undefined {
    return this.#at(oid, (place) => {
      const { type, size } =
        place.pack === undefined ? place.loose : this.#reader.header(place.pack, place.offset);
      return { type: TYPE_NAMES[type]!, size };
    });
  }

  has(oid: string): boolean {
    return this.#at(oid, () => true) ?? false;
  }

  /**
   * Writes a blob's content at the descriptor's position and returns its length. One that is stored
   * whole is never whole in memory. Throws PackError (OBJECT_MISSING, OBJECT_INVALID).
   */
  writeBlob(oid: string, fd: number): number {
    const written = this.#at(oid, (place) => {
      if (place.pack === undefined) {
        requireBlob(place.loose.type);
        streamLooseObject(place.loose, this.#inflater, (piece) => {
          writeFully(fd, piece);
        });
        return place.loose.size;
      }
      const entry = place.pack.entry(place.offset);
      if (entry.type === OBJECT_TYPE.blob && entry.size > STREAM_BYTES) {
        place.pack.stream(entry, (piece) => {
          writeFully(fd, piece);
        });
        return entry.size;
      }
      const { type, content } = this.#reader.read(place.pack, place.offset);
      requireBlob(type);
      writeFully(fd, content);
      return content.length;
    });
    if (written !== undefined) return written;
    throw new PackError('OBJECT_MISSING', `blob ${oid} is not there`, { data: { oid } });
  }

  /** Where the object can be streamed from; undefined when it is a delta, or not there. */
  placeOf(oid: string): StoredPlace | undefined {
    return this.#at(oid, (place) => {
      if (place.pack === undefined) {
        const { path, loose } = place;
        return { path, offset: 0, skip: loose.headerLength, size: loose.size };
      }
      const { baseOffset, dataOffset: offset, size } = place.pack.entry(place.offset);
      return baseOffset === -1 ? { path: place.pack.path, offset, skip: 0, size } : undefined;
    });
  }

  /** Looks again which packs there are. A miss does this by itself, once. */
  refresh(): void {
    this.#objectsDirs = listObjectsDirs(this.#objectsDir);
    const known = new Map(this.#packs.map((pack) => [pack.path, pack]));
    this.#packs = this.#objectsDirs.flatMap(listPacks).map((path) => {
      const pack = known.get(path);
      if (pack !== undefined && !pack.vanished) {
        known.delete(path);
        return pack;
      }
      const { preloadIdx } = this.#options;
      return new PackFile(path, this.#nextPackId++, this.#inflater, this.#window, preloadIdx);
    });
    for (const pack of known.values()) pack.close();
  }

  /** Lets go of the objects that it keeps for others to be deltas of; they can be read again. */
  forget(): void {
    this.#reader.forget();
  }

  close(): void {
    for (const pack of this.#packs.splice(0)) pack.close();
    this.#objectsDirs = [];
    this.#inflater.close();
  }

  [Symbol.dispose](): void {
    this.close();
  }

  /** Finds the object and does `work` with it; undefined when it is not there, even on a second look. */
  #at<T>(oid: string, work: (place: Place) => T): T | undefined {
    if (!OID.test(oid))
      throw new PackError('OBJECT_INVALID', `"${oid}" is no oid`, { data: { oid } });
    const key = Buffer.from(oid, 'hex');
    try {
      let place = this.#find(oid, key);
      if (place === undefined) {
        this.refresh();
        place = this.#find(oid, key);
      }
      if (place === undefined) return undefined;
      try {
        return work(place);
      } finally {
        if (place.pack === undefined) closeSync(place.loose.fd);
      }
    } catch (error) {
      throw asObjectError(error, oid);
    }
  }

  #find(oid: string, key: Buffer): Place | undefined {
    for (const pack of this.#packs) {
      const offset = pack.find(key);
      if (offset !== -1) return { pack, offset };
    }
    for (const dir of this.#objectsDirs) {
      const path = join(dir, oid.slice(0, 2), oid.slice(2));
      const loose = openLooseObject(path);
      if (loose !== undefined) return { pack: undefined, loose, path };
    }
    return undefined;
  }

  #readLoose(loose: LooseObject): GitObject {
    this.#reader.admit(loose.size);
    const content = Buffer.allocUnsafe(loose.size);
    let position = 0;
    streamLooseObject(loose, this.#inflater, (piece) => {
      position += piece.copy(content, position);
    });
    return { type: TYPE_NAMES[loose.type]!, content };
  }
}

/** The packs of an objects directory, by full path; only those with an idx count. */
function listPacks(objectsDir: string): string[] {
  const packDir = join(objectsDir, 'pack');
  try {
    return readdirSync(packDir)
      .filter((name) => name.startsWith('pack-') && name.endsWith('.idx'))
      .map((name) => join(packDir, name.replace(/idx$/, 'pack')));
  } catch (error) {
    if (['ENOENT', 'ENOTDIR'].includes(errnoOf(error) ?? '')) return [];
    throw error;
  }
}

function requireBlob(type: number): void {
  if (type === OBJECT_TYPE.blob) return;
  throw new DeltaFault(`expected a blob, got a ${TYPE_NAMES[type] ?? 'damaged object'}`);
}

/** What is wrong with an object's bytes, or with the disk, as one error that says which object. */
function asObjectError(error: unknown, oid: string): unknown {
  const isDamage =
    error instanceof InflateFault ||
    error instanceof DeltaFault ||
    (error instanceof PackError && error.code !== 'PACK_LIMIT');
  if (!isDamage) return asStorageError(error, `object ${oid}`);
  const data = error instanceof PackError ? error.data : {};
  return new PackError('OBJECT_INVALID', `object ${oid}: ${error.message}`, {
    cause: error,
    data: { ...data, oid },
  });
}
