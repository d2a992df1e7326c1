/**
 * A pack stream in; `.pack`, `.idx` and `.rev` on disk out, named and checked (gitformat-pack), or a
 * PackError and nothing left behind. The path of the data, from top to bottom:
 *
 *   arrival: source ── pack-receiver ── temporary pack file ── pack-scan
 *                    ── entry-scanner (kernel) ──┬── arrival-resolver (kernel), here
 *                                                └── entry-ring ── thread-work: the same
 *   entry-table ── resolve-deltas (what was left over) ──┬── sorted-table ── idx-writer, rev-writer ── publish
 *                                                        ├── link-check: does all lead somewhere?
 *                                                        └── late-contents: files that are missing
 */
import { Arrival, type ArrivalContext, type Arrived } from './arrival.ts';
import { makeLinkSeeds } from './resolver-start.ts';
import { ArrivedObjects } from './arrived-objects.ts';
import type { ArrivalObserver } from './arrival-observer.ts';
import type { BufferPool } from './buffer-pool.ts';
import { refuseCollisions } from './collisions.ts';
import { EntryScanner } from './entry-scanner.ts';
import { oidOf } from './entry-table.ts';
import { writeIdx } from './idx-writer.ts';
import { createLateJob, takeLate } from './late-contents.ts';
import { kernelModule } from './kernel.ts';
import { PACK_TUNING, type PackLimits, type PackTuning } from './limits.ts';
import { findBrokenRow } from './link-check.ts';
import { LinkCollector, collectUnseen, type LinkSeeds } from './object-links.ts';
import { PackMemory } from './pack-memory.ts';
import { PackFiles, sync, type TemporaryFile } from './pack-files.ts';
import type { PackSource } from './pack-source.ts';
import { PackThreads } from './pack-threads.ts';
import { ProgressMeter, type IngestProgress } from './progress-meter.ts';
import { resolveDeltas } from './resolve-deltas.ts';
import { writeRev } from './rev-writer.ts';
import { SortedTable } from './sorted-table.ts';
import { asStorageError } from './storage-error.ts';
import type { Turn } from './turns.ts';

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
  /** Where several packs come at once. */
  readonly turn?: Turn | undefined;
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

/** Compiles the kernel while nothing else is to be done. What fails here is met again, and said, by the ingest. */
export function prepareIngest(): void {
  try {
    kernelModule();
  } catch {
    // See above.
  }
}

