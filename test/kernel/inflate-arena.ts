/** The kernel's inflate with guard bytes around all that it may write, beside zlib's opinion. */
import { strict as assert } from 'node:assert';
import { constants, inflateSync } from 'node:zlib';
import type { Kernel } from '../../agent/pack/kernel.ts';
import { instantiate } from './instance.ts';

const GUARD = 512;
/** What may be read behind the input and written behind the output. */
const SLACK = 16;
const SCRATCH = 1024;
const OUTPUT = 2 ** 17;
const MEMORY_PAGES = 80;
/** The input ends where nothing more can be read than what may be. */
const INPUT_END = MEMORY_PAGES * 2 ** 16 - SLACK;
const GUARDS = Buffer.alloc(GUARD, 0xa5);

interface Found {
  /** Bytes taken, NEEDS_INPUT or FAULT. */
  readonly taken: number;
  /** A view. */
  readonly content: Buffer;
}

/** What zlib says: bytes taken and what they make, or why not. */
export type Opinion =
  | { readonly taken: number; readonly content: Buffer }
  | { readonly taken: null; readonly isCut: boolean };

export class InflateArena {
  readonly kernel: Kernel;
  readonly #bytes: Buffer;
  readonly #guards: number[];

  constructor() {
    const { kernel, memory } = instantiate(MEMORY_PAGES);
    this.kernel = kernel;
    this.#bytes = Buffer.from(memory.buffer);
    this.#guards = [SCRATCH - GUARD, SCRATCH + kernel.INFLATE_SCRATCH_BYTES.value];
    for (const at of this.#guards) GUARDS.copy(this.#bytes, at);
    kernel.initInflate(SCRATCH);
  }

  /** `junk` stands behind the input. Fails if anything was written outside of the output. */
  inflate(input: Buffer, size: number, junk = 0xff): Found {
    const bytes = this.#bytes;
    const from = INPUT_END - input.length;
    input.copy(bytes, from);
    bytes.fill(junk, INPUT_END);
    const around = [OUTPUT - GUARD, OUTPUT + size + SLACK];
    for (const at of around) GUARDS.copy(bytes, at);
    const taken = this.kernel.inflate(from, INPUT_END, OUTPUT, size);
    for (const at of [...around, ...this.#guards]) {
      assert(GUARDS.equals(bytes.subarray(at, at + GUARD)), `something was written near ${at}`);
    }
    assert(input.equals(bytes.subarray(from, INPUT_END)), 'the input was written');
    return { taken, content: bytes.subarray(OUTPUT, OUTPUT + size) };
  }

  /**
   * Holds the kernel to zlib: success is the same success. Input that zlib finds too short is not too
   * short for a kernel that has seen a fault in it; a fault may seem too short.
   */
  compare(input: Buffer, size: number, junk = 0xff): Opinion {
    const opinion = opinionOfZlib(input, size);
    const found = this.inflate(input, size, junk);
    const told = `${input.toString('hex').slice(0, 2000)} to ${size} bytes`;
    if (opinion.taken === null || opinion.content.length !== size) {
      assert(found.taken < 0, `taken, but zlib refuses: ${told}`);
    } else {
      assert.equal(found.taken, opinion.taken, told);
      assert(found.content.equals(opinion.content), `other content: ${told}`);
    }
    return opinion;
  }
}

/** The output is one piece: between pieces Node's zlib keeps no more than the header's window. */
function opinionOfZlib(input: Buffer, size: number): Opinion {
  try {
    const options = { info: true, chunkSize: Math.max(64, size + 1) };
    const { buffer, engine } = inflateSync(input, options) as unknown as {
      readonly buffer: Buffer;
      readonly engine: { readonly bytesWritten: number };
    };
    return { taken: engine.bytesWritten, content: buffer };
  } catch (error) {
    const { errno } = error as { readonly errno?: number };
    assert(errno !== undefined, String(error));
    return { taken: null, isCut: errno === constants.Z_BUF_ERROR };
  }
}
