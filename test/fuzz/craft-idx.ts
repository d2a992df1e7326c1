/** An idx made by hand (gitformat-pack, version 2), for packs that no git would index. */
import { createHash } from 'node:crypto';
import { crc32 } from 'node:zlib';

export interface IdxRow {
  readonly oid: string;
  readonly offset: number;
  /** The entry as it stands in the pack. */
  readonly stored: Buffer;
}

export function makeIdx(rows: readonly IdxRow[], packTrailer: Buffer): Buffer {
  const sorted = [...rows].sort((a, b) => (a.oid < b.oid ? -1 : a.oid > b.oid ? 1 : 0));
  const fanOut = new Array<number>(256).fill(0);
  for (const { oid } of sorted) fanOut[parseInt(oid.slice(0, 2), 16)]! += 1;
  fanOut.forEach((count, at) => (fanOut[at] = count + (fanOut[at - 1] ?? 0)));
  const words = (values: readonly number[]): Buffer => {
    const bytes = Buffer.alloc(values.length * 4);
    values.forEach((value, at) => bytes.writeUInt32BE(value, at * 4));
    return bytes;
  };
  const body = Buffer.concat([
    words([0xff744f63, 2, ...fanOut]),
    Buffer.from(sorted.map(({ oid }) => oid).join(''), 'hex'),
    words(sorted.map(({ stored }) => crc32(stored))),
    words(sorted.map(({ offset }) => offset)),
    packTrailer,
  ]);
  return Buffer.concat([body, createHash('sha1').update(body).digest()]);
}
