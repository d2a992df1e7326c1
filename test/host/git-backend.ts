/**
 * Git's smart HTTP by the real `git http-backend` (CGI), streamed both ways: request bodies as they
 * came (gzip included), answers as they are produced. Access was decided before. Dispose ends
 * every process that is still running.
 */
import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import type { IncomingHttpHeaders } from 'node:http';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PassThrough } from 'node:stream';
import type { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import type { Reply } from './reply.ts';

/** As GitHub serves: partial clones, any reachable commit, pushes for who may. */
const GITCONFIG = `[safe]
	directory = *
[http]
	receivepack = true
[uploadpack]
	allowFilter = true
	allowTipSHA1InWant = true
	allowReachableSHA1InWant = true
[receive]
	autogc = false
[gc]
	auto = 0
`;

export interface GitRequest {
  readonly bareDir: string;
  readonly method: string;
  /** Within the repository: `/info/refs`, `/git-upload-pack`, `/git-receive-pack`. */
  readonly path: string;
  readonly search: string;
  readonly headers: IncomingHttpHeaders;
  readonly body: Readable;
  readonly login: string | null;
}

export class GitBackend implements AsyncDisposable {
  readonly #homeDir: string;
  readonly #running = new Set<ChildProcess>();

  private constructor(homeDir: string) {
    this.#homeDir = homeDir;
  }

  static async open(): Promise<GitBackend> {
    const homeDir = await mkdtemp(join(tmpdir(), 'loopback-host-'));
    await writeFile(join(homeDir, 'gitconfig'), GITCONFIG);
    return new GitBackend(homeDir);
  }

  async answer(request: GitRequest): Promise<Reply> {
    const child = spawn('git', ['http-backend'], {
      env: this.#environment(request),
      stdio: ['pipe', 'pipe', 'pipe'],
      detached: true,
    });
    this.#running.add(child);
    child.once('close', () => this.#running.delete(child));
    let complaint = '';
    child.stderr.on('data', (chunk: Buffer) => (complaint += chunk.toString()));
    // The backend may answer without reading everything; its answer then says why.
    pipeline(request.body, child.stdin).catch(ignoreClosedPipe);
    // Node throws away what nobody reads by the time a child exits: so it is read from the start.
    const output = new PassThrough();
    pipeline(child.stdout, output).catch(ignoreClosedPipe);
    output.once('close', () => {
      if (!output.readableEnded) killGroup(child);
    });
    const reply = await readCgiHead(output);
    if (reply !== null) return reply;
    const body = `git http-backend gave no answer: ${complaint}\n`;
    return { status: 500, headers: { 'content-type': 'text/plain' }, body };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const ends = [...this.#running].map(async (child) => {
      killGroup(child);
      if (child.exitCode === null && child.signalCode === null) await once(child, 'exit');
    });
    await Promise.all(ends);
    await rm(this.#homeDir, { recursive: true, force: true });
  }

  #environment({ bareDir, method, path, search, headers, login }: GitRequest): NodeJS.ProcessEnv {
    const header = (name: string, variable: string): Record<string, string> => {
      const value = headers[name];
      return typeof value === 'string' ? { [variable]: value } : {};
    };
    return {
      PATH: process.env['PATH'],
      HOME: this.#homeDir,
      GIT_CONFIG_NOSYSTEM: '1',
      GIT_CONFIG_GLOBAL: join(this.#homeDir, 'gitconfig'),
      GIT_HTTP_EXPORT_ALL: '1',
      PATH_TRANSLATED: bareDir + path,
      REQUEST_METHOD: method,
      QUERY_STRING: search.replace(/^\?/, ''),
      REMOTE_ADDR: '127.0.0.1',
      ...(login === null ? {} : { REMOTE_USER: login }),
      ...header('content-type', 'CONTENT_TYPE'),
      ...header('content-length', 'CONTENT_LENGTH'),
      ...header('content-encoding', 'HTTP_CONTENT_ENCODING'),
      ...header('git-protocol', 'GIT_PROTOCOL'),
    };
  }
}

/** What a pipe says when its other end went away first; anything else is a defect. */
function ignoreClosedPipe(error: unknown): void {
  const code = error instanceof Error && 'code' in error ? error.code : undefined;
  if (!CLOSED_PIPE.includes(String(code))) throw error;
}

const CLOSED_PIPE = [
  'EPIPE',
  'ECONNRESET',
  'ABORT_ERR',
  'ERR_STREAM_PREMATURE_CLOSE',
  'ERR_STREAM_DESTROYED',
];

/** http-backend starts upload-pack, which starts pack-objects: all of them end. */
function killGroup(child: ChildProcess): void {
  if (child.pid === undefined) return;
  try {
    process.kill(-child.pid, 'SIGKILL');
  } catch (error) {
    // Already gone.
    if (!(error instanceof Error && 'code' in error && error.code === 'ESRCH')) throw error;
  }
}

/** Reads the CGI header and leaves the rest in the stream; null when the stream ends before. */
async function readCgiHead(output: Readable): Promise<Reply | null> {
  let head = Buffer.alloc(0);
  while (!output.readableEnded && !output.destroyed) {
    const chunk = output.read() as Buffer | null;
    if (chunk === null) {
      await Promise.race([once(output, 'readable'), once(output, 'end'), once(output, 'close')]);
      continue;
    }
    head = Buffer.concat([head, chunk]);
    const end = head.indexOf('\r\n\r\n');
    if (end < 0) continue;
    const rest = head.subarray(end + 4);
    if (rest.length > 0) output.unshift(rest);
    return { ...parseCgiHead(head.subarray(0, end).toString()), body: output };
  }
  return null;
}

function parseCgiHead(text: string): { status: number; headers: Record<string, string> } {
  let status = 200;
  const headers: Record<string, string> = {};
  for (const line of text.split('\r\n')) {
    const colon = line.indexOf(':');
    const name = line.slice(0, colon).toLowerCase();
    const value = line.slice(colon + 1).trim();
    if (name === 'status') status = Number.parseInt(value, 10);
    else headers[name] = value;
  }
  return { status, headers };
}
