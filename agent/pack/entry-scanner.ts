/**
 * The pack's bytes in, in windows of the kernel's memory; the rows of the entry table out. The kernel
 * (agent/kernel/scanner.ts) parses and inflates each entry as it passes, and has it made into an object
 * here or in a pack thread. Here is what it leaves: an entry that does not fit a window, or is
 * larger than `streamBytes`, goes through piece by piece and is named here; a stream that it refuses
 * is shown to zlib; and what is wrong with an entry is said. Format: gitformat-pack.
 */
import { ArrivalResolver } from './arrival-resolver.ts';
import { prepareResolver, type ResolverStart } from './resolver-start.ts';
import { EntryHeader, OBJECT_TYPE } from './entry-header.ts';
import { listOfRings, type EntryRingMemory, type EntryRingWriter } from './entry-ring.ts';
import { refusalOf } from './entry-refusal.ts';
import { EntryStream } from './entry-stream.ts';
import { EntryTable, NO_BASE } from './entry-table.ts';
import { createInflater } from './inflate.ts';
import { NEEDS_INPUT, asLocated, type Inflater } from './inflater.ts';
import { kernelModule, type Kernel } from './kernel.ts';
import type { PackLimits, PackTuning } from './limits.ts';
import { HEADROOM, SLACK } from './object-hash.ts';
import { PACK_HEADER_BYTES, parsePackHeader } from './pack-header.ts';
import type { PackMemory } from './pack-memory.ts';

/** What the kernel's scan comes back with (agent/kernel/scanner.ts); others are the resolver's. */
const ENDED = 0;
const NO_ROOM = 3;
const STOPPED = 4;
const LARGE = 5;
const WRONG_HEADER = 6;
const WRONG_STREAM = 7;

type Stop = 'no' | 'begun' | 'no room' | 'tree' | 'blob';

export interface ScannerContext {
  /** The file that the bytes are in before they come here. */
  readonly fd: number;
  readonly memory: PackMemory;
  readonly limits: PackLimits;
  readonly tuning: PackTuning;
  readonly linkSeeds: ResolverStart['linkSeeds'];
  /** Where a checkout writes files; null: nobody looks at what comes. */
  readonly directory: string | null;
}

export class EntryScanner {
  readonly table = new EntryTable();
  /** Why the last `scan` came back early; it takes no more before that is mended. */
  stopped: Stop = 'no';
  /** What the pack's header claims. */
  totalObjects = -1;
  readonly #context: ScannerContext;
  /** For what goes through in pieces. */
  readonly #inflater: Inflater = createInflater();
  /** Commits, trees and tags that went through in pieces: nobody has seen them whole. */
  readonly unseenRows: number[] = [];
  #resolver: ArrivalResolver | undefined;
  #given: Omit<ResolverStart, 'memory' | 'places'> | undefined;
  #rings: readonly EntryRingWriter[] = [];
  readonly #header = new EntryHeader();
  /** The entry that goes through in pieces. */
  #stream: EntryStream | undefined;

  constructor(context: ScannerContext) {
    this.#context = context;
  }

  /** Who makes objects in this thread; there once the pack's header was seen. */
  get resolver(): ArrivalResolver {
    if (this.#resolver === undefined) throw new TypeError('the pack has not begun');
    return this.#resolver;
  }

  get #kernel(): Kernel {
    return this.resolver.kernel;
  }

  /** True when all entries that the header claims are in the table. */
  get complete(): boolean {
    return this.table.count === this.totalObjects && this.#stream === undefined;
  }

  /** Bytes of content made while the pack arrived. */
  get expandedBytes(): number {
    return this.#kernel.inflatedBytes.value + this.resolver.expandedBytes;
  }

