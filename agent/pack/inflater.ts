/**
 * What both inflate engines do: one zlib stream in, its content and its length in the input out
 * (RFC 1950). The declared size is the peer's claim: at most one byte more than it is ever produced.
 */
import { PackError } from '../errors.ts';

/** The stream is damaged or breaks its declared size. The caller knows where it stands and says so. */
export class InflateFault extends Error {
  readonly kind: 'data' | 'size';
  constructor(kind: 'data' | 'size', message: string) {
    super(message);
    this.kind = kind;
  }
}

/** What `inflate` returns when the input ends before the stream does. */
export const NEEDS_INPUT = -1;

/** Takes output pieces; a piece is valid during the call only. */
export type Sink = (piece: Buffer) => void;

export interface Inflater {
  /**
   * Inflates one stream at input[start, end) to output[outputStart …], which has room for size + 1.
   * Returns the bytes of input that the stream takes, or NEEDS_INPUT. Throws InflateFault.
   */
  inflate(
    input: Buffer,
    start: number,
    end: number,
    output: Buffer,
    outputStart: number,
    size: number,
  ): number;
  /** Begins a stream that is given in pieces by `push`. */
  begin(size: number): void;
  /** Gives the next piece; returns how much of it was taken: all, unless the stream ends in it. */
  push(input: Buffer, start: number, end: number, sink: Sink): number;
  /** True once the whole stream was seen. */
  readonly ended: boolean;
  close(): void;
}

export function tooMuch(size: number): InflateFault {
  return new InflateFault('size', `expected ${size} bytes of content, got more`);
}
export function tooLittle(size: number, got: number): InflateFault {
  return new InflateFault('size', `expected ${size} bytes of content, got ${got}`);
}

/** A fault of the entry at `offset` of a pack. */
export function asPackError(fault: InflateFault, offset: number): PackError {
  const code = fault.kind === 'size' ? 'PACK_ENTRY_SIZE' : 'PACK_ENTRY_INFLATE';
  return new PackError(code, `entry at ${offset}: ${fault.message}`, {
    cause: fault,
    data: { offset },
  });
}

/** What `inflate` returns; its fault as that of the entry at `offset`. */
export function asLocated<T>(offset: number, inflate: () => T): T {
  try {
    return inflate();
  } catch (error) {
    if (error instanceof InflateFault) throw asPackError(error, offset);
    throw error;
  }
}
