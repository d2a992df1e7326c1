/**
 * Answers of upload-pack on disk, by a hash of what was asked: recorded once from the live backend,
 * then streamed from the file, so that a measurement pays for no server. One `.json` (status and
 * headers) and one `.body` file per answer, each renamed into place when whole.
 */
import { createHash } from 'node:crypto';
import { createReadStream, createWriteStream } from 'node:fs';
import { mkdir, readFile, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { gunzipSync } from 'node:zlib';
import type { GitRequest } from './git-backend.ts';
import type { Reply } from './reply.ts';

export type RecordingMode = 'record' | 'replay';

export class Recording {
  readonly #directory: string;
  readonly #mode: RecordingMode;
  readonly #live: (request: GitRequest) => Promise<Reply>;

  constructor(
    directory: string,
    mode: RecordingMode,
    live: (request: GitRequest) => Promise<Reply>,
  ) {
    this.#directory = directory;
    this.#mode = mode;
    this.#live = live;
  }

  /** From the file when there is one; else recorded first, or refused (500) in replay mode. */
  async answer(request: GitRequest): Promise<Reply> {
    const body = await collect(request.body);
    const file = join(this.#directory, keyOf(request, body));
    const stored = await this.#read(file);
    if (stored !== null) return stored;
    if (this.#mode === 'replay') {
      const text = `nothing recorded for ${request.method} ${request.path}${request.search}\n`;
      return { status: 500, headers: { 'content-type': 'text/plain' }, body: text };
    }
    const reply = await this.#live({ ...request, body: Readable.from([body]) });
    await mkdir(this.#directory, { recursive: true });
    await this.#write(file, reply);
    return (await this.#read(file)) ?? reply;
  }

  async #read(file: string): Promise<Reply | null> {
    const head = await readFile(`${file}.json`, 'utf8').catch((error: unknown) => {
      if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return null;
      throw error;
    });
    if (head === null) return null;
    const { status, headers } = JSON.parse(head) as Pick<Reply, 'status' | 'headers'>;
    return { status, headers, body: createReadStream(`${file}.body`, { highWaterMark: 1 << 18 }) };
  }

  async #write(file: string, { status, headers, body }: Reply): Promise<void> {
    const source = body instanceof Readable ? body : Readable.from([body]);
    await pipeline(source, createWriteStream(`${file}.body.part`));
    await rename(`${file}.body.part`, `${file}.body`);
    await writeFile(`${file}.json.part`, JSON.stringify({ status, headers }));
    await rename(`${file}.json.part`, `${file}.json`);
  }
}

async function collect(body: Readable): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of body as AsyncIterable<Buffer>) chunks.push(chunk);
  return Buffer.concat(chunks);
}

/** The same question has the same key, whether its body came compressed or not. */
function keyOf(request: GitRequest, body: Buffer): string {
  const { bareDir, method, path, search, headers } = request;
  const plain = headers['content-encoding'] === 'gzip' ? gunzipSync(body) : body;
  const protocol = headers['git-protocol'] ?? null;
  return createHash('sha256')
    .update(JSON.stringify([bareDir, method, path, search, protocol]))
    .update(plain)
    .digest('hex');
}
