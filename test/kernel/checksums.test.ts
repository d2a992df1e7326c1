/** CRC-32 and Adler-32 of the kernel: those of zlib's own streams. */
import { deflateSync, gzipSync } from 'node:zlib';
import { beforeAll, describe, expect, it } from 'vitest';
import type { Kernel } from '../../agent/pack/kernel.ts';
import { instantiate } from './instance.ts';
import { Random } from './random.ts';

const SCRATCH = 1024;
const DATA = 2 ** 17;

let kernel: Kernel;
let bytes: Buffer;

beforeAll(() => {
  const made = instantiate(40);
  kernel = made.kernel;
  bytes = Buffer.from(made.memory.buffer);
  bytes.fill(0xa5, 0, DATA);
  kernel.initCrc32(SCRATCH);
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
});

it('initCrc32() writes within its scratch memory', () => {
  const end = SCRATCH + kernel.CRC_SCRATCH_BYTES.value;
  expect(bytes.subarray(0, SCRATCH).every((byte) => byte === 0xa5)).toBe(true);
  expect(bytes.subarray(end, DATA).every((byte) => byte === 0xa5)).toBe(true);
});
