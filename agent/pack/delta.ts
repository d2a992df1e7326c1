/**
 * Delta and base in, object out (gitformat-pack, "Deltified representation"). Accepts what git's
 * patch-delta.c accepts; reads and writes stay inside the three buffers whatever the delta says.
 */
import { PackError } from '../errors.ts';

/** The delta does not fit its base or itself. The caller knows where it stands and says so. */
export class DeltaFault extends Error {}

/** Two sizes and one instruction: git refuses anything shorter (delta.h, DELTA_SIZE_MIN). */
const LEAST_BYTES = 4;

/** Below this a loop over bytes beats a call; measured on packs of 50,000 to 850,000 objects. */
const SHORT_COPY = 24;

/** The two sizes at a delta's head, reused from delta to delta. */
export class DeltaHeader {
  baseSize = 0;
  resultSize = 0;
  /** Where the instructions begin. */
  position = 0;

  /** Reads the head of delta[start, end). Throws DeltaFault. */
  parse(delta: Buffer, start: number, end: number): void {
    if (end - start < LEAST_BYTES)
      throw new DeltaFault(`delta of ${end - start} bytes is too short`);
    this.position = start;
    this.baseSize = this.#parseSize(delta, end);
    this.resultSize = this.#parseSize(delta, end);
  }

  #parseSize(delta: Buffer, end: number): number {
    let size = 0;
    let scale = 1;
    let byte: number;
    do {
      byte = delta[this.position++]!;
      size += (byte & 0x7f) * scale;
      scale *= 128;
      if (size > Number.MAX_SAFE_INTEGER || scale > 2 ** 66) {
        throw new DeltaFault('a size in the delta is 2^53 or more');
      }
    } while (byte & 0x80 && this.position < end);
    if (this.position > end) throw new DeltaFault('a size in the delta is cut off');
    return size;
  }
}

/**
 * Applies the instructions at delta[position, end) to base[baseStart, baseStart + baseSize) and
 * fills result[resultStart, resultStart + resultSize) completely. Throws DeltaFault. All three may
 * be parts of one buffer that do not overlap, which is the fastest: a copy within a buffer takes
 * 30 ns, one between two takes 100 ns.
 */
export function applyDelta(
  base: Buffer,
  baseStart: number,
  baseSize: number,
  delta: Buffer,
  position: number,
  end: number,
  result: Buffer,
  resultStart: number,
  resultSize: number,
): void {
  let from = position;
  let to = resultStart;
  const resultEnd = resultStart + resultSize;
  while (from < end) {
    const op = delta[from++]!;
    let source = delta;
    let start = from;
    let length = op;
    if (op & 0x80) {
      // An instruction cut off reads zeros here and is caught by `from > end` below.
      let copyFrom = 0;
      length = 0;
      if (op & 0x01) copyFrom = delta[from++]!;
      if (op & 0x02) copyFrom |= delta[from++]! << 8;
      if (op & 0x04) copyFrom |= delta[from++]! << 16;
      if (op & 0x08) copyFrom += delta[from++]! * 0x100_0000;
      if (op & 0x10) length = delta[from++]!;
      if (op & 0x20) length |= delta[from++]! << 8;
      if (op & 0x40) length |= delta[from++]! << 16;
      if (length === 0) length = 0x1_0000;
      if (from > end) throw new DeltaFault('a copy instruction is cut off');
      if (copyFrom + length > baseSize) {
        throw new DeltaFault(`copies ${copyFrom}+${length} from a base of ${baseSize} bytes`);
      }
      source = base;
      start = baseStart + copyFrom;
    } else {
      if (op === 0) throw new DeltaFault('instruction 0 is reserved');
      from += op;
      if (from > end) throw new DeltaFault('an insert instruction is cut off');
    }
    if (to + length > resultEnd) throw new DeltaFault(`makes more than ${resultSize} bytes`);
    if (source === result) {
      result.copyWithin(to, start, start + length);
    } else if (length < SHORT_COPY) {
      for (let index = 0; index < length; index++) result[to + index] = source[start + index]!;
    } else {
      source.copy(result, to, start, start + length);
    }
    to += length;
  }
  if (to !== resultEnd) {
    throw new DeltaFault(`makes ${to - resultStart} bytes, declares ${resultSize}`);
  }
}

/** What is wrong with a delta's instructions, as an error that says where it stands. */
export function asDeltaError(error: unknown, offset: number): unknown {
  if (!(error instanceof DeltaFault)) return error;
  return new PackError('PACK_DELTA_INVALID', `delta at ${offset}: ${error.message}`, {
    cause: error,
    data: { offset },
  });
}
