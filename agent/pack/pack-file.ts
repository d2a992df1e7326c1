/**
 * One pack on disk: an oid in, its offset out; an offset in, the entry's header and its inflated
 * bytes out. The pack was checked when it came, but it lies where others can write: sizes are held
 * against what comes out of zlib, and nothing is read outside of the file.
 */
import { closeSync } from 'node:fs';
import { PackError } from '../errors.ts';
import { EntryHeader, OBJECT_TYPE, OID_BYTES } from './entry-header.ts';
import { IdxFile } from './idx-file.ts';
import { NEEDS_INPUT, type Inflater, type Sink } from './inflater.ts';
import { openRegularFile, readFully, type OpenFile } from './regular-file.ts';

/**
 * Read at an entry's offset: it and, most often, the entries behind it, which a checkout asks for
 * next, because Git packs the newest tree in its order. 50,000 small files: 1,100 reads, not 50,000.
 */
const FIRST_READ_BYTES = 16 * 1024;
/** What zlib and an entry's header can add to the size of content that does not compress. */
const OVERHEAD_BYTES = 128;
const PIECE_BYTES = 256 * 1024;

export interface PackEntry {
  readonly offset: number;
  /** The stored type: of an object, or one of the delta types. */
  readonly type: number;
  readonly size: number;
  readonly dataOffset: number;
  /** Where a delta's base begins; -1 for an entry that is stored whole. */
  readonly baseOffset: number;
}

/** The piece of a pack that was read last; one for all packs of a store. */
export class ReadWindow {
  readonly bytes = Buffer.allocUnsafeSlow(PIECE_BYTES);
  owner: PackFile | undefined;
  /** Where in the owner's file the piece begins, and how long it is. */
  offset = 0;
  length = 0;
}

export class PackFile {
  readonly path: string;
  /** Tells apart packs in cache keys. */
  readonly id: number;
  readonly #inflater: Inflater;
  readonly #preloadIdx: boolean;
  readonly #header = new EntryHeader();
  readonly #window: ReadWindow;
  #idx: IdxFile | undefined;
  #pack: OpenFile | undefined;
  /** The files are gone: a gc has put the objects elsewhere. */
  vanished = false;

  constructor(
    path: string,
    id: number,
    inflater: Inflater,
    window: ReadWindow,
    preloadIdx: boolean,
  ) {
    this.path = path;
    this.id = id;
    this.#inflater = inflater;
    this.#window = window;
    this.#preloadIdx = preloadIdx;
  }

  /** The offset of the object, or -1. */
  find(oid: Buffer): number {
    this.#open();
    return this.#idx?.find(oid) ?? -1;
  }

  /** Parses the entry at `offset`. Throws PackError. */
  entry(offset: number): PackEntry {
    if (!this.#isRead(offset, OVERHEAD_BYTES)) this.#fill(offset, FIRST_READ_BYTES);
    const { bytes, length } = this.#window;
    const header = this.#header;
    const start = offset - this.#window.offset;
    if (!header.parse(bytes, start, length, offset)) throw this.#damaged(offset, 'is cut off');
    const { type, size, baseOidStart } = header;
    let baseOffset = -1;
    if (type === OBJECT_TYPE.ofsDelta) baseOffset = offset - header.baseDistance;
    if (type === OBJECT_TYPE.refDelta) {
      baseOffset = this.find(bytes.subarray(baseOidStart, baseOidStart + OID_BYTES));
      if (baseOffset === -1) throw this.#damaged(offset, 'has no delta base in its pack');
    }
    return { offset, type, size, dataOffset: offset + header.length, baseOffset };
  }

  /** Inflates an entry to output[start …], which has room for its size + 1. Throws InflateFault. */
  inflate(entry: PackEntry, output: Buffer, start: number): void {
    const { dataOffset, size } = entry;
    const window = this.#window;
    if (!this.#isRead(dataOffset, size + OVERHEAD_BYTES)) {
      this.#fill(dataOffset, size + FIRST_READ_BYTES);
    }
    const from = dataOffset - window.offset;
    const used = this.#inflater.inflate(window.bytes, from, window.length, output, start, size);
    if (used !== NEEDS_INPUT) return;
    let position = start;
    this.stream(entry, (piece) => {
      position += piece.copy(output, position);
    });
  }

  /** Inflates an entry piece by piece. Throws InflateFault. */
  stream(entry: PackEntry, sink: Sink): void {
    this.#inflater.begin(entry.size);
    const { bytes } = this.#window;
    let position = entry.dataOffset;
    while (!this.#inflater.ended) {
      const length = this.#fill(position, entry.size + FIRST_READ_BYTES);
      if (length === 0) throw this.#damaged(entry.offset, 'is cut off');
      this.#inflater.push(bytes, 0, length, sink);
      position += length;
    }
  }

  #isRead(offset: number, length: number): boolean {
    const { owner, offset: start, length: held } = this.#window;
    return owner === this && offset >= start && offset + length <= start + held;
  }

  /** Reads up to `length` bytes at `offset`, no more than the window holds; less at the file's end. */
  #fill(offset: number, length: number): number {
    this.#open();
    if (this.#pack === undefined) throw this.#damaged(offset, 'is gone');
    const window = this.#window;
    const wanted = Math.min(length, window.bytes.length);
    window.owner = this;
    window.offset = offset;
    window.length = readFully(this.#pack.fd, window.bytes, 0, wanted, offset);
    return window.length;
  }

  #open(): void {
    if (this.#pack !== undefined || this.vanished) return;
    const pack = openRegularFile(this.path);
    const idxPath = this.path.replace(/pack$/, 'idx');
    const idx = pack && IdxFile.open(idxPath, this.#preloadIdx);
    if (idx === undefined) {
      this.vanished = true;
      if (pack !== undefined) closeSync(pack.fd);
      return;
    }
    this.#pack = pack;
    this.#idx = idx;
  }

  #damaged(offset: number, what: string): PackError {
    return new PackError('OBJECT_INVALID', `entry at ${offset} of ${this.path} ${what}`, {
      data: { path: this.path, offset },
    });
  }

  close(): void {
    this.#idx?.close();
    if (this.#pack !== undefined) closeSync(this.#pack.fd);
    this.#pack = undefined;
    this.#idx = undefined;
    this.vanished = true;
  }
}
