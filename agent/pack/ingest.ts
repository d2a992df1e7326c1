/**
 * A pack stream in; `.pack`, `.idx` and `.rev` on disk out, named and checked (gitformat-pack), or a
 * PackError and nothing left behind. The path of the data, from top to bottom:
 *
 *   source ── pack-receiver ──┬── temporary pack file
 *                             └── entry-scanner ── entry-router ──┬── arrival-resolver, here
 *                                                                 └── entry-ring ── thread-work
 *   entry-table ── resolve-deltas (what was left over) ── idx-writer, rev-writer ── publish
 */
import { untilAborted } from './abortable.ts';
import { ArrivedObjects } from './arrived-objects.ts';
import type { ArrivalObserver, ObserverTaps } from './arrival-observer.ts';
import type { BufferPool } from './buffer-pool.ts';
import { refuseCollisions } from './collisions.ts';
import { SpaceGuard } from './disk-space.ts';
import { EntryScanner } from './entry-scanner.ts';
import { writeIdx } from './idx-writer.ts';
import { PACK_TUNING, type PackLimits, type PackTuning } from './limits.ts';
import { LinkCollector, collectUnseen, findBrokenOid } from './object-links.ts';
import { sortTable } from './oid-order.ts';
import { PackFiles, type TemporaryFile } from './pack-files.ts';
import { PackReceiver } from './pack-receiver.ts';
import { PackThreads } from './pack-threads.ts';
import { ProgressMeter, type IngestProgress } from './progress-meter.ts';
import { resolveDeltas } from './resolve-deltas.ts';
import { writeRev } from './rev-writer.ts';
import { asStorageError } from './storage-error.ts';

export interface IngestContext {
  /** The …/objects/pack that the files go to; it exists. */
  readonly packDir: string;
  readonly limits: PackLimits;
  readonly signal?: AbortSignal | undefined;
  readonly onProgress?: ((progress: IngestProgress) => void) | undefined;
  readonly tuning?: Partial<PackTuning> | undefined;
  readonly observer?: ArrivalObserver | undefined;
  /** Whether to find out what is missing in the history; see IngestOutcome.brokenOid. */
  readonly collectLinks?: boolean | undefined;
  /** Lends buffers for large contents: whoever reads the pack afterwards takes the same ones. */
  readonly buffers?: BufferPool | undefined;
}

export interface IngestOutcome {
  /** The pack's trailer in hex: part of both file names. */
  readonly checksum: string;
  readonly objectCount: number;
  readonly packBytes: number;
  /** Null when the pack has no objects: nothing is written then. */
  readonly packPath: string | null;
  readonly idxPath: string | null;
  /** An object that leads to one that is not in the pack; null when none was found, or looked for. */
  readonly brokenOid: string | null;
}

/** A full queue is looked at again at the latest after this. */
const ROOM_INTERVAL_MS = 100;

/** Takes the whole stream. Throws PackError, MountError (the disk), or the signal's reason. */
export async function ingestPack(
  source: AsyncIterable<Uint8Array>,
  context: IngestContext,
): Promise<IngestOutcome> {
  context.signal?.throwIfAborted();
  try {
    await using files = new PackFiles(context.packDir);
    const pack = await files.create('tmp_pack_');
    const tuning = { ...PACK_TUNING, ...context.tuning };
    const links = context.collectLinks === true ? new LinkCollector() : undefined;
    const { fd } = pack.file;
    using scanner = new EntryScanner(fd, context.limits, tuning, links);
    return await new Ingest(context, tuning, scanner, fd, links).run(source, files, pack);
  } catch (error) {
    throw asStorageError(error, 'storing the pack');
  }
}

class Ingest {
  readonly #context: IngestContext;
  readonly #tuning: PackTuning;
  readonly #meter: ProgressMeter;
  readonly #scanner: EntryScanner;
  readonly #fd: number;
  readonly #links: LinkCollector | undefined;
  readonly #threads = new PackThreads();
  #threading: Promise<void> | undefined;
  #taps: ObserverTaps | null = null;

  constructor(
    context: IngestContext,
    tuning: PackTuning,
    scanner: EntryScanner,
    fd: number,
    links: LinkCollector | undefined,
  ) {
    this.#links = links;
    this.#context = context;
    this.#tuning = tuning;
    this.#meter = new ProgressMeter(context.onProgress);
    this.#scanner = scanner;
    this.#fd = fd;
    scanner.observer = context.observer;
  }