/** Takes the whole stream. Throws PackError, MountError (the disk), or the signal's reason. */
export async function ingestPack(
  source: PackSource,
  context: IngestContext,
): Promise<IngestOutcome> {
  context.signal?.throwIfAborted();
  try {
    using files = new PackFiles(context.packDir);
    const pack = files.create('tmp_pack_');
    const tuning = { ...PACK_TUNING, ...context.tuning };
    const { limits, collectLinks = false } = context;
    const { fd } = pack;
    const memory = new PackMemory();
    const linkSeeds = collectLinks ? makeLinkSeeds() : null;
    const directory = context.observer?.directory ?? null;
    using scanner = new EntryScanner({ fd, memory, limits, tuning, linkSeeds, directory });
    return await new Ingest(context, tuning, memory, scanner, fd, linkSeeds).run(
      source,
      files,
      pack,
    );
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
  readonly #memory: PackMemory;
  /** Of what the kernel does not see whole. */
  readonly #links: LinkCollector | undefined;

  constructor(
    context: IngestContext,
    tuning: PackTuning,
    memory: PackMemory,
    scanner: EntryScanner,
    fd: number,
    linkSeeds: LinkSeeds | null,
  ) {
    this.#links = linkSeeds === null ? undefined : new LinkCollector(linkSeeds);
    this.#memory = memory;
    this.#context = context;
    this.#tuning = tuning;
    this.#meter = new ProgressMeter(context.onProgress);
    this.#scanner = scanner;
    this.#fd = fd;
  }

  async run(source: PackSource, files: PackFiles, pack: TemporaryFile): Promise<IngestOutcome> {
    await using threads = new PackThreads();
    const { table } = this.#scanner;
    await using arrival = new Arrival(this.#arrivalContext(), this.#scanner, threads);
    const arrived = await arrival.run(source);
    const { checksum, packBytes } = arrived;
    const outcome = { checksum, objectCount: table.count, packBytes };
    if (table.count === 0) return { ...outcome, packPath: null, idxPath: null, brokenOid: null };

    await arrival.settled();
    // The disk works beside all that is left to do.
    const [[brokenOid, publish]] = await both(
      this.#complete(arrived, threads, files, pack),
      arrival.synced(),
    );
    this.#context.signal?.throwIfAborted();
    this.#meter.finish('indexing', packBytes, table.count, table.count);
    return { ...outcome, ...(await publish()), brokenOid };
  }

  #arrivalContext(): ArrivalContext {
    const { packDir, limits, observer, signal, turn } = this.#context;
    const [fd, memory, tuning, meter] = [this.#fd, this.#memory, this.#tuning, this.#meter];
    return { fd, memory, packDir, limits, tuning, meter, observer, signal, turn };
  }

  /** What is left to do when the pack is there: the broken link, and what puts the files in place. */
  async #complete(
    { packBytes, checksum }: Arrived,
    threads: PackThreads,
    files: PackFiles,
    pack: TemporaryFile,
  ): Promise<[string | null, () => ReturnType<PackFiles['publish']>]> {
    await this.#resolve(packBytes, threads);
    const late = await this.#findLate(threads);
    return both(this.#useThreads(threads, late), this.#writeIndexes(files, pack, checksum));
  }

  /** Names for all that has none yet. */
  async #resolve(packBytes: number, threads: PackThreads): Promise<void> {
    const { limits, signal } = this.#context;
    const { table, expandedBytes } = this.#scanner;
    await threads.finish(signal);
    await resolveDeltas(table, {
      fd: this.#fd,
      limits,
      expandedBytes,
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

  /** What the observer has missed; alone, this thread is no faster than the checkout. */
  async #findLate(threads: PackThreads): Promise<object | null> {
    if (threads.count === 0) return null;
    const { table, resolver } = this.#scanner;
    using objects = new ArrivedObjects(table, this.#fd);
    return (await this.#context.observer?.whenNamed(objects, resolver)) ?? null;
  }

  /** Looks for broken links and takes what is late, while this thread sorts and writes. */
  async #useThreads(threads: PackThreads, late: object | null): Promise<string | null> {
    const [brokenOid] = await both(this.#findBroken(threads), this.#takeLate(threads, late));
    await threads.end();
    return brokenOid;
  }

  async #takeLate(threads: PackThreads, message: object | null): Promise<void> {
    if (message === null) return;
    const { table, resolver } = this.#scanner;
    const { count, endOffset } = table;
    const job = createLateJob({ message, count, endOffset });
    await takeLate(job, resolver, threads, this.#context.signal);
  }

  async #findBroken(threads: PackThreads): Promise<string | null> {
    const links = this.#links;
    if (links === undefined) return null;
    const { table, unseenRows, resolver } = this.#scanner;
    using objects = new ArrivedObjects(table, this.#fd);
    collectUnseen(links, unseenRows, objects);
    const { count, oids } = table;
    const { links: here, kernel } = resolver;
    const found = [links.links, ...(here === null ? [] : [here]), ...threads.links];
    const check = { found, count, oids };
    const row =
      threads.count > 0
        ? await threads.findBrokenRow(check)
        : findBrokenRow(check, kernel, this.#memory.memory);
    return row === null ? null : oidOf(table, row);
  }

  /** Returns what puts them in place. */
  async #writeIndexes(
    files: PackFiles,
    pack: TemporaryFile,
    checksum: string,
  ): Promise<() => ReturnType<PackFiles['publish']>> {
    const { table, resolver } = this.#scanner;
    const sorted = new SortedTable(table, resolver.kernel, this.#memory);
    refuseCollisions(sorted, this.#fd);
    const rev = files.create('tmp_rev_');
    writeRev(rev.fd, sorted, checksum);
    const idx = files.create('tmp_idx_');
    await writeIdx(idx.fd, sorted, checksum, this.#tuning.largestShortOffset);
    await both(sync(idx.fd), sync(rev.fd));
    return () => files.publish(pack, rev, idx, checksum);
  }
}

/** Waits for both whatever happens, so that nothing still works on what a failure takes away. */
async function both<A, B>(first: Promise<A>, second: Promise<B>): Promise<[A, B]> {
  await Promise.allSettled([first, second]);
  return [await first, await second];
}
