/**
 * A pack stream in; its file, its entry table and its checked trailer out. Two loops over one file:
 * one stores what comes, the other scans what is stored, at most `aheadBytes` behind. Here, too, the
 * pack threads are started.
 */
import { ArrivalLooks } from './arrival-looks.ts';
import type { ArrivalObserver } from './arrival-observer.ts';
import { SpaceGuard } from './disk-space.ts';
import { EarlySync } from './early-sync.ts';
import { createEntryRing } from './entry-ring.ts';
import type { EntryScanner } from './entry-scanner.ts';
import { PackError } from '../errors.ts';
import type { PackLimits, PackTuning } from './limits.ts';
import { SLACK } from './object-hash.ts';
import type { PackMemory } from './pack-memory.ts';
import { PackReceiver } from './pack-receiver.ts';
import type { PackSource } from './pack-source.ts';
import { PackScan } from './pack-scan.ts';
import type { PackThreads } from './pack-threads.ts';
import type { ProgressMeter } from './progress-meter.ts';
import type { Turn } from './turns.ts';

export interface ArrivalContext {
  /** The pack file, empty, open for both. */
  readonly fd: number;
  readonly memory: PackMemory;
  /** Where it is. */
  readonly packDir: string;
  readonly limits: PackLimits;
  readonly tuning: PackTuning;
  readonly meter: ProgressMeter;
  readonly observer: ArrivalObserver | undefined;
  readonly signal: AbortSignal | undefined;
  /** Of several packs in one process. */
  readonly turn: Turn | undefined;
}

export interface Arrived {
  /** The pack's trailer in hex. */
  readonly checksum: string;
  readonly packBytes: number;
}

/** A full queue is looked at again at the latest after this. */
const ROOM_INTERVAL_MS = 100;

export class Arrival {
  readonly #context: ArrivalContext;
  readonly #scanner: EntryScanner;
  readonly #threads: PackThreads;
  #threading: Promise<void> | undefined;
  #isBegun = false;
  readonly #looks: ArrivalLooks;
  readonly #sync: EarlySync;

  constructor(context: ArrivalContext, scanner: EntryScanner, threads: PackThreads) {
    this.#context = context;
    this.#scanner = scanner;
    this.#threads = threads;
    const { observer, fd, tuning } = context;
    const { windowBytes: lookBytes } = tuning;
    this.#sync = new EarlySync(fd);
    this.#looks = new ArrivalLooks({ observer, scanner, threads, fd, lookBytes });
  }

  /** Takes the whole stream. Throws PackError, MountError (the disk), the source's error, the signal's reason. */
  async run(source: PackSource): Promise<Arrived> {
    const { fd, memory, limits, tuning, meter, signal, turn } = this.#context;
    const receiver = new PackReceiver(fd, limits);
    const hooks = {
      onStop: () => this.#goOn(),
      onWindow: () => {
        this.#afterWindow();
      },
      onWait: () => {
        this.#sync.offer(receiver.receivedBytes);
        return this.#looks.whileWaiting();
      },
    };
    // What is read behind its end has no meaning, but must be there.
    const window = memory.take(tuning.windowBytes + SLACK).subarray(0, tuning.windowBytes);
    const scan = new PackScan(fd, receiver, this.#scanner, window, hooks, turn);
    const stop = new AbortController();
    const stopped = signal === undefined ? stop.signal : AbortSignal.any([signal, stop.signal]);
    const scanning = scan.run().catch((error: unknown) => {
      stop.abort(error);
      throw error;
    });
    const [stored, scanned] = await Promise.allSettled([
      this.#store(source, receiver, scan, stopped),
      scanning,
    ]);
    // What the stream ended with says more than where it left the scanner.
    const cut = stored.status === 'rejected' && isTruncation(scanned);
    if (scanned.status === 'rejected' && !cut) throw scanned.reason;
    if (stored.status === 'rejected') throw stored.reason;
    if (scanned.status === 'rejected') throw scanned.reason;
    const { count } = this.#scanner.table;
    meter.finish('receiving', receiver.receivedBytes, count, count);
    return { checksum: scanned.value, packBytes: receiver.receivedBytes };
  }

  /** Settles when all threads that were started are up. */
  async settled(): Promise<void> {
    await this.#threading;
    await this.#looks.settled();
  }

  /** Settles when the pack is on the disk. Throws errno. */
  async synced(): Promise<void> {
    await this.#sync.finish();
  }

  /** Nothing here works on the file any more. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.#sync.settled();
  }

  async #store(
    source: PackSource,
    receiver: PackReceiver,
    scan: PackScan,
    stop: AbortSignal,
  ): Promise<void> {
    const { packDir, tuning, meter } = this.#context;
    const scanner = this.#scanner;
    const guard = new SpaceGuard(packDir);
    const take = (bytes: Uint8Array): void => {
      receiver.take(bytes);
    };
    const backlog = (): Promise<void> | null => {
      const { receivedBytes } = receiver;
      meter.update('receiving', receivedBytes, scanner.table.count, scanner.totalObjects);
      const behind = scan.until(tuning.aheadBytes);
      if (!guard.isDue(receivedBytes)) return behind;
      return guard.check(receivedBytes).then(() => behind ?? undefined);
    };
    try {
      await source({ take, backlog }, stop);
    } finally {
      receiver.end();
    }
  }

  #afterWindow(): void {
    this.#context.signal?.throwIfAborted();
    this.#threads.throwIfFailed();
    this.#looks.afterWindow();
    this.#considerThreads();
    if (this.#threading === undefined && this.#scanner.totalObjects > 0) this.#begun();
  }

  #begun(): void {
    if (!this.#isBegun) this.#context.turn?.hasThreads();
    this.#isBegun = true;
  }

  #considerThreads(): void {
    const { threadedBytes, threadedObjects } = this.#context.tuning;
    const { totalObjects, table } = this.#scanner;
    if (table.endOffset > threadedBytes || totalObjects >= threadedObjects) this.#startThreads();
  }

  /** Starts the threads once; the scanner goes on alone until they are up. */
  #startThreads(): void {
    const { memory, tuning, turn } = this.#context;
    const scanner = this.#scanner;
    const threads = Math.min(tuning.threads, turn?.threads ?? tuning.threads);
    if (this.#threading !== undefined || threads === 0 || scanner.totalObjects <= 0) return;
    const starts = Array.from({ length: threads }, () => ({
      ring: createEntryRing(memory, tuning.entryRingBytes),
      resolver: scanner.prepareThread(),
    }));
    this.#threading = this.#threads.start(starts).then((writers) => {
      if (writers.length > 0) {
        scanner.useThreads(
          starts.map(({ ring }) => ring),
          writers,
        );
      }
      this.#begun();
    });
    this.#looks.tellThreads();
  }

  /** Mends what the scanner stopped for. */
  async #goOn(): Promise<void> {
    const { stopped } = this.#scanner;
    // The sooner they start the better: what is made before they are up they cannot make.
    if (stopped === 'begun') this.#considerThreads();
    else if (stopped === 'tree') await this.#looks.beforeTrees();
    else if (stopped === 'blob') await this.#looks.beforeBlobs();
    else await this.#scanner.awaited?.progress(ROOM_INTERVAL_MS);
    this.#threads.throwIfFailed();
    this.#context.signal?.throwIfAborted();
  }
}

function isTruncation(scanned: PromiseSettledResult<unknown>): boolean {
  if (scanned.status === 'fulfilled') return false;
  return scanned.reason instanceof PackError && scanned.reason.code === 'PACK_TRUNCATED';
}
