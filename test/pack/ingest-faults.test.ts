/** What goes wrong around the pack: the source, the signal, the disk, memory, SHA-1 itself. */
import { execFile } from 'node:child_process';
import { openSync, closeSync, readdirSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type { Worker } from 'node:worker_threads';
import zlib from 'node:zlib';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { refuseCollisions } from '../../agent/pack/collisions.ts';
import { EntryScanner } from '../../agent/pack/entry-scanner.ts';
import { PackMemory } from '../../agent/pack/pack-memory.ts';
import { ingestPack, type IngestContext } from '../../agent/pack/ingest.ts';
import { PACK_LIMITS, PACK_TUNING } from '../../agent/pack/limits.ts';
import { packSource } from '../../agent/pack/pack-source.ts';
import { SortedTable } from '../../agent/pack/sorted-table.ts';
import { Turns } from '../../agent/pack/turns.ts';
import type { IngestProgress } from '../../agent/pack/progress-meter.ts';
import { bundledProgram } from '../setup/bundled-program.ts';
import { chunksOf } from './chunks.ts';
import {
  TYPE,
  copyOp,
  makeDelta,
  makePack,
  ofsDelta,
  typeAndSize,
  wholeEntry,
} from './craft-pack.ts';
import { makeDirectory, noise, removeDirectory } from './git-repository.ts';

let packDir: string;
beforeEach(() => {
  packDir = makeDirectory();
});
afterEach(() => {
  removeDirectory(packDir);
});

const BLOB = wholeEntry(TYPE.blob, noise(1000, 1));

/** A blob and `count` deltas in one long chain: quick to make, not so quick to resolve. */
function longChain(count: number): Buffer {
  const content = Buffer.alloc(60_000, 'zeros would do');
  const delta = makeDelta(60_000, 60_000, copyOp(0, 60_000));
  const blob = wholeEntry(TYPE.blob, content);
  const deltas = [ofsDelta(blob.length, delta)];
  while (deltas.length < count) deltas.push(ofsDelta(deltas.at(-1)!.length, delta));
  return makePack([blob, ...deltas]);
}

function ingest(
  source: AsyncIterable<Uint8Array>,
  options: Partial<IngestContext> = {},
): Promise<unknown> {
  return ingestPack(packSource(source), { packDir, limits: PACK_LIMITS, ...options });
}

describe('a source', () => {
  it('that fails passes its error on and leaves nothing', async () => {
    const failure = new Error('the host hung up');
    async function* source(): AsyncGenerator<Uint8Array> {
      yield* chunksOf(makePack([BLOB, BLOB]).subarray(0, 900), 100);
      throw failure;
    }
    await expect(ingest(source())).rejects.toBe(failure);
    expect(readdirSync(packDir)).toEqual([]);
  });

  it('is read ahead of the scanner, but no further than it may', async () => {
    const pack = makePack(noisyBlobs(200));
    let given = 0;
    let furthest = 0;
    async function* source(): AsyncGenerator<Uint8Array> {
      for await (const chunk of chunksOf(pack, 100)) {
        const [file] = readdirSync(packDir);
        furthest = Math.max(furthest, given - statSync(join(packDir, file!)).size);
        given += chunk.length;
        yield chunk;
      }
    }
    await ingest(source(), { tuning: { windowBytes: 4096, aheadBytes: 8192 } });
    expect(given).toBe(pack.length);
    expect(furthest).toBeGreaterThan(4096);
    expect(furthest).toBeLessThanOrEqual(8192);
  });

  it('that is ahead of the scanner is left when the scanner fails, or the signal is aborted', async () => {
    const [whole, controller] = [noisyBlobs(200), new AbortController()];
    const bad = [Buffer.alloc(10)];
    const pack = makePack([...whole.slice(0, 50), ...bad, ...whole]);
    const tuning = { windowBytes: 4096, aheadBytes: 8192 };
    const left = { readers: 2 };
    async function* source(): AsyncGenerator<Uint8Array> {
      try {
        yield* chunksOf(pack, 100);
      } finally {
        left.readers--;
      }
    }
    const failing = ingest(source(), { tuning });
    await expect(failing).rejects.toMatchObject({ code: 'PACK_ENTRY_TYPE' });
    const reason = new Error('the session ended');
    const onProgress = (): void => {
      controller.abort(reason);
    };
    const aborted = ingest(source(), { tuning, signal: controller.signal, onProgress });
    await expect(aborted).rejects.toBe(reason);
    expect(readdirSync(packDir)).toEqual([]);
    await vi.waitFor(() => {
      expect(left.readers).toBe(0);
    });
  });
});

describe('an AbortSignal', () => {
  const reason = new Error('the session ended');

  it('ends the wait for a source that says nothing', async () => {
    const controller = new AbortController();
    async function* source(): AsyncGenerator<Uint8Array> {
      yield makePack([BLOB]).subarray(0, 100);
      setImmediate(() => {
        controller.abort(reason);
      });
      await new Promise(() => undefined);
    }
    await expect(ingest(source(), { signal: controller.signal })).rejects.toBe(reason);
    expect(readdirSync(packDir)).toEqual([]);
  });

  it('that is aborted already lets nothing begin', async () => {
    const signal = AbortSignal.abort(reason);
    await expect(ingest(chunksOf(makePack([BLOB]), 10), { signal })).rejects.toBe(reason);
    expect(readdirSync(packDir)).toEqual([]);
  });

  it.each([
    // Rings that hold nothing leave every delta over.
    ['here', { threads: 0, contentRingBytes: 64 }],
    ['by threads', { threads: 2, threadedBytes: 0, contentRingBytes: 64 }],
  ])('ends the resolution of deltas %s', async (_where, tuning) => {
    const controller = new AbortController();
    const phases: string[] = [];
    const onProgress = ({ phase, objects, totalObjects }: IngestProgress): void => {
      phases.push(`${phase} ${objects === totalObjects ? 'all' : 'some'}`);
      if (phase === 'indexing' || (tuning.threads === 2 && objects === totalObjects))
        controller.abort(reason);
    };
    const options = { signal: controller.signal, onProgress, tuning };
    await expect(ingest(chunksOf(longChain(30_000), 65_536), options)).rejects.toBe(reason);
    expect(phases).not.toContain('indexing all');
    expect(readdirSync(packDir)).toEqual([]);
  });
});

describe('progress', () => {
  it('counts up to the header and ends each phase whole', async () => {
    const reports: IngestProgress[] = [];
    const pack = longChain(500);
    await ingest(chunksOf(pack, 1000), { onProgress: (progress) => reports.push(progress) });
    const whole = { receivedBytes: pack.length, objects: 501, totalObjects: 501 };
    expect(reports).toContainEqual({ phase: 'receiving', ...whole });
    expect(reports.at(-1)).toEqual({ phase: 'indexing', ...whole });
  });
});

describe('threads', () => {
  it.each([
    [2, 1000, 2],
    [2, 1_000_000, 0],
    [0, 1000, 0],
  ])(
    'of %d from %d bytes on are %d for a pack of 60,000',
    async (threads, threadedBytes, count) => {
      let started = 0;
      const onWorker = (): void => {
        started++;
      };
      process.on('worker', onWorker);
      const pack = makePack([BLOB, ...noisyBlobs(60)]);
      await ingest(chunksOf(pack, 500), { tuning: { threads, threadedBytes, windowBytes: 1000 } });
      process.off('worker', onWorker);
      expect(started).toBe(count);
    },
  );

  it.each([
    ['up', 2, 2],
    ['not wanted', 0, 0],
    ['not worth it', 2, 1_000_000],
  ])('are said to be there once, when they are %s', async (_when, threads, threadedObjects) => {
    const turns = new Turns();
    let up = 0;
    const said: number[] = [];
    turns.onThreads = () => said.push(up);
    const onWorker = (worker: Worker): void => {
      worker.once('online', () => up++);
    };
    process.on('worker', onWorker);
    using turn = turns.join();
    const pack = makePack([BLOB, ...noisyBlobs(60)]);
    const tuning = { threads, threadedObjects, windowBytes: 1000 };
    await ingest(chunksOf(pack, 500), { turn, tuning });
    process.off('worker', onWorker);
    expect(said).toEqual([threadedObjects === 2 ? threads : 0]);
  });

  it('pass on what is wrong with a delta, with its code and place', async () => {
    const bad = ofsDelta(BLOB.length, makeDelta(1000, 2000, copyOp(0, 1000)));
    const result = ingest(chunksOf(makePack([BLOB, bad]), 100), {
      tuning: { threads: 2, threadedBytes: 0 },
    });
    await expect(result).rejects.toMatchObject({
      code: 'PACK_DELTA_INVALID',
      data: { offset: 12 + BLOB.length },
    });
    expect(readdirSync(packDir)).toEqual([]);
  });
});

describe('the disk', () => {
  it('that has no such directory is named in an error', async () => {
    const result = ingestPack(packSource(chunksOf(makePack([BLOB]), 10)), {
      packDir: join(packDir, 'absent'),
      limits: PACK_LIMITS,
    });
    await expect(result).rejects.toMatchObject({ code: 'MOUNT_IO', data: { errno: 'ENOENT' } });
  });

  it('that takes no more is named in an error, and what is there removed', async () => {
    // A write over the limit of ulimit fails with EFBIG.
    const program = await bundledProgram(`
      process.on('SIGXFSZ', () => {});
      import { ingestPack } from './agent/pack/ingest.ts';
      import { PACK_LIMITS } from './agent/pack/limits.ts';
      import { packSource } from './agent/pack/pack-source.ts';
      import { readFileSync, readdirSync } from 'node:fs';
      async function* source() { yield readFileSync(process.argv[2]); }
      const error = await ingestPack(packSource(source()), { packDir: process.argv[3], limits: PACK_LIMITS }).catch((e) => e);
      console.log(error.code, error.data.errno, readdirSync(process.argv[3]).length);`);
    const pack = join(packDir, 'in.pack');
    writeFileSync(pack, makePack([wholeEntry(TYPE.blob, noise(100_000, 3))]));
    const out = makeDirectory();
    const command = 'ulimit -f 20; exec "$0" "$@"';
    const { stdout } = await run('bash', ['-c', command, process.execPath, program, pack, out]);
    removeDirectory(out);
    expect(stdout.trim()).toBe('MOUNT_IO EFBIG 0');
  });
});

describe('memory', () => {
  // In a process of its own, by its VmHWM: ru_maxrss begins with what the parent had at the fork.
  it.each([
    ['a blob of a gigabyte in a megabyte', bombPack(), 'accepted'],
    ['a claim of 2^25 objects', makePack([BLOB], 2 ** 25), 'PACK_TRUNCATED'],
    ['a claim of 2^32 - 1 objects', makePack([BLOB], 2 ** 32 - 1), 'PACK_LIMIT'],
    [
      'a claim of a petabyte',
      makePack([Buffer.concat([typeAndSize(TYPE.blob, 2 ** 50), zlib.deflateSync('x')])]),
      'PACK_ENTRY_SIZE',
    ],
  ])('stays bounded with %s', async (_what, pack, expected) => {
    const program = await bundledProgram(`
      import { ingestPack } from './agent/pack/ingest.ts';
      import { PACK_LIMITS } from './agent/pack/limits.ts';
      import { packSource } from './agent/pack/pack-source.ts';
      import { createReadStream, readFileSync } from 'node:fs';
      const limits = { ...PACK_LIMITS, objectBytes: 2 ** 52, expandedBytes: 2 ** 52 };
      const tuning = { threads: 0 };
      const result = await ingestPack(packSource(createReadStream(process.argv[2])), { packDir: process.argv[3], limits, tuning })
        .then(() => 'accepted', (error) => error.code);
      console.log(result, /VmHWM:\\s+(\\d+)/.exec(readFileSync('/proc/self/status', 'utf8'))[1]);`);
    const path = join(packDir, 'in.pack');
    writeFileSync(path, pack);
    const { stdout } = await run(process.execPath, [program, path, packDir]);
    const [result, kilobytes] = stdout.trim().split(' ');
    expect(result).toBe(expected);
    expect(Number(kilobytes)).toBeLessThan(120 * 1024);
  });
});

describe('refuseCollisions()', () => {
  function scan(pack: Buffer): { scanner: EntryScanner; sorted: () => SortedTable; fd: number } {
    const path = join(packDir, 'a.pack');
    writeFileSync(path, pack);
    const fd = openSync(path, 'r');
    const memory = new PackMemory();
    const window = memory.take(pack.length);
    pack.copy(window);
    const [limits, tuning] = [PACK_LIMITS, PACK_TUNING];
    const scanner = new EntryScanner({
      fd,
      memory,
      limits,
      tuning,
      linkSeeds: null,
      directory: null,
    });
    const header = scanner.scan(window, 0, pack.length - 20, false);
    scanner.scan(window, header, pack.length - 20, false);
    const { table, resolver } = scanner;
    return { scanner, sorted: () => new SortedTable(table, resolver.kernel, memory), fd };
  }
  const other = wholeEntry(TYPE.blob, noise(1000, 2));

  // Nobody has two objects of one oid to show: the table is made to say so.
  it('refuses two different contents under one oid, and not the same content twice', () => {
    const { scanner, sorted, fd } = scan(makePack([BLOB, BLOB, other]));
    const { table } = scanner;
    refuseCollisions(sorted(), fd);
    table.oids.copy(table.oids, 40, 0, 20);
    const check = (): void => {
      refuseCollisions(sorted(), fd);
    };
    expect(check).toThrow(expect.objectContaining({ code: 'PACK_COLLISION' }));
    closeSync(fd);
    scanner[Symbol.dispose]();
  });
});

const run = promisify(execFile);

function noisyBlobs(count: number): Buffer[] {
  return Array.from({ length: count }, (_, seed) => wholeEntry(TYPE.blob, noise(1000, seed)));
}

function bombPack(): Buffer {
  const size = 2 ** 30;
  const zeros = Buffer.alloc(2 ** 24);
  // One deflate stream of many members' worth: compressed once, repeated as raw blocks.
  const block = zlib.deflateRawSync(zeros, { finishFlush: zlib.constants.Z_FULL_FLUSH });
  const end = Buffer.from([0x03, 0x00]);
  const adler = Buffer.alloc(4);
  adler.writeUInt32BE((((size % 65521) << 16) | 1) >>> 0);
  const blocks = Array.from({ length: size / zeros.length }, () => block);
  const stream = Buffer.concat([Buffer.from([0x78, 0x01]), ...blocks, end, adler]);
  return makePack([Buffer.concat([typeAndSize(TYPE.blob, size), stream])]);
}
