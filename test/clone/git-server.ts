/**
 * A bare directory served over HTTP by real `git http-backend`, for tests of the clone alone.
 * `intercept` may answer a request itself, or change what the backend is told.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

export interface SeenRequest {
  readonly method: string;
  readonly url: string;
  readonly headers: IncomingMessage['headers'];
}

export interface GitServerOptions {
  readonly root: string;
  /** Returns true when it answered. */
  readonly intercept?: (request: IncomingMessage, response: ServerResponse) => boolean;
  /** Hides Git-Protocol from the backend, so that it answers in protocol 0. */
  readonly protocolZero?: boolean;
}

export class GitServer {
  readonly seen: SeenRequest[] = [];
  readonly #server: Server;

  private constructor(server: Server) {
    this.#server = server;
  }

  static async start(options: GitServerOptions): Promise<GitServer> {
    const server = createServer((request, response) => {
      const { method = '', url = '', headers } = request;
      gitServer.seen.push({ method, url, headers });
      if (options.intercept?.(request, response) === true) return;
      serveGit(options, request, response);
    });
    const gitServer = new GitServer(server);
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    return gitServer;
  }

  get origin(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.closeAllConnections();
    this.#server.close();
    await once(this.#server, 'close');
  }
}

export function serveGit(
  { root, protocolZero = false }: GitServerOptions,
  request: IncomingMessage,
  response: ServerResponse,
): void {
  const url = new URL(request.url ?? '/', 'http://host');
  const { headers } = request;
  const backend = spawn('git', ['http-backend'], {
    env: {
      PATH: process.env['PATH'],
      GIT_CONFIG_NOSYSTEM: '1',
      GIT_CONFIG_GLOBAL: '/dev/null',
      GIT_PROJECT_ROOT: root,
      GIT_HTTP_EXPORT_ALL: '1',
      PATH_INFO: decodeURIComponent(url.pathname),
      QUERY_STRING: url.search.slice(1),
      REQUEST_METHOD: request.method,
      CONTENT_TYPE: headers['content-type'],
      CONTENT_LENGTH: headers['content-length'],
      HTTP_CONTENT_ENCODING: headers['content-encoding'],
      REMOTE_USER: 'tester',
      ...(protocolZero ? {} : { GIT_PROTOCOL: headers['git-protocol'] as string | undefined }),
    },
    stdio: ['pipe', 'pipe', 'ignore'],
  });
  response.on('close', () => backend.kill());
  backend.stdin.on('error', () => undefined);
  request.pipe(backend.stdin);
  let head: Buffer | null = Buffer.alloc(0);
  backend.stdout.on('data', (chunk: Buffer) => {
    if (head === null) {
      if (!response.write(chunk)) {
        backend.stdout.pause();
        response.once('drain', () => backend.stdout.resume());
      }
      return;
    }
    head = Buffer.concat([head, chunk]);
    const end = head.indexOf('\r\n\r\n');
    if (end === -1) return;
    const rest = head.subarray(end + 4);
    answerHead(response, head.toString('latin1', 0, end));
    head = null;
    if (rest.length > 0) response.write(rest);
  });
  backend.stdout.on('end', () => response.end());
}

function answerHead(response: ServerResponse, head: string): void {
  for (const line of head.split('\r\n')) {
    const colon = line.indexOf(':');
    const name = line.slice(0, colon).toLowerCase();
    const value = line.slice(colon + 1).trim();
    if (name === 'status') response.statusCode = parseInt(value, 10);
    else response.setHeader(name, value);
  }
}
