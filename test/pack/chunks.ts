/** Bytes as a stream of chunks of one size. */

// eslint-disable-next-line @typescript-eslint/require-await -- the shape of a stream, without waiting
export async function* chunksOf(bytes: Buffer, size: number): AsyncGenerator<Uint8Array> {
  for (let start = 0; start < bytes.length; start += size) {
    yield bytes.subarray(start, Math.min(bytes.length, start + size));
  }
}
