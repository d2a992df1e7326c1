/**
 * A pack stream in; `.pack` and `.idx` on disk out, named and checked (gitformat-pack), or a
 * PackError and nothing left behind. The path of the data, from top to bottom:
 *
 *   source ─ pack-receiver ─┬─ temporary pack file
 *                           └─ entry-scanner ── entry-table ── resolve-deltas ── idx-writer ── publish
 */
import type { FileHandle } from 'node:fs/promises';
import { untilAborted } from './abortable.ts';
import { refuseCollisions } from './collisions.ts';
import { EntryScanner } from './entry-scanner.ts';
import type { EntryTable } from './entry-table.ts';
import { writeIdx } from './idx-writer.ts';
import { createInflater } from './inflate.ts';
import { PACK_TUNING, type PackLimits, type PackTuning } from './limits.ts';
import { sortByOid } from './oid-order.ts';
import { PackFiles } from './pack-files.ts';
import { PackReceiver } from './pack-receiver.ts';
import { ProgressMeter, type IngestProgress } from './progress-meter.ts';
import { resolveDeltas } from './resolve-deltas.ts';
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

interface Received {
  readonly table: EntryTable;
  readonly checksum: string;
  readonly packBytes: number;
  readonly expandedBytes: number;
}

/** Takes the whole stream. Throws PackError, MountError (the disk), or the signal's reason. */
export async function ingestPack(
  source: AsyncIterable<Uint8Array>,
  context: IngestContext,
): Promise<IngestOutcome> {
  context.signal?.throwIfAborted();
  const files = new PackFiles(context.packDir);
  try {
    return await ingestTo(files, source, context);
  } catch (error) {
    throw asStorageError(error, 'storing the pack');
  } finally {
    await files[Symbol.asyncDispose]();
  }
}

async function ingestTo(
  files: PackFiles,
  source: AsyncIterable<Uint8Array>,
  context: IngestContext,
): Promise<IngestOutcome> {
  const tuning = { ...PACK_TUNING, ...context.tuning };
  const meter = new ProgressMeter(context.onProgress);
  const pack = await files.create('tmp_pack_');
  const { table, checksum, packBytes, expandedBytes } = await receive(
    source,
    pack.file,
    context,
    tuning,
    meter,
  );
  if (table.count === 0) {
    return { checksum, objectCount: 0, packBytes, packPath: null, idxPath: null };
  }
  // The disk works while the deltas are resolved.
  const synced = pack.file.sync();
  try {
    await resolveDeltas(table, {
      fd: pack.file.fd,
      limits: context.limits,
      expandedBytes,
      baseCacheBytes: tuning.baseCacheBytes,
      signal: context.signal,
      onResolved: (resolved) => {
        meter.update('indexing', packBytes, table.wholeCount + resolved, table.count);
      },
    });
  } finally {
    await synced;
  }
  const order = sortByOid(
    Uint32Array.from({ length: table.count }, (_, row) => row),
    table.oids,
  );
  refuseCollisions(table, order, pack.file.fd);
  const idx = await files.create('tmp_idx_');
  await writeIdx(idx.file, table, order, checksum, tuning.largestShortOffset);
  await idx.file.sync();
  context.signal?.throwIfAborted();
  meter.finish('indexing', packBytes, table.count, table.count);
  const { packPath, idxPath } = await files.publish(pack, idx, checksum);
  return { checksum, objectCount: table.count, packBytes, packPath, idxPath };
}

/** The first pass: the stream to the file, and to the table. */
async function receive(
  source: AsyncIterable<Uint8Array>,
  file: FileHandle,
  context: IngestContext,
  tuning: PackTuning,
  meter: ProgressMeter,
): Promise<Received> {
  const inflater = createInflater();
  try {
    const scanner = new EntryScanner(inflater, context.limits, tuning);
    const { table } = scanner;
    const receiver = new PackReceiver(file, scanner, context.limits, tuning.windowBytes);
    for await (const chunk of untilAborted(source, context.signal)) {
      await receiver.take(chunk);
      meter.update('receiving', receiver.receivedBytes, table.count, scanner.totalObjects);
    }
    const checksum = await receiver.end();
    const packBytes = receiver.receivedBytes;
    meter.finish('receiving', packBytes, table.count, table.count);
    return { table, checksum, packBytes, expandedBytes: scanner.expandedBytes };
  } finally {
    inflater.close();
  }
}
