/** The same bytes as streams cut in different places, for parsers that must not care. */
import type { Pour } from '../../agent/clone/pour.ts';

/** Whole, byte by byte, and in pieces of 3 and 7 bytes. */
export const CUTS = [Infinity, 1, 3, 7];

export async function* cut(bytes: Uint8Array, size: number): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += size) {
    await Promise.resolve();
    // A copy, so that a parser that keeps a view beyond its time is found out.
    const chunk = Uint8Array.from(bytes.subarray(at, at + size));
    yield chunk;
    chunk.fill(0x2a);
  }
}

export function bytesOf(...parts: (string | Uint8Array)[]): Buffer {
  return Buffer.concat(parts.map((part) => Buffer.from(part as string, 'latin1')));
}

/** A pkt-line made by hand. */
export function pkt(text: string): Buffer {
  const payload = Buffer.from(text, 'latin1');
  return bytesOf((payload.length + 4).toString(16).padStart(4, '0'), payload);
}

export async function collect(source: AsyncIterable<Uint8Array>): Promise<Buffer> {
  const parts: Buffer[] = [];
  for await (const part of source) parts.push(Buffer.from(part));
  return Buffer.concat(parts);
}

export async function poured(pour: Pour): Promise<Buffer> {
  const parts: Buffer[] = [];
  const take = (chunk: Buffer): null => {
    parts.push(Buffer.from(chunk));
    return null;
  };
  await pour(take, new AbortController().signal);
  return Buffer.concat(parts);
}