  async run(
    source: AsyncIterable<Uint8Array>,
    files: PackFiles,
    pack: TemporaryFile,
  ): Promise<IngestOutcome> {
    const { limits } = this.#context;
    const scanner = this.#scanner;
    await using threads = this.#threads;
    const onStop = (): Promise<void> => this.#goOn();
    const receiver = new PackReceiver(pack.file, scanner, limits, this.#tuning.windowBytes, onStop);

    const checksum = await this.#receive(source, receiver);
    const { table } = scanner;
    const outcome = { checksum, objectCount: table.count, packBytes: receiver.receivedBytes };
    if (table.count === 0) return { ...outcome, packPath: null, idxPath: null, brokenOid: null };

    // The disk works while what is left over is resolved.
    const [resolved, synced] = await Promise.allSettled([
      this.#resolve(outcome.packBytes, threads),
      pack.file.sync(),
    ]);
    if (resolved.status === 'rejected') throw resolved.reason;
    if (synced.status === 'rejected') throw synced.reason;

    const order = sortTable(table);
    refuseCollisions(table, order, pack.file.fd);
    const idx = await files.create('tmp_idx_');
    await writeIdx(idx.file, table, order, checksum, this.#tuning.largestShortOffset);
    const rev = await files.create('tmp_rev_');
    await writeRev(rev.file, order, checksum);
    await Promise.all([idx.file.sync(), rev.file.sync()]);
    this.#context.signal?.throwIfAborted();
    this.#meter.finish('indexing', outcome.packBytes, table.count, table.count);
    const brokenOid = this.#links === undefined ? null : this.#findBroken(this.#links, order);
    return { ...outcome, ...(await files.publish(pack, rev, idx, checksum)), brokenOid };
  }

  /** The stream to the file and to the table. Returns the checksum. */
  async #receive(source: AsyncIterable<Uint8Array>, receiver: PackReceiver): Promise<string> {
    const scanner = this.#scanner;
    const guard = new SpaceGuard(this.#context.packDir);
    for await (const chunk of untilAborted(source, this.#context.signal)) {
      await receiver.take(chunk);
      this.#threads.throwIfFailed();
      const { receivedBytes } = receiver;
      if (this.#isWorthThreads(receivedBytes)) this.#startThreads();
      if (guard.isDue(receivedBytes)) await guard.check(receivedBytes);
      this.#meter.update('receiving', receivedBytes, scanner.table.count, scanner.totalObjects);
    }
    const checksum = await receiver.end();
    const { count } = scanner.table;
    this.#meter.finish('receiving', receiver.receivedBytes, count, count);
    return checksum;
  }

  #isWorthThreads(receivedBytes: number): boolean {
    const { threadedBytes, threadedObjects } = this.#tuning;
    return receivedBytes > threadedBytes || this.#scanner.totalObjects >= threadedObjects;
  }

  /** Starts the threads once; the scanner goes on alone until they are up. */
  #startThreads(): void {
    const { threads, entryRingBytes, contentRingBytes } = this.#tuning;
    if (this.#threading !== undefined || threads === 0 || this.#scanner.totalObjects <= 0) return;
    const given = {
      columns: this.#scanner.table.columns(),
      fd: this.#fd,
      limits: this.#context.limits,
      contentRingBytes,
      collectLinks: this.#links !== undefined,
    };
    this.#threading = this.#threads.start(threads, entryRingBytes, given).then((rings) => {
      this.#scanner.parts.router.useThreads(rings);
    });
    // The queues are new: there is room.
    if (this.#taps !== null) void this.#threads.tell(this.#taps.message);
  }

  /** Mends what the scanner stopped for. */
  async #goOn(): Promise<void> {
    const { stopped } = this.#scanner;
    if (stopped === 'first tree') await this.#beforeTrees();
    else if (stopped === 'first blob') await this.#beforeBlobs();
    else await this.#scanner.parts.router.awaited?.progress(ROOM_INTERVAL_MS);
    this.#threads.throwIfFailed();
    this.#context.signal?.throwIfAborted();
  }

  /** The newest commits come first: most often they have their names without any waiting. */
  async #beforeTrees(): Promise<void> {
    const { observer } = this.#context;
    this.#taps = this.#show((objects) => observer?.beforeTrees(objects) ?? null);
    if (this.#taps === null && this.#threads.count > 0) {
      await this.#threads.drained();
      this.#taps = this.#show((objects) => observer?.beforeTrees(objects) ?? null);
    }
    if (this.#taps === null) return;
    this.#scanner.parts.resolver.tap = this.#taps.tap;
    await this.#threads.tell(this.#taps.message);
  }

  async #beforeBlobs(): Promise<void> {
    const { observer } = this.#context;
    if (observer?.wantsTrees !== true) return;
    await this.#threads.drained();
    this.#show((objects) => {
      observer.beforeBlobs(objects);
    });
  }

  #show<T>(look: (objects: ArrivedObjects) => T): T {
    using objects = new ArrivedObjects(this.#scanner.table, this.#fd);
    return look(objects);
  }

  /** Names for all that has none yet. */
  async #resolve(packBytes: number, threads: PackThreads): Promise<void> {
    const { limits, signal } = this.#context;
    const { table, expandedBytes, parts } = this.#scanner;
    const { resolver } = parts;
    await this.#threading;
    resolver.tap?.flush();
    await threads.finish(signal);
    await resolveDeltas(table, {
      fd: this.#fd,
      limits,
      expandedBytes: expandedBytes + resolver.expandedBytes,
      baseCacheBytes: this.#tuning.baseCacheBytes,
      threads,
      buffers: this.#context.buffers,
      links: this.#links,
      signal,
      onResolved: (resolved) => {
        this.#meter.update('indexing', packBytes, table.wholeCount + resolved, table.count);
      },
    });
  }

  #findBroken(links: LinkCollector, order: Uint32Array): string | null {
    const { table, unseenRows } = this.#scanner;
    using objects = new ArrivedObjects(table, this.#fd);
    collectUnseen(links, unseenRows, objects);
    return findBrokenOid([links.links, ...this.#threads.links], table, order);
  }
}
