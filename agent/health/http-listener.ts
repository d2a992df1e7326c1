/**
 * HTTP/1.1 for small local answers, closed against hostile clients: bounded headers, time and
 * connections, no request body. In: requests on any number of addresses; out: what `respond` says.
 * Whatever `respond` throws becomes a bare 500 here; details go to the log only.
 */
import { createServer } from 'node:http';
import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import type { AddressInfo, ListenOptions } from 'node:net';
import type { Log } from '../log.ts';
import { refusal, send } from './answer.ts';
import type { Answer, Redact } from './answer.ts';
import { Connections } from './connections.ts';

export interface HttpLimits {
  readonly headerBytes: number;
  readonly headersTimeoutMs: number;
  readonly requestTimeoutMs: number;
  /** Socket without traffic, also while an answer waits for its reader; 0 for no limit. */
  readonly idleTimeoutMs: number;
  readonly connections: number;
}

export const HTTP_LIMITS: HttpLimits = {
  headerBytes: 8192,
  headersTimeoutMs: 5_000,
  requestTimeoutMs: 5_000,
  idleTimeoutMs: 5_000,
  connections: 64,
};

export interface HttpListenerContext {
  readonly limits: HttpLimits;
  readonly redact: Redact;
  readonly log: Log;
  readonly respond: (request: IncomingMessage) => Answer | Promise<Answer>;
}

export class HttpListener {
  readonly #context: HttpListenerContext;
  readonly #connections: Connections;
  readonly #servers: Server[] = [];

  constructor(context: HttpListenerContext) {
    this.#context = context;
    this.#connections = new Connections(context.limits.connections);
  }

  /** Rejects with Node's own system error (EADDRINUSE, EACCES, …). */
  async listen(options: ListenOptions): Promise<AddressInfo | string | null> {
    const server = this.#createServer();
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject);
      server.listen(options, () => {
        server.off('error', reject);
        resolve();
      });
    });
    server.on('error', (error) => {
      this.#context.log.warn({ err: error }, 'http listener');
    });
    this.#servers.push(server);
    return server.address();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const closed = this.#servers.map(
      (server) =>
        new Promise<void>((resolve) => {
          server.close(() => {
            resolve();
          });
        }),
    );
    this.#connections.destroyAll();
    await Promise.all(closed);
  }

  #createServer(): Server {
    const { limits } = this.#context;
    const server = createServer({
      maxHeaderSize: limits.headerBytes,
      headersTimeout: Math.min(limits.headersTimeoutMs, limits.requestTimeoutMs),
      requestTimeout: limits.requestTimeoutMs,
      keepAliveTimeout: limits.requestTimeoutMs,
      // Node looks for overdue requests only this often; its default of 30 s would be the real limit.
      connectionsCheckingInterval: Math.min(1_000, limits.headersTimeoutMs),
    });
    // 0 is "no limit": with Node's default, headers after the 2,000th (an Origin) would be dropped unseen.
    server.maxHeadersCount = 0;
    server.setTimeout(limits.idleTimeoutMs);
    const serve = (request: IncomingMessage, response: ServerResponse): void => {
      void this.#serve(request, response);
    };
    server.on('connection', (socket) => {
      this.#connections.admit(socket);
    });
    server.on('request', serve);
    // Without this Node would invite the body that is going to be refused.
    server.on('checkContinue', serve);
    return server;
  }

  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    this.#connections.refresh(request.socket);
    const answer = await this.#answer(request);
    send(request, response, answer, this.#context.redact);
  }

  async #answer(request: IncomingMessage): Promise<Answer> {
    if (hasBody(request)) return refusal(413, 'BODY_REFUSED', 'Expected a request without a body.');
    try {
      return await this.#context.respond(request);
    } catch (error) {
      this.#context.log.error({ err: error }, 'request failed');
      return refusal(500, 'INTERNAL', 'The answer could not be made; the log says why.');
    }
  }
}

function hasBody(request: IncomingMessage): boolean {
  const { 'content-length': length, 'transfer-encoding': encoding } = request.headers;
  return encoding !== undefined || (length !== undefined && !/^0+$/.test(length));
}