  /** Takes the memory of one more resolver, for a thread. Throws PACK_LIMIT. */
  prepareThread(): ResolverStart {
    if (this.#given === undefined) throw new TypeError('the pack has not begun');
    return prepareResolver(this.#context.memory, this.#context.tuning, this.#given);
  }

  /** From now on new bases go to these threads. */
  useThreads(queues: readonly EntryRingMemory[], writers: readonly EntryRingWriter[]): void {
    this.#rings = writers;
    this.#kernel.useQueues(listOfRings(this.#context.memory, queues), queues.length);
    this.resolver.see();
  }

  /** The queue that was found to be full, for who waits for it. */
  get awaited(): EntryRingWriter | undefined {
    return this.#rings[this.#kernel.owner.value - 1];
  }

  /** `scan` comes back before the next entry of this type, once. */
  stopBefore(type: 'tree' | 'blob'): void {
    this.#kernel.stopBefore(OBJECT_TYPE[type]);
  }

  /**
   * Takes what it can of window[start, end) and returns how many bytes that was: the header alone, then entries.
   * The window is in the kernel's memory; the trailer is for the caller to keep back. With `full` it
   * cannot hold more, so that an entry cut off at its end and beginning at `start` must go through in
   * pieces. Throws PackError.
   */
  scan(window: Buffer, start: number, end: number, full: boolean): number {
    this.stopped = 'no';
    if (this.totalObjects === -1) {
      if (end - start < PACK_HEADER_BYTES) return 0;
      this.#begin(window, start);
      this.#kernel.skip(PACK_HEADER_BYTES);
      this.stopped = 'begun';
      return PACK_HEADER_BYTES;
    }
    let position = start;
    while (!this.complete && position < end) {
      const from = position;
      const stream = this.#stream;
      if (stream !== undefined) position += this.#continue(stream, window, position, end);
      else position = this.#scanEntries(window, position, end, full && position === start);
      // Typed anew: `stopped` has changed meanwhile.
      if (position === from || (this.stopped as Stop) !== 'no') break;
    }
    this.table.endOffset = this.#kernel.packOffset.value;
    for (const ring of this.#rings) ring.wake();
    return position - start;
  }

  #begin(window: Buffer, start: number): void {
    const { fd, memory, limits, tuning, linkSeeds, directory } = this.#context;
    const count = parsePackHeader(window, start, limits.objectCount);
    this.table.reserve(count, memory);
    const columns = this.table.columns();
    this.#given = { module: kernelModule(), columns, fd, limits, linkSeeds, directory };
    const scratch = memory.take(HEADROOM + tuning.streamBytes + SLACK).byteOffset;
    const owners = memory.take(count).byteOffset;
    this.#resolver = new ArrivalResolver(this.prepareThread());
    const { objectBytes, expandedBytes: most, chainDepth } = limits;
    const { streamBytes } = tuning;
    this.#kernel.setScanner(count, streamBytes, objectBytes, most, chainDepth, scratch, owners);
    this.totalObjects = count;
    if (directory === null) return;
    this.stopBefore('tree');
    this.stopBefore('blob');
  }

  /** Returns up to where it came. */
  #scanEntries(window: Buffer, start: number, end: number, mustTake: boolean): number {
    const { byteOffset } = window;
    const kernel = this.#kernel;
    const code = kernel.scan(byteOffset + start, byteOffset + end);
    const position = (kernel.taken.value >>> 0) - byteOffset;
    this.#count();
    switch (code) {
      case ENDED:
        if (mustTake && position === start) return this.#beginStream(window, position, end);
        return position;
      case NO_ROOM:
        this.stopped = 'no room';
        return position;
      case STOPPED:
        this.#header.parse(window, position, end, kernel.packOffset.value);
        this.stopped = this.#header.type === OBJECT_TYPE.tree ? 'tree' : 'blob';
        return position;
      case LARGE:
        return this.#beginStream(window, position, end);
      case WRONG_HEADER:
        return this.#refuseHeader(window, position, end);
      case WRONG_STREAM:
        return this.#inflateAgain(window, position, end, mustTake && position === start);
      default:
        this.resolver.requireDone(code);
        return position;
    }
  }

  /** By zlib, whose opinion counts. */
  #inflateAgain(window: Buffer, start: number, end: number, mustTake: boolean): number {
    const kernel = this.#kernel;
    const offset = kernel.packOffset.value;
    const header = this.#header;
    header.parse(window, start, end, offset);
    const { bytes } = this.resolver;
    const from = start + header.length;
    const to = kernel.placed.value >>> 0;
    const used = asLocated(offset, () =>
      this.#inflater.inflate(window, from, end, bytes, to, header.size),
    );
    if (used === NEEDS_INPUT) return mustTake ? this.#beginStream(window, start, end) : start;
    this.resolver.requireDone(kernel.takeInflated(used));
    this.#count();
    return start + header.length + used;
  }

  /** The same header once more, for what is wrong with it. */
  #refuseHeader(window: Buffer, start: number, end: number): never {
    const { packOffset, base, inflatedBytes } = this.#kernel;
    const [header, offset] = [this.#header, packOffset.value];
    header.parse(window, start, end, offset);
    const depth = (this.table.depths[base.value] ?? 0) + 1;
    const entry = { header, offset, base: base.value, depth, inflatedBytes: inflatedBytes.value };
    throw refusalOf(entry, this.#context.limits);
  }

  #beginStream(window: Buffer, start: number, end: number): number {
    const kernel = this.#kernel;
    const header = this.#header;
    if (!header.parse(window, start, end, kernel.packOffset.value)) return start;
    const row = kernel.addRow();
    this.#count();
    if (kernel.base.value === NO_BASE && header.type !== OBJECT_TYPE.blob)
      this.unseenRows.push(row);
    const position = start + header.length;
    const head = window.subarray(start, position);
    this.#stream = new EntryStream(this.table, this.#inflater, row, header, head);
    kernel.skip(header.length);
    return position + this.#continue(this.#stream, window, position, end);
  }

  #continue(stream: EntryStream, window: Buffer, start: number, end: number): number {
    const taken = stream.take(window, start, end);
    this.#kernel.skip(taken);
    if (stream.ended) this.#stream = undefined;
    return taken;
  }

  /** What the kernel has counted. */
  #count(): void {
    this.table.count = this.#kernel.count.value;
    this.table.wholeCount = this.#kernel.wholeCount.value;
  }

  [Symbol.dispose](): void {
    this.#inflater.close();
    this.#resolver?.[Symbol.dispose]();
  }
}
