import { execFileSync } from 'node:child_process';
import { appendFile, mkdir, mkdtemp, realpath, rename, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { PassThrough, Readable } from 'node:stream';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { readManifest } from '../../agent/manifest/read-manifest.ts';
import type { ReadManifestContext } from '../../agent/manifest/read-manifest.ts';
import { MANIFEST_LIMIT_BYTES } from '../../agent/manifest/schema.ts';

const TEXT = '{"resources": []}';
const LONG_MS = 20_000;

let directory: string;
let path: string;

beforeEach(async () => {
  directory = await realpath(await mkdtemp(join(tmpdir(), 'read-manifest-')));
  path = join(directory, 'manifest.json');
});
afterEach(async () => {
  await rm(directory, { recursive: true });
});

function context(change: Partial<ReadManifestContext> = {}): ReadManifestContext {
  return { timeoutMs: LONG_MS, signal: new AbortController().signal, ...change };
}

/** Starts to read, runs `then` once there is something to wait for, and gives what was read. */
async function readWhile(then: () => Promise<void>, at = path): Promise<string> {
  const started: { reading?: Promise<Buffer> } = {};
  await new Promise<void>((resolve, reject) => {
    started.reading = readManifest(at, context({ onWaiting: resolve }));
    started.reading.catch(reject);
  });
  await then();
  return String(await started.reading);
}

function refusal(code: string): Error {
  return expect.objectContaining({ code }) as Error;
}

describe('readManifest()', () => {
  it('gives a file that is there, without waiting', async () => {
    await writeFile(path, TEXT);
    const onWaiting = (): void => {
      throw new Error('waited');
    };
    const bytes = await readManifest(path, context({ timeoutMs: 0, onWaiting }));
    expect(bytes.toString()).toBe(TEXT);
  });

  it('waits for a file that is dropped later', async () => {
    expect(await readWhile(() => writeFile(path, TEXT))).toBe(TEXT);
  });

  it('waits for a file that is renamed into place', async () => {
    await writeFile(`${path}.new`, TEXT);
    expect(await readWhile(() => rename(`${path}.new`, path))).toBe(TEXT);
  });

  it('waits for a directory that does not exist yet', async () => {
    const inner = join(directory, 'later');
    const dropped = async (): Promise<void> => {
      await mkdir(inner);
      await writeFile(join(inner, 'm.json'), TEXT);
    };
    expect(await readWhile(dropped, join(inner, 'm.json'))).toBe(TEXT);
  });

  it('reads a file that is written in pieces only when it is whole', async () => {
    await writeFile(path, TEXT.slice(0, 3));
    const written = async (): Promise<void> => {
      for (const piece of [TEXT.slice(3, 9), TEXT.slice(9)]) {
        await appendFile(path, piece);
      }
    };
    expect(await readWhile(written)).toBe(TEXT);
  });

  it('gives one whole version of a file that is written anew all the time', async () => {
    const versions = ['a', 'b'].map((letter) => JSON.stringify([letter.repeat(200_000)]));
    await writeFile(path, versions[0]!);
    const stop = new AbortController();
    const writing = (async () => {
      for (let turn = 1; !stop.signal.aborted; turn++) {
        await writeFile(path, versions[turn % 2]!);
        await setTimeout(15);
      }
    })();
    try {
      for (let count = 0; count < 30; count++) {
        const bytes = await readManifest(path, context());
        expect(versions.includes(bytes.toString())).toBe(true);
      }
    } finally {
      stop.abort();
      await writing;
    }
  });

  it('hands on what stands still as no JSON, long before the timeout', async () => {
    await writeFile(path, '{"resources": [');
    const started = performance.now();
    expect(await readWhile(() => Promise.resolve())).toBe('{"resources": [');
    expect(performance.now() - started).toBeLessThan(LONG_MS / 2);
  });

  it('says MANIFEST_MISSING when the time is over', async () => {
    await expect(readManifest(path, context({ timeoutMs: 0 }))).rejects.toThrow(
      refusal('MANIFEST_MISSING'),
    );
    await expect(readManifest(path, context({ timeoutMs: 120 }))).rejects.toThrow(
      `expected a manifest at ${path}, got no whole one within 0.12 s`,
    );
  });

  it('ends at once with the reason of an aborted signal', async () => {
    const stop = new AbortController();
    const reading = readManifest(
      path,
      context({
        signal: stop.signal,
        onWaiting: () => {
          stop.abort(new Error('enough'));
        },
      }),
    );
    await expect(reading).rejects.toThrow('enough');
  });

  it('refuses a directory and a FIFO without blocking on it', async () => {
    await mkdir(path);
    await expect(readManifest(path, context())).rejects.toThrow(refusal('MANIFEST_UNREADABLE'));
    const fifo = join(directory, 'fifo');
    execFileSync('mkfifo', [fifo]);
    await expect(readManifest(fifo, context())).rejects.toThrow(
      `expected a file at ${fifo}, got a pipe`,
    );
  });

  it('refuses a path below a file', async () => {
    await writeFile(path, TEXT);
    await expect(readManifest(join(path, 'x'), context())).rejects.toThrow(
      refusal('MANIFEST_UNREADABLE'),
    );
  });

  it('refuses a file over the limit', async () => {
    await writeFile(path, Buffer.alloc(MANIFEST_LIMIT_BYTES + 1, ' '));
    await expect(readManifest(path, context())).rejects.toThrow(refusal('MANIFEST_TOO_LARGE'));
  });
});

describe('readManifest() from standard input', () => {
  it('reads to the end', async () => {
    const stdin = Readable.from([TEXT.slice(0, 5), Buffer.from(TEXT.slice(5))]);
    expect((await readManifest('-', context({ stdin }))).toString()).toBe(TEXT);
  });

  it('stops at the limit, at the timeout and when aborted', async () => {
    const endless = Readable.from(
      (function* () {
        for (;;) yield Buffer.alloc(65_536);
      })(),
    );
    await expect(readManifest('-', context({ stdin: endless }))).rejects.toThrow(
      refusal('MANIFEST_TOO_LARGE'),
    );
    await expect(
      readManifest('-', context({ stdin: new PassThrough(), timeoutMs: 30 })),
    ).rejects.toThrow(refusal('MANIFEST_MISSING'));
    const stop = new AbortController();
    const reading = readManifest('-', context({ stdin: new PassThrough(), signal: stop.signal }));
    stop.abort(new Error('enough'));
    await expect(reading).rejects.toThrow('enough');
  });
});
