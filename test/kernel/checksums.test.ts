/** CRC-32 and Adler-32 of the kernel: those of zlib's own streams. SHA-1: OpenSSL's. */
import { createHash } from 'node:crypto';
import { deflateSync, gzipSync } from 'node:zlib';
import { beforeAll, describe, expect, it } from 'vitest';
import type { Kernel } from '../../agent/pack/kernel.ts';
import { instantiate } from './instance.ts';
import { Random } from './random.ts';

const SCRATCH = 1024;
const SHA1_SCRATCH = 2 ** 16;
/** What it writes elsewhere: 20 bytes. */
const OID = 2 ** 15;
const DATA = 2 ** 17;

let kernel: Kernel;
let bytes: Buffer;

beforeAll(() => {
  const made = instantiate(40);
  kernel = made.kernel;
  bytes = Buffer.from(made.memory.buffer);
  bytes.fill(0xa5, 0, DATA);
  kernel.initCrc32(SCRATCH);
  kernel.initSha1(SHA1_SCRATCH);
});

/** All lengths up to 100, then around what one step takes; noise, and the largest bytes there are. */
function contents(): Buffer[] {
  const random = new Random(1);
  const sizes = [
    ...Array.from({ length: 100 }).keys(),
    5535,
    5551,
    5552,
    5553,
    5568,
    65_521,
    2 ** 20,
  ];
  return sizes.flatMap((size) => [random.bytes(size), Buffer.alloc(size, 0xff)]);
}

/** One of each length. */
function upTo(size: number): Buffer[] {
  const random = new Random(2);
  return Array.from({ length: size + 1 }, (_, length) => random.bytes(length));
}

describe.each([0, 1, 7, 15])('at an address %i behind a multiple of 16', (offset) => {
  it("adler32() is the checksum of zlib's stream", () => {
    for (const content of contents()) {
      const from = DATA + offset;
      content.copy(bytes, from);
      const stream = deflateSync(content, { level: 0 });
      expect(kernel.adler32(from, from + content.length) >>> 0).toBe(
        stream.readUInt32BE(stream.length - 4),
      );
    }
  });

  it("crc32() is the checksum of gzip's stream", () => {
    for (const content of contents()) {
      const from = DATA + offset;
      content.copy(bytes, from);
      const gzip = gzipSync(content, { level: 0 });
      expect(kernel.crc32(from, from + content.length) >>> 0).toBe(
        gzip.readUInt32LE(gzip.length - 8),
      );
    }
  });

  it("sha1() is OpenSSL's", () => {
    // Two blocks and their padding, byte by byte, and a number of others.
    for (const content of [...contents(), ...upTo(1100)]) {
      const from = DATA + offset;
      content.copy(bytes, from);
      kernel.sha1(from, from + content.length, OID + offset);
      const oid = createHash('sha1').update(content).digest('hex');
      expect(bytes.toString('hex', OID + offset, OID + offset + 20)).toBe(oid);
    }
  });
});

it('nothing is written but the scratch memory and an oid', () => {
  kernel.initCrc32(SCRATCH);
  kernel.sha1(DATA, DATA + 200, OID);
  const written = [
    [SCRATCH, kernel.CRC_SCRATCH_BYTES.value],
    [OID, 20 + 15],
    [SHA1_SCRATCH, kernel.SHA1_SCRATCH_BYTES.value],
  ] as const;
  let from = 0;
  for (const [start, length] of [...written, [DATA, 0] as const]) {
    expect(bytes.subarray(from, start).every((byte) => byte === 0xa5)).toBe(true);
    from = start + length;
  }
});
