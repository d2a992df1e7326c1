/** Packs made by hand, byte for byte, right and wrong ones (gitformat-pack). */
import { createHash } from 'node:crypto';
import zlib from 'node:zlib';

export const TYPE = { commit: 1, tree: 2, blob: 3, tag: 4, ofsDelta: 6, refDelta: 7 } as const;

/** Type and size as an entry begins with them; a size of 2^53 and more as a bigint. */
export function typeAndSize(type: number, size: number | bigint): Buffer {
  let rest = BigInt(size);
  const bytes = [(type << 4) | Number(rest & 15n)];
  rest >>= 4n;
  while (rest > 0n) {
    bytes[bytes.length - 1]! |= 0x80;
    bytes.push(Number(rest & 127n));
    rest >>= 7n;
  }
  return Buffer.from(bytes);
}

/** An ofs-delta's distance to its base. */
export function distanceBytes(distance: number): Buffer {
  const bytes = [distance & 127];
  let rest = Math.floor(distance / 128);
  while (rest > 0) {
    rest -= 1;
    bytes.unshift(0x80 | (rest & 127));
    rest = Math.floor(rest / 128);
  }
  return Buffer.from(bytes);
}

export function wholeEntry(
  type: number,
  content: Buffer,
  size: number | bigint = content.length,
): Buffer {
  return Buffer.concat([typeAndSize(type, size), zlib.deflateSync(content)]);
}

export function ofsDelta(distance: number, delta: Buffer): Buffer {
  const head = [typeAndSize(TYPE.ofsDelta, delta.length), distanceBytes(distance)];
  return Buffer.concat([...head, zlib.deflateSync(delta)]);
}

export function refDelta(baseOid: string, delta: Buffer): Buffer {
  const head = [typeAndSize(TYPE.refDelta, delta.length), Buffer.from(baseOid, 'hex')];
  return Buffer.concat([...head, zlib.deflateSync(delta)]);
}

/** A size at the head of a delta. */
export function deltaSize(size: number): Buffer {
  const bytes: number[] = [];
  let rest = size;
  do {
    bytes.push((rest % 128) | (rest >= 128 ? 0x80 : 0));
    rest = Math.floor(rest / 128);
  } while (rest > 0);
  return Buffer.from(bytes);
}

export function copyOp(from: number, length: number): Buffer {
  const bytes = [
    0x80 | 0x0f | 0x30,
    from & 255,
    (from >> 8) & 255,
    (from >> 16) & 255,
    from >>> 24,
  ];
  return Buffer.from([...bytes, length & 255, (length >> 8) & 255]);
}

export function insertOp(content: string | Buffer): Buffer {
  const bytes = Buffer.from(content);
  return Buffer.concat([Buffer.from([bytes.length]), bytes]);
}

export function makeDelta(baseSize: number, resultSize: number, ...ops: Buffer[]): Buffer {
  return Buffer.concat([deltaSize(baseSize), deltaSize(resultSize), ...ops]);
}

/** Header, entries and a right trailer. */
export function makePack(entries: Buffer[], count = entries.length, version = 2): Buffer {
  const header = Buffer.from('PACK\0\0\0\0\0\0\0\0', 'latin1');
  header.writeUInt32BE(version, 4);
  header.writeUInt32BE(count, 8);
  return sealPack(Buffer.concat([header, ...entries]));
}

/** A right trailer behind whatever is there. */
export function sealPack(body: Buffer): Buffer {
  return Buffer.concat([body, createHash('sha1').update(body).digest()]);
}

export function oidOf(type: string, content: Buffer): string {
  return createHash('sha1').update(`${type} ${content.length}\0`).update(content).digest('hex');
}
