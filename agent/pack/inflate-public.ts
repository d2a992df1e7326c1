/**
 * The Inflater on zlib.inflateSync, for a Node whose private handle is not as expected.
 */
import zlib from 'node:zlib';
import {
  InflateFault,
  NEEDS_INPUT,
  tooLittle,
  tooMuch,
  type Inflater,
  type Sink,
} from './inflater.ts';

/**
 * The stand-in. A stream given in pieces is collected and tried again with each piece: correct, but
 * its memory and time grow with the object. No supported version of Node gets here.
 */
export class PublicInflater implements Inflater {
  #size = 0;
  #collected: Buffer = Buffer.alloc(0);
  ended = true;

  inflate(
    input: Buffer,
    start: number,
    end: number,
    output: Buffer,
    outputStart: number,
    size: number,
  ): number {
    const result = inflatePublicly(input.subarray(start, end), size);
    if (result === undefined) return NEEDS_INPUT;
    result.content.copy(output, outputStart);
    return result.consumed;
  }

  begin(size: number): void {
    this.#size = size;
    this.#collected = Buffer.alloc(0);
    this.ended = false;
  }

  push(input: Buffer, start: number, end: number, sink: Sink): number {
    const before = this.#collected.length;
    this.#collected = Buffer.concat([this.#collected, input.subarray(start, end)]);
    const result = inflatePublicly(this.#collected, this.#size);
    if (result === undefined) return end - start;
    this.ended = true;
    this.#collected = Buffer.alloc(0);
    sink(result.content);
    return result.consumed - before;
  }

  close(): void {
    this.#collected = Buffer.alloc(0);
  }
}

function inflatePublicly(
  input: Buffer,
  size: number,
): { content: Buffer; consumed: number } | undefined {
  try {
    // With `info` the result is not a Buffer but both (documented, missing in @types/node).
    const { buffer, engine } = zlib.inflateSync(input, {
      info: true,
      maxOutputLength: size + 1,
    }) as unknown as { buffer: Buffer; engine: { bytesWritten: number } };
    if (buffer.length > size) throw tooMuch(size);
    if (buffer.length < size) throw tooLittle(size, buffer.length);
    return { content: buffer, consumed: engine.bytesWritten };
  } catch (error) {
    if (error instanceof InflateFault || !(error instanceof Error) || !('code' in error))
      throw error;
    if (error.code === 'Z_BUF_ERROR') return undefined;
    if (error.code === 'ERR_BUFFER_TOO_LARGE') throw tooMuch(size);
    if (error.code === 'Z_DATA_ERROR' || error.code === 'Z_NEED_DICT') {
      throw new InflateFault('data', error.message);
    }
    throw error;
  }
}
