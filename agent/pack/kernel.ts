/**
 * The WebAssembly module with the innermost loops of an ingest (agent/kernel), as TypeScript sees it:
 * compiled once per process, posted to its threads, instantiated by each on the one memory that they
 * share. In: addresses in that memory. What the kernel cannot do, it says with a number: the caller
 * does it again, and throws the typed error.
 */
import { readFileSync } from 'node:fs';
import { AgentError, errnoOf } from '../errors.ts';
import { builtFile } from '../own-files.ts';
import { readKernelCode } from './kernel-code.ts';
import type { KernelImports } from './kernel-imports.ts';

/**
 * What agent/kernel/index.ts exports; test/pack/kernel.test.ts holds the two together. Values are of 32
 * bits, and signed when they come out: an address from the upper half of the memory is negative.
 */
export interface Kernel {
  readonly CRC_SCRATCH_BYTES: Value;
  readonly DELTA_FAULT: Value;
  readonly FAULT: Value;
  readonly FILES_SCRATCH_BYTES: Value;
  readonly INFLATE_SCRATCH_BYTES: Value;
  readonly NEEDS_INPUT: Value;
  addRow(): number;
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
  readonly base: Value;
  /** @param nanoseconds since 1970: the time of all files. */
  beginFiles(scratch: number, nanoseconds: bigint): void;
  beginPlan(oid: number, nodes: number, byteLimit: number, prefixBytes: number): number;
  cacheTreeLimit(directories: number, count: number): number;
  readonly changedCount: Value;
  readonly count: Value;
  countWritten(files: number): void;
  crc32(from: number, end: number): number;
  readonly directoryCount: Value;
  encodeCacheTree(scratch: number, to: number): number;
  encodeEntries(files: number, from: number, to: number, end: number): number;
  readonly encodedEnd: Value;
  readonly fileCount: Value;
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
  readonly deltaBaseSize: Value;
  readonly deltaResultSize: Value;
  readonly faultBase: Value;
  readonly faultBaseSize: Value;
  readonly faultDelta: Value;
  readonly faultDeltaSize: Value;
  readonly faultRow: Value;
  findBroken(words: number, namedBy: number, places: number): number;
  findEqual(rows: number, count: number, oids: number, from: number): number;
  indexOids(oids: number, count: number): number;
  inflate(from: number, end: number, to: number, size: number): number;
  readonly inflatedBytes: Value;
  initCrc32(scratch: number): void;
  initInflate(scratch: number): void;
  initLinks(seedHigh: number, seedLow: number): void;
  initSha1(scratch: number): void;
  readonly lateCount: Value;
  linkNamedBy(): number;
  linkPlaces(): number;
  linkWords(): number;
  readonly linksFailed: Value;
  readonly madeBytes: Value;
  nextAttributes(files: number, from: number): number;
  nextLeft(files: number, from: number): number;
  nextWanted(from: number): number;
  readonly nodeCount: Value;
  readonly OID_ROOM: Value;
  readonly SHA1_SCRATCH_BYTES: Value;
  orderNodes(files: number, directories: number): void;
  readonly owner: Value;
  readonly packOffset: Value;
  parseDeltaHeader(delta: number, end: number): number;
  readonly placed: Value;
  planTree(oid: number, content: number, size: number): number;
  readonly pointerCount: Value;
  releaseMessage(control: number, units: number): void;
  sameBeginOf(instructions: number): number;
  sortRows(oids: number, count: number, order: number, scratch: number): void;
  sortScratchBytes(count: number): number;
  scan(from: number, end: number): number;
  setCollects(collects: number): void;
  setContentRing(contents: number, bytes: number, contentOfRow: number, rows: number): void;
  setNodes(
    control: number,
    bytes: number,
    starts: number,
    parents: number,
    nexts: number,
    states: number,
    seedLow: number,
    seedHigh: number,
  ): void;
  setResolver(
    deltaObjectBytes: number,
    expandedBytes: number,
    scratch: number,
    scratchBytes: number,
    chain: number,
    chainRows: number,
    stored: number,
    storedBytes: number,
  ): void;
  setScanner(
    objects: number,
    streamBytes: number,
    objectBytes: number,
    expandedBytes: number,
    chainDepth: number,
    scratch: number,
    owners: number,
  ): void;
  setTable(
    offsets: number,
    sizes: number,
    crcs: number,
    bases: number,
    types: number,
    headerLengths: number,
    depths: number,
    oids: number,
  ): void;
  /** Puts the 20 bytes to `to`. */
  sha1(from: number, end: number, to: number): void;
  skip(bytes: number): void;
  stopBefore(type: number): void;
  takeBlob(row: number, content: number, size: number): void;
  takeEntries(control: number, bytes: number, units: number): number;
  planArrived(from: number, end: number): number;
  takeLate(from: number, end: number): number;
  takeInflated(used: number): number;
  takeLinks(
    row: number,
    type: number,
    content: number,
    size: number,
    sameBegin: number,
    sameEnd: number,
  ): void;
  readonly taken: Value;
  useQueues(rings: number, queues: number): void;
  useWasi(userId: number, groupId: number): void;
  readonly wantedTrees: Value;
  /** 0: no file that is missing has the object as its content. */
  wantsBlob(row: number): number;
  readonly wholeCount: Value;
  readonly writtenBytes: Value;
  readonly writtenCount: Value;
}

/** A constant, or a variable of one instance. */
export interface Value {
  readonly value: number;
}

let compiled: WebAssembly.Module | undefined;

/** This process's module; a thread is sent its process's. @throws INTERNAL where the build is damaged. */
export function kernelModule(): WebAssembly.Module {
  compiled ??= compileKernel(builtFile('kernel.wasm'));
  return compiled;
}

/** 1 ms; where there is no code for it, V8 does most in the background, while the kernel runs. */
export function compileKernel(path: string): WebAssembly.Module {
  try {
    const kernel = readFileSync(path);
    return readKernelCode(path, kernel) ?? new WebAssembly.Module(kernel);
  } catch (error) {
    if (!(error instanceof WebAssembly.CompileError) && errnoOf(error) === undefined) throw error;
    throw damaged(`expected the kernel in ${path}`, error);
  }
}

/** One for each thread: the kernel's own variables are the instance's. */
export function instantiateKernel(
  module: WebAssembly.Module,
  memory: WebAssembly.Memory,
  imports: KernelImports,
): Kernel {
  try {
    const { exports } = new WebAssembly.Instance(module, { ...imports, env: { memory } });
    // To TypeScript any export may be anything; agent/kernel/index.ts says what these are.
    return exports as unknown as Kernel;
  } catch (error) {
    // The latter where all functions of a file are missing.
    if (!(error instanceof WebAssembly.LinkError || error instanceof TypeError)) throw error;
    throw damaged('expected the kernel of this version', error);
  }
}

function damaged(expected: string, cause: unknown): AgentError {
  const found = cause instanceof Error ? cause.message : String(cause);
  const remedy = 'Files of mount-agent are missing or of another version: install it again.';
  return new AgentError('INTERNAL', `${expected}, found: ${found}`, { cause, remedy });
}
