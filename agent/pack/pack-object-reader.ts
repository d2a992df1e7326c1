/**
 * A pack and an offset in; the object out, its deltas applied from the base up. Iterates, and keeps
 * what others may build on in a bounded cache.
 */
import { PackError } from '../errors.ts';
import type { BaseCache, CachedObject } from './base-cache.ts';
import { BufferPool } from './buffer-pool.ts';
import { DeltaFault, DeltaHeader, applyDelta } from './delta.ts';
import type { PackEntry, PackFile } from './pack-file.ts';

/** No chain of Git's is longer (pack.depth); what goes on and on is a ring. */
const LONGEST_CHAIN = 65_535;

interface StoredDelta {
  readonly offset: number;
  readonly bytes: Buffer;
}

export class PackObjectReader {
  readonly #cache: BaseCache;
  readonly #limitBytes: number;
  readonly #pool: BufferPool;
  readonly #deltaHeader = new DeltaHeader();

  constructor(cache: BaseCache, limitBytes: number, pool = new BufferPool()) {
    this.#cache = cache;
    this.#pool = pool;
    this.#limitBytes = limitBytes;
  }

  /** Throws PackError, InflateFault, DeltaFault. */
  read(pack: PackFile, offset: number): CachedObject {
    const deltas: StoredDelta[] = [];
    let deltaBytes = 0;
    let at = offset;
    let object = this.#cache.get(keyOf(pack, at));
    while (object === undefined) {
      const entry = pack.entry(at);
      const bytes = this.#inflate(pack, entry);
      if (entry.baseOffset === -1) {
        object = { type: entry.type, content: bytes };
        this.#cache.set(keyOf(pack, at), object);
        break;
      }
      deltaBytes += bytes.length;
      this.admit(deltaBytes);
      if (deltas.push({ offset: at, bytes }) > LONGEST_CHAIN) throw endless(at);
      at = entry.baseOffset;
      object = this.#cache.get(keyOf(pack, at));
    }
    for (let delta = deltas.pop(); delta !== undefined; delta = deltas.pop()) {
      const base: Buffer = object.content;
      object = { type: object.type, content: this.#apply(base, delta.bytes) };
      this.#cache.set(keyOf(pack, delta.offset), object);
      this.#giveBack(base);
    }
    return object;
  }

  /** Type and size. Throws PackError, InflateFault, DeltaFault. */
  header(pack: PackFile, offset: number): { type: number; size: number } {
    let entry = pack.entry(offset);
    let { size } = entry;
    if (entry.baseOffset !== -1) {
      const delta = this.#inflate(pack, entry);
      this.#deltaHeader.parse(delta, 0, delta.length);
      size = this.#deltaHeader.resultSize;
    }
    for (let depth = 0; entry.baseOffset !== -1; depth++) {
      if (depth > LONGEST_CHAIN) throw endless(offset);
      entry = pack.entry(entry.baseOffset);
    }
    return { type: entry.type, size };
  }

  forget(): void {
    this.#cache.clear();
  }

  /** Refuses what is too large to be held. */
  admit(size: number): void {
    if (size <= this.#limitBytes) return;
    const message = `an object of ${size} bytes is over the limit of ${this.#limitBytes}`;
    throw new PackError('PACK_LIMIT', message, { data: { size, limit: this.#limitBytes } });
  }

  /** At least so many bytes; large ones come from the pool. */
  #allocate(bytes: number): Buffer {
    return this.#cache.admits(bytes) ? Buffer.allocUnsafe(bytes) : this.#pool.take(bytes);
  }

  /** A base that nobody else has: what is too large for the cache was read or made right here. */
  #giveBack({ buffer, length }: Buffer): void {
    if (!this.#cache.admits(length)) this.#pool.give(Buffer.from(buffer));
  }

  #inflate(pack: PackFile, entry: PackEntry): Buffer {
    this.admit(entry.size);
    const bytes = this.#allocate(entry.size + 1);
    pack.inflate(entry, bytes, 0);
    return bytes.subarray(0, entry.size);
  }

  #apply(base: Buffer, delta: Buffer): Buffer {
    const header = this.#deltaHeader;
    header.parse(delta, 0, delta.length);
    const { baseSize, resultSize, position } = header;
    if (baseSize !== base.length) {
      throw new DeltaFault(`delta made for a base of ${baseSize} bytes, got ${base.length}`);
    }
    this.admit(resultSize);
    const content = this.#allocate(resultSize).subarray(0, resultSize);
    applyDelta(base, 0, baseSize, delta, position, delta.length, content, 0, resultSize);
    return content;
  }
}

function keyOf(pack: PackFile, offset: number): string {
  return `${pack.id}:${offset}`;
}

function endless(offset: number): PackError {
  return new PackError('OBJECT_INVALID', `the delta chain at ${offset} does not end`, {
    data: { offset },
  });
}
