/**
 * Does a file hold the blob that the index names? Reads it in slices, remembers the answer for as
 * long as the file's stat data stays the same, and never follows a link.
 */
import { createHash } from 'node:crypto';
import { closeSync, constants, fstatSync, openSync, readlinkSync, readSync } from 'node:fs';
import type { Stats } from 'node:fs';
import { AttributeReader, attributesIn } from './attributes.ts';
import type { IndexedAttributes } from './attributes.ts';
import { fsPath } from './byte-path.ts';
import type { BytePath } from './byte-path.ts';
import { conversionOf, toStored } from './conversion.ts';
import type { Conversion } from './conversion.ts';
import { readObject } from './objects.ts';
import type { ObjectSource } from './objects.ts';
import type { Pace } from './pace.ts';
import { readRegularFile } from './read-file.ts';
import type { Repository } from './repository.ts';

const CHUNK_BYTES = 512 * 1024;
/** A file written this shortly before it was read may change again under the same stat data. */
const RACY_MS = 2_000;
const CACHE_LIMIT = 20_000;

/** Stat data of a file → the answer, for one blob. */
type Known = Map<BytePath, { readonly signature: string; readonly same: boolean }>;

export class FileContent {
  readonly #repository: Repository;
  readonly #objects: ObjectSource;
  readonly #known: Known;
  readonly #pace: Pace;
  readonly #index: IndexedAttributes;
  #attributes: AttributeReader | undefined;

  /** @param known kept by the caller from reading to reading. */
  constructor(
    repository: Repository,
    index: IndexedAttributes,
    objects: ObjectSource,
    known: Known,
    pace: Pace,
  ) {
    this.#index = index;
    this.#repository = repository;
    this.#objects = objects;
    this.#known = known;
    this.#pace = pace;
  }

  async isBlob(path: BytePath, stats: Stats, oid: string): Promise<boolean> {
    const { size, ino, mtimeMs, ctimeMs } = stats;
    const conversion = stats.isSymbolicLink() ? null : this.#conversionOf(path);
    const how = conversion === null ? '' : JSON.stringify(conversion);
    const signature = `${oid} ${size} ${ino} ${mtimeMs} ${ctimeMs} ${how}`;
    const known = this.#known.get(path);
    if (known?.signature === signature) return known.same;
    const startedAt = Date.now();
    const same = stats.isSymbolicLink()
      ? this.#linkIs(path, oid)
      : await this.#fileIs(path, oid, conversion);
    if (Math.max(mtimeMs, ctimeMs) < startedAt - RACY_MS) this.#remember(path, signature, same);
    return same;
  }

  /** @throws Doubt when it is missing. */
  readBlob(oid: string): Buffer {
    return readObject(this.#objects, oid, 'blob');
  }

  #remember(path: BytePath, signature: string, same: boolean): void {
    if (this.#known.size >= CACHE_LIMIT) this.#known.clear();
    this.#known.set(path, { signature, same });
  }

  #linkIs(path: BytePath, oid: string): boolean {
    const target = readlinkSync(fsPath(`${this.#repository.worktree}/${path}`), 'buffer');
    return blobOid(target) === oid;
  }

  #conversionOf(path: BytePath): Conversion | null {
    this.#attributes ??= new AttributeReader(
      this.#repository,
      attributesIn(this.#index, (oid) => this.readBlob(oid)),
    );
    return conversionOf(this.#attributes.of(path), this.#repository.config);
  }

  async #fileIs(path: BytePath, oid: string, conversion: Conversion | null): Promise<boolean> {
    const place = `${this.#repository.worktree}/${path}`;
    if (conversion === null) return (await this.#hashFile(place)) === oid;
    const content = readRegularFile(place, { noFollow: true });
    if (content === undefined) return false;
    const stored = toStored(content, conversion, () => this.readBlob(oid));
    return blobOid(stored) === oid;
  }

  async #hashFile(place: BytePath): Promise<string | undefined> {
    const { O_RDONLY, O_NONBLOCK, O_NOFOLLOW } = constants;
    const fd = openSync(fsPath(place), O_RDONLY | O_NONBLOCK | O_NOFOLLOW);
    try {
      const { size } = fstatSync(fd);
      const hash = createHash('sha1').update(`blob ${size}\0`);
      const chunk = Buffer.allocUnsafe(Math.min(CHUNK_BYTES, size + 1));
      let left = size;
      while (left > 0) {
        const count = readSync(fd, chunk, 0, Math.min(chunk.length, left), null);
        if (count === 0) return undefined;
        hash.update(chunk.subarray(0, count));
        left -= count;
        if (this.#pace.due) await this.#pace.rest();
      }
      return hash.digest('hex');
    } finally {
      closeSync(fd);
    }
  }
}

function blobOid(content: Buffer): string {
  return createHash('sha1').update(`blob ${content.length}\0`).update(content).digest('hex');
}
