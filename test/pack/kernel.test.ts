import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { builtFile } from '../../agent/own-files.ts';
import {
  KERNEL_PAGE_BYTES,
  createKernelMemory,
  growKernelMemory,
} from '../../agent/pack/kernel-memory.ts';
import { compileKernel, instantiateKernel, kernelModule } from '../../agent/pack/kernel.ts';
import type { Kernel } from '../../agent/pack/kernel.ts';
import { IMPORTS } from '../kernel/instance.ts';

/** Of each function, how many values it takes; the compiler holds these and the interface together. */
const EXPORTS: { readonly [Name in keyof Kernel]: Shape<Kernel[Name]> } = {
  CRC_SCRATCH_BYTES: 'value',
  DELTA_FAULT: 'value',
  FAULT: 'value',
  INFLATE_SCRATCH_BYTES: 'value',
  NEEDS_INPUT: 'value',
  addRow: 0,
  adler32: 2,
  allocate: 1,
  applyDelta: 6,
  base: 'value',
  count: 'value',
  crc32: 2,
  fillCrcs: 4,
  fillFanOut: 3,
  fillOffsets: 6,
  fillOids: 4,
  fillPlaces: 3,
  deltaBaseSize: 'value',
  deltaResultSize: 'value',
  faultBase: 'value',
  faultBaseSize: 'value',
  faultDelta: 'value',
  faultDeltaSize: 'value',
  faultRow: 'value',
  findBroken: 3,
  findEqual: 4,
  indexOids: 2,
  inflate: 4,
  inflatedBytes: 'value',
  initCrc32: 1,
  initInflate: 1,
  initLinks: 2,
  initSha1: 1,
  linkNamedBy: 0,
  linkPlaces: 0,
  linkWords: 0,
  linksFailed: 'value',
  madeBytes: 'value',
  owner: 'value',
  packOffset: 'value',
  parseDeltaHeader: 2,
  placed: 'value',
  releaseMessage: 2,
  sameBeginOf: 1,
  sortRows: 4,
  sortScratchBytes: 1,
  scan: 2,
  setCollects: 1,
  setContentRing: 4,
  setResolver: 8,
  lateCount: 'value',
  takeLate: 2,
  setScanner: 7,
  setTable: 8,
  sha1: 3,
  skip: 1,
  stopBefore: 1,
  takeEntries: 3,
  takeInflated: 1,
  takeLinks: 6,
  taken: 'value',
  useQueues: 2,
  FILES_SCRATCH_BYTES: 'value',
  OID_ROOM: 'value',
  SHA1_SCRATCH_BYTES: 'value',
  beginFiles: 2,
  beginPlan: 4,
  nextWanted: 1,
  nodeCount: 'value',
  planArrived: 2,
  planTree: 3,
  setNodes: 8,
  takeBlob: 3,
  useWasi: 2,
  wantedTrees: 'value',
  wantsBlob: 1,
  cacheTreeLimit: 2,
  changedCount: 'value',
  encodeCacheTree: 2,
  countWritten: 1,
  directoryCount: 'value',
  encodeEntries: 4,
  encodedEnd: 'value',
  fileCount: 'value',
  nextAttributes: 2,
  nextLeft: 2,
  orderNodes: 2,
  pointerCount: 'value',
  writtenBytes: 'value',
  writtenCount: 'value',
  wholeCount: 'value',
};
type Shape<T> = T extends (...values: infer Values extends (number | bigint)[]) => unknown
  ? Values['length']
  : 'value';

const SECTION = { start: 8, data: 11 };

