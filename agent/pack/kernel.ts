/**
 * The WebAssembly module with the innermost loops of an ingest (agent/kernel), as TypeScript sees it:
 * compiled once per process, posted to its threads, instantiated by each on the one memory that they
 * share. In: addresses in that memory. What the kernel cannot do, it says with a number: the caller
 * does it again, and throws the typed error.
 */
import { readFileSync } from 'node:fs';
import { AgentError, PackError, errnoOf } from '../errors.ts';
import { builtFile } from '../own-files.ts';

/**
 * What agent/kernel/index.ts exports; test/pack/kernel.test.ts holds the two together. Values are of 32
 * bits, and signed when they come out: an address from the upper half of the memory is negative.
 */
export interface Kernel {
  readonly CRC_SCRATCH_BYTES: number;
  readonly DELTA_FAULT: number;
  readonly FAULT: number;
  readonly INFLATE_SCRATCH_BYTES: number;
  readonly NEEDS_INPUT: number;
  readonly deltaBaseSize: Variable;
  readonly deltaResultSize: Variable;
  readonly linksFailed: Variable;
  adler32(from: number, end: number): number;
  allocate(bytes: number): number;
  applyDelta(
    base: number,
    baseSize: number,
    instructions: number,
    end: number,
    result: number,
    resultSize: number,
  ): number;
  crc32(from: number, end: number): number;
  fillCrcs(rows: number, count: number, crcs: number, out: number): void;
  fillFanOut(oids: number, count: number, out: number): void;
  fillOffsets(
    rows: number,
    count: number,
    offsets: number,
    limit: number,
    largeCount: number,
    out: number,
  ): number;
  fillOids(rows: number, count: number, oids: number, out: number): void;
  fillPlaces(rows: number, count: number, out: number): void;
  findBroken(
    words: number,
    namedBy: number,
    places: number,
    slots: number,
    mask: number,
    oids: number,
  ): number;
  findEqual(rows: number, count: number, oids: number, from: number): number;
  indexOids(oids: number, count: number, slots: number, mask: number): void;
  inflate(from: number, end: number, to: number, size: number): number;
  initCrc32(scratch: number): void;
  initInflate(scratch: number): void;
  initLinks(seedHigh: number, seedLow: number): void;
  linkNamedBy(): number;
  linkPlaces(): number;
  linkWords(): number;
  parseDeltaHeader(delta: number, end: number): number;
  sameBeginOf(instructions: number): number;
  sortRows(oids: number, count: number, order: number, scratch: number): void;
  sortScratchBytes(count: number): number;
  takeLinks(
    row: number,
    type: number,
    content: number,
    size: number,
    sameBegin: number,
    sameEnd: number,
  ): void;
}

/** What the functions of an instance have left in it. */
export interface Variable {
  readonly value: number;
}

/** Functions of TypeScript that it calls: by the file's name without ending, by their own. */
export type KernelImports = Readonly<
  Record<string, Readonly<Record<string, (...values: number[]) => unknown>>>
>;

export const KERNEL_PAGE_BYTES = 2 ** 16;
/** As in agent/kernel/asconfig.json: all that an address reaches. */
const MAXIMUM_PAGES = 2 ** 16;

let compiled: WebAssembly.Module | undefined;

/** This process's module; a thread is sent its process's. @throws INTERNAL where the build is damaged. */
export function kernelModule(): WebAssembly.Module {
  compiled ??= compileKernel(builtFile('kernel.wasm'));
  return compiled;
}

/** 1 ms: most of it is done in the background, function by function, while they are called. */
export function compileKernel(path: string): WebAssembly.Module {
  try {
    return new WebAssembly.Module(readFileSync(path));
  } catch (error) {
    if (!(error instanceof WebAssembly.CompileError) && errnoOf(error) === undefined) throw error;
    throw damaged(`expected the kernel in ${path}`, error);
  }
}

/** Of at least so many bytes, all zero; the system commits a page when it is written. */
export function createKernelMemory(bytes = 0): WebAssembly.Memory {
  return asLimit(
    () =>
      new WebAssembly.Memory({
        initial: Math.ceil(bytes / KERNEL_PAGE_BYTES),
        maximum: MAXIMUM_PAGES,
        shared: true,
      }),
  );
}

/** Makes it as large as that, unless it is. `memory.buffer` is another one then, in every thread. */
export function growKernelMemory(memory: WebAssembly.Memory, bytes: number): void {
  const missing = Math.ceil((bytes - memory.buffer.byteLength) / KERNEL_PAGE_BYTES);
  if (missing > 0) asLimit(() => memory.grow(missing));
}

/** One for each thread: the kernel's own variables are the instance's. */
export function instantiateKernel(
  module: WebAssembly.Module,
  memory: WebAssembly.Memory,
  imports: KernelImports = {},
): Kernel {
  try {
    const { exports } = new WebAssembly.Instance(module, { ...imports, env: { memory } });
    const values = Object.entries(exports).map(
      ([name, item]) => [name, valueOf(name, item)] as const,
    );
    return Object.fromEntries(values) as unknown as Kernel;
  } catch (error) {
    // The latter where all functions of a file are missing.
    if (!(error instanceof WebAssembly.LinkError || error instanceof TypeError)) throw error;
    throw damaged('expected the kernel of this version', error);
  }
}

/** A constant comes as a box, like a variable: their names tell them apart. */
function valueOf(name: string, item: unknown): unknown {
  const isConstant = item instanceof WebAssembly.Global && name === name.toUpperCase();
  return isConstant ? item.value : item;
}

function damaged(expected: string, cause: unknown): AgentError {
  const found = cause instanceof Error ? cause.message : String(cause);
  const remedy = 'Files of mount-agent are missing or of another version: install it again.';
  return new AgentError('INTERNAL', `${expected}, found: ${found}`, { cause, remedy });
}

/** V8 reserves 8 to 10 GiB of addresses for each memory, so that no access needs a check. */
function asLimit<T>(allocate: () => T): T {
  try {
    return allocate();
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    throw new PackError('PACK_LIMIT', `no addresses for the memory of a clone: ${error.message}`, {
      cause: error,
      remedy:
        'Lift the limit on address space (ulimit -v): each clone reserves 10 GiB of addresses.',
    });
  }
}
