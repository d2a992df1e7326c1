/**
 * Content in, a zlib stream out that stores it as it is (RFC 1950, RFC 1951 3.2.4): its length is
 * known before the first byte is read, and whoever compresses the whole afterwards compresses once.
 */

const HEADER = Buffer.from([0x78, 0x01]);
const BLOCK_BYTES = 0xffff;
const BLOCK_HEADER_BYTES = 5;
const CHECKSUM_BYTES = 4;
const ADLER_MODULUS = 65_521;
/** So many bytes can be summed before the sums outgrow 32 bits. */
const ADLER_RUN = 5552;

export function storedLength(size: number): number {
  const blocks = Math.max(1, Math.ceil(size / BLOCK_BYTES));
  return HEADER.length + blocks * BLOCK_HEADER_BYTES + size + CHECKSUM_BYTES;
}

/** Writes one stream; what is put in may come in pieces of any length, `size` bytes in all. */
export class StoredStream {
  #left: number;
  #leftInBlock = 0;
  #low = 1;
  #high = 0;

  constructor(size: number) {
    this.#left = size;
  }

  begin(): Buffer {
    return this.#left === 0 ? Buffer.concat([HEADER, this.#blockHeader()]) : HEADER;
  }

  /** The pieces in which `content` goes out; they refer to it. */
  *push(content: Buffer): Generator<Buffer> {
    this.#sum(content);
    let at = 0;
    while (at < content.length) {
      if (this.#leftInBlock === 0) yield this.#blockHeader();
      const end = Math.min(content.length, at + this.#leftInBlock);
      yield content.subarray(at, end);
      this.#leftInBlock -= end - at;
      this.#left -= end - at;
      at = end;
    }
  }

  end(): Buffer {
    const checksum = Buffer.allocUnsafe(CHECKSUM_BYTES);
    checksum.writeUInt32BE(((this.#high << 16) | this.#low) >>> 0);
    return checksum;
  }

  #blockHeader(): Buffer {
    const length = Math.min(this.#left, BLOCK_BYTES);
    const header = Buffer.allocUnsafe(BLOCK_HEADER_BYTES);
    header[0] = length === this.#left ? 1 : 0;
    header.writeUInt16LE(length, 1);
    header.writeUInt16LE(~length & 0xffff, 3);
    this.#leftInBlock = length;
    return header;
  }

  /** Adler-32. */
  #sum(content: Buffer): void {
    let low = this.#low;
    let high = this.#high;
    for (let start = 0; start < content.length; start += ADLER_RUN) {
      const end = Math.min(content.length, start + ADLER_RUN);
      for (let at = start; at < end; at++) {
        low += content[at]!;
        high += low;
      }
      low %= ADLER_MODULUS;
      high %= ADLER_MODULUS;
    }
    this.#low = low;
    this.#high = high;
  }
}
