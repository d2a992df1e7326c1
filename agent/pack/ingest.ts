/**
 * A pack stream in; `.pack` and `.idx` on disk out, named and checked (gitformat-pack), or a
 * PackError and nothing left behind. The path of the data, from top to bottom:
 *
 *   source ─ pack-receiver ─┬─ temporary pack file
 *                           └─ entry-scanner ── entry-table ── resolve-deltas ── idx-writer ── publish
 */
import { untilAborted } from './abortable.ts';
import { refuseCollisions } from './collisions.ts';
import { EntryScanner } from './entry-scanner.ts';
import { writeIdx } from './idx-writer.ts';
import { PACK_TUNING, type PackLimits, type PackTuning } from './limits.ts';
import { sortTable } from './oid-order.ts';
import { PackFiles } from './pack-files.ts';
import { PackReceiver } from './pack-receiver.ts';
import { ProgressMeter, type IngestProgress } from './progress-meter.ts';
import { resolveDeltas } from './resolve-deltas.ts';
import { ResolveThreads } from './resolve-threads.ts';
import { asStorageError } from './storage-error.ts';

export interface IngestContext {
  /** The …/objects/pack that the files go to; it exists. */
  readonly packDir: string;
  readonly limits: PackLimits;
  readonly signal?: AbortSignal | undefined;
  readonly onProgress?: ((progress: IngestProgress) => void) | undefined;
  readonly tuning?: Partial<PackTuning> | undefined;
}

export interface IngestOutcome {
  /** The pack's trailer in hex: part of both file names. */
  readonly checksum: string;
  readonly objectCount: number;
  readonly packBytes: number;
  /** Null when the pack has no objects: nothing is written then. */
  readonly packPath: string | null;
  readonly idxPath: string | null;
}

/** Takes the whole stream. Throws PackError, MountError (the disk), or the signal's reason. */
export async function ingestPack(
  source: AsyncIterable<Uint8Array>,
  context: IngestContext,
): Promise<IngestOutcome> {
  context.signal?.throwIfAborted();
  try {
    return await new Ingest(context).run(source);
  } catch (error) {
    throw asStorageError(error, 'storing the pack');
  }
}

class Ingest {
  readonly #context: IngestContext;
  readonly #tuning: PackTuning;
  readonly #meter: ProgressMeter;

  constructor(context: IngestContext) {
    this.#context = context;
    this.#tuning = { ...PACK_TUNING, ...context.tuning };
    this.#meter = new ProgressMeter(context.onProgress);
  }

  async run(source: AsyncIterable<Uint8Array>): Promise<IngestOutcome> {
    const { packDir, limits } = this.#context;
    await using files = new PackFiles(packDir);
    await using threads = new ResolveThreads(this.#tuning.threads, this.#tuning.threadedBytes);
    const pack = await files.create('tmp_pack_');
    using scanner = new EntryScanner(limits, this.#tuning);
    const receiver = new PackReceiver(pack.file, scanner, limits, this.#tuning.windowBytes);

    const checksum = await this.#receive(source, receiver, scanner, threads);
    const { table } = scanner;
    const outcome = { checksum, objectCount: table.count, packBytes: receiver.receivedBytes };
    if (table.count === 0) return { ...outcome, packPath: null, idxPath: null };

    // The disk works while the deltas are resolved.
    const [resolved, synced] = await Promise.allSettled([
      this.#resolve(pack.file.fd, outcome.packBytes, scanner, threads),
      pack.file.sync(),
    ]);
    if (resolved.status === 'rejected') throw resolved.reason;
    if (synced.status === 'rejected') throw synced.reason;

    const order = sortTable(table);
    refuseCollisions(table, order, pack.file.fd);
    const idx = await files.create('tmp_idx_');
    await writeIdx(idx.file, table, order, checksum, this.#tuning.largestShortOffset);
    await idx.file.sync();
    this.#context.signal?.throwIfAborted();
    this.#meter.finish('indexing', outcome.packBytes, table.count, table.count);
    return { ...outcome, ...(await files.publish(pack, idx, checksum)) };
  }

  /** The first pass: the stream to the file and to the table. Returns the checksum. */
  async #receive(
    source: AsyncIterable<Uint8Array>,
    receiver: PackReceiver,
    scanner: EntryScanner,
    threads: ResolveThreads,
  ): Promise<string> {
    const { table } = scanner;
    for await (const chunk of untilAborted(source, this.#context.signal)) {
      await receiver.take(chunk);
      const { receivedBytes } = receiver;
      threads.startFor(receivedBytes);
      this.#meter.update('receiving', receivedBytes, table.count, scanner.totalObjects);
    }
    const checksum = await receiver.end();
    this.#meter.finish('receiving', receiver.receivedBytes, table.count, table.count);
    return checksum;
  }

  /** The second pass: names for what the first one has seen as deltas. */
  #resolve(
    fd: number,
    packBytes: number,
    { table, arena, expandedBytes }: EntryScanner,
    threads: ResolveThreads,
  ): Promise<void> {
    const { limits, signal } = this.#context;
    return resolveDeltas(table, {
      fd,
      arena: arena.bytes,
      limits,
      expandedBytes,
      baseCacheBytes: this.#tuning.baseCacheBytes,
      threads,
      signal,
      onResolved: (resolved) => {
        this.#meter.update('indexing', packBytes, table.wholeCount + resolved, table.count);
      },
    });
  }
}
