/**
 * An idx (version 1 or 2, gitformat-pack) and an oid in; the object's offset in the pack out. The
 * fan-out is in memory; the rest is read by position, or all at once with `preload`.
 */
import { closeSync } from 'node:fs';
import { PackError } from '../errors.ts';
import { OID_BYTES } from './entry-header.ts';
import { openRegularFile, readFully } from './regular-file.ts';

const SIGNATURE_V2 = 0xff74_4f63;
const FAN_OUT_BYTES = 1024;
const TRAILER_BYTES = 2 * OID_BYTES;
const LARGE = 0x8000_0000;
/**
 * A range of this many oids is searched at once instead of halved again: 300 refs are looked up at a
 * clone's end, by functions that V8 has not compiled yet, and halving to the last one took 10 ms for that.
 */
const RANGE = 256;

export class IdxFile {
  /** Objects in the idx. */
  readonly count: number;
  readonly #path: string;
  readonly #size: number;
  readonly #fanOut = new Uint32Array(256);
  /** Bytes from one oid to the next, and where the first one stands. */
  readonly #stride: number;
  readonly #firstOid: number;
  readonly #isVersion1: boolean;
  #fd: number;
  readonly #whole: Buffer | undefined;
  readonly #range: Buffer;

  private constructor(path: string, fd: number, size: number, preload: boolean) {
    this.#path = path;
    this.#fd = fd;
    this.#size = size;
    if (preload) {
      this.#whole = Buffer.allocUnsafeSlow(size);
      if (readFully(fd, this.#whole, 0, size, 0) !== size) throw this.#damaged('is cut off');
    }
    const head = Buffer.allocUnsafe(8 + FAN_OUT_BYTES);
    if (readFully(fd, head, 0, head.length, 0) !== head.length) throw this.#damaged('is cut off');
    this.#isVersion1 = head.readUInt32BE(0) !== SIGNATURE_V2;
    if (!this.#isVersion1 && head.readUInt32BE(4) !== 2)
      throw this.#damaged('has no known version');
    const fanOutStart = this.#isVersion1 ? 0 : 8;
    for (let index = 0, before = 0; index < 256; index++) {
      const upTo = head.readUInt32BE(fanOutStart + index * 4);
      if (upTo < before) throw this.#damaged('has a fan-out that is not ascending');
      this.#fanOut[index] = before = upTo;
    }
    this.count = this.#fanOut[255]!;
    this.#stride = this.#isVersion1 ? 4 + OID_BYTES : OID_BYTES;
    this.#firstOid = fanOutStart + FAN_OUT_BYTES + (this.#isVersion1 ? 4 : 0);
    const least =
      fanOutStart + FAN_OUT_BYTES + this.count * (this.#isVersion1 ? 24 : 28) + TRAILER_BYTES;
    if (size < least) throw this.#damaged(`has ${size} bytes, expected ${least}`);
    this.#range = Buffer.allocUnsafe(RANGE * this.#stride);
  }

  /** Undefined when there is no such file. Throws PackError when it is no idx. */
  static open(path: string, preload: boolean): IdxFile | undefined {
    const file = openRegularFile(path);
    if (file === undefined) return undefined;
    let idx: IdxFile | undefined;
    try {
      idx = new IdxFile(path, file.fd, file.size, preload);
      return idx;
    } finally {
      if (idx === undefined || preload) closeSync(file.fd);
      if (preload && idx !== undefined) idx.#fd = -1;
    }
  }

  /** The offset of the entry with this oid (20 bytes), or -1. */
  find(oid: Buffer): number {
    const first = oid[0]!;
    let low = first === 0 ? 0 : this.#fanOut[first - 1]!;
    let high = this.#fanOut[first]!;
    while (high - low > RANGE) {
      const middle = (low + high) >>> 1;
      const order = compareOids(this.#oids(middle, 1), oid);
      if (order === 0) return this.#offsetAt(middle);
      if (order < 0) low = middle + 1;
      else high = middle;
    }
    if (low === high) return -1;
    const range = this.#oids(low, high - low);
    let at = range.indexOf(oid);
    // Between two oids there is none.
    while (at % this.#stride > 0) at = range.indexOf(oid, at + 1);
    return at === -1 ? -1 : this.#offsetAt(low + at / this.#stride);
  }

  /** The bytes of `count` oids from the one at `index` on. */
  #oids(index: number, count: number): Buffer {
    const length = (count - 1) * this.#stride + OID_BYTES;
    return this.#bytes(this.#firstOid + index * this.#stride, length);
  }

  #offsetAt(index: number): number {
    if (this.#isVersion1) {
      return this.#bytes(FAN_OUT_BYTES + index * this.#stride, 4).readUInt32BE(0);
    }
    const afterOids = this.#firstOid + this.count * OID_BYTES;
    const offset = this.#bytes(afterOids + this.count * 4 + index * 4, 4).readUInt32BE(0);
    if (offset < LARGE) return offset;
    const large = afterOids + this.count * 8 + (offset - LARGE) * 8;
    if (large + 8 > this.#size - TRAILER_BYTES) throw this.#damaged('lacks a 64-bit offset');
    const bytes = this.#bytes(large, 8);
    return bytes.readUInt32BE(0) * 2 ** 32 + bytes.readUInt32BE(4);
  }

  /** Valid until the next call. */
  #bytes(position: number, length: number): Buffer {
    if (this.#whole !== undefined) return this.#whole.subarray(position, position + length);
    if (readFully(this.#fd, this.#range, 0, length, position) !== length) {
      throw this.#damaged('is cut off');
    }
    return this.#range.subarray(0, length);
  }

  #damaged(what: string): PackError {
    return new PackError('OBJECT_INVALID', `${this.#path} ${what}`, { data: { path: this.#path } });
  }

  close(): void {
    if (this.#fd !== -1) closeSync(this.#fd);
    this.#fd = -1;
  }
}

/** As Buffer's, which asks half a dozen functions of Node about its arguments first. */
function compareOids(oids: Buffer, oid: Buffer): number {
  for (let at = 0; at < OID_BYTES; at++) {
    const order = oids[at]! - oid[at]!;
    if (order !== 0) return order;
  }
  return 0;
}