describe('the kernel', () => {
  it('exports the interface, each function with its parameters, and nothing else', () => {
    const kernel = instantiateKernel(kernelModule(), createKernelMemory(), IMPORTS);
    const found = Object.entries(kernel).map(([name, item]: [string, unknown]) => [
      name,
      typeof item === 'function'
        ? item.length
        : item instanceof WebAssembly.Global
          ? 'value'
          : item,
    ]);
    expect(Object.fromEntries(found)).toEqual(EXPORTS);
  });

  it('brings no data along: each thread that instantiates it would write that again', () => {
    const sections = sectionsOf(readFileSync(builtFile('kernel.wasm')));
    expect(sections.length).toBeGreaterThan(3);
    expect(sections).not.toContain(SECTION.data);
    expect(sections).not.toContain(SECTION.start);
  });

  it('has room for its tables in a page each', () => {
    const kernel = instantiateKernel(kernelModule(), createKernelMemory(), IMPORTS);
    expect(kernel.INFLATE_SCRATCH_BYTES.value).toBeLessThanOrEqual(KERNEL_PAGE_BYTES);
    expect(kernel.CRC_SCRATCH_BYTES.value).toBeLessThanOrEqual(KERNEL_PAGE_BYTES);
    expect(kernel.SHA1_SCRATCH_BYTES.value).toBeLessThanOrEqual(KERNEL_PAGE_BYTES);
  });

  it('asks for the memory', () => {
    expect(WebAssembly.Module.imports(kernelModule())).toContainEqual({
      module: 'env',
      name: 'memory',
      kind: 'memory',
    });
  });

  it('is compiled once, and its instances work on the memory that they are given', () => {
    const memory = createKernelMemory(1);
    const instances = [0, 1].map(() => instantiateKernel(kernelModule(), memory, IMPORTS));
    Buffer.from(memory.buffer).write('Wikipedia', 100);
    expect(kernelModule()).toBe(kernelModule());
    expect(instances.map((kernel) => kernel.adler32(100, 109))).toEqual([0x11e60398, 0x11e60398]);
  });
});

describe('a kernel file that is not there or not whole', () => {
  let directory: string;
  beforeEach(() => {
    directory = mkdtempSync(join(tmpdir(), 'kernel-'));
  });
  afterEach(() => {
    rmSync(directory, { recursive: true });
  });

  it('is INTERNAL, with its path and the way out', () => {
    const missing = join(directory, 'kernel.wasm');
    const cut = join(directory, 'cut.wasm');
    writeFileSync(cut, readFileSync(builtFile('kernel.wasm')).subarray(0, -1));
    for (const path of [missing, cut]) {
      const error = thrownBy(() => compileKernel(path));
      expect(error).toMatchObject({
        code: 'INTERNAL',
        message: expect.stringContaining(path) as string,
        remedy: expect.stringContaining('install it again') as string,
      });
    }
  });

  it('is INTERNAL where it belongs to another version', () => {
    const other = join(directory, 'other.wasm');
    // (module (import "env" "f" (func)))
    writeFileSync(other, Buffer.from('0061736d0100000001040160000002090103656e7601660000', 'hex'));
    const module = compileKernel(other);
    const error = thrownBy(() => instantiateKernel(module, createKernelMemory(), IMPORTS));
    expect(error).toMatchObject({ code: 'INTERNAL' });
  });
});

describe('the memory of a kernel', () => {
  it('grows by whole pages, and says where they are', () => {
    const memory = createKernelMemory(1);
    expect(memory.buffer.byteLength).toBe(KERNEL_PAGE_BYTES);
    expect(growKernelMemory(memory, KERNEL_PAGE_BYTES + 1)).toBe(KERNEL_PAGE_BYTES);
    expect(growKernelMemory(memory, 0)).toBe(3 * KERNEL_PAGE_BYTES);
    expect(memory.buffer.byteLength).toBe(3 * KERNEL_PAGE_BYTES);
  });

  it('is PACK_LIMIT beyond what an address reaches, or where the system has no addresses left', () => {
    const limit = { code: 'PACK_LIMIT', remedy: expect.stringContaining('ulimit -v') as string };
    const memory = createKernelMemory();
    expect(
      thrownBy(() => {
        growKernelMemory(memory, 2 ** 32 + 1);
      }),
    ).toMatchObject(limit);
    expect(thrownBy(() => createKernelMemory(2 ** 32 + 1))).toMatchObject(limit);
  });

  it('is there for 40 at once', () => {
    const memories = Array.from({ length: 40 }, () => createKernelMemory(1));
    const kernels = memories.map((memory) => instantiateKernel(kernelModule(), memory, IMPORTS));
    memories.forEach(({ buffer }, index) => (new Uint8Array(buffer)[0] = index));
    const sums = memories.map((_, index) => (index + 1) * 0x1_0001);
    expect(kernels.map((kernel) => kernel.adler32(0, 1))).toEqual(sums);
  });
});

function thrownBy(work: () => unknown): unknown {
  try {
    return work();
  } catch (error) {
    return error;
  }
}

/** Their numbers, in order: https://webassembly.github.io/spec/core/binary/modules.html#sections */
function sectionsOf(bytes: Uint8Array): number[] {
  const found: number[] = [];
  let at = 8;
  while (at < bytes.length) {
    found.push(bytes[at++]!);
    let size = 0;
    for (let shift = 0; ; shift += 7) {
      const byte = bytes[at++]!;
      size |= (byte & 0x7f) << shift;
      if (byte < 0x80) break;
    }
    at += size;
  }
  return found;
}
