/**
 * A proxy on the loopback that is every plain-http host at once: it keeps what was asked of whom
 * with which Authorization, and refuses everything with 403, after a challenge where there was none.
 */
import { createServer } from 'node:http';
import type { Server } from 'node:http';
import type { AddressInfo } from 'node:net';

export interface RecordedRequest {
  readonly method: string;
  /** Absolute, as a proxy gets it; for CONNECT `host:port`. */
  readonly url: string;
  /** The token, taken out of whatever scheme it came in; null: none was sent. */
  readonly token: string | null;
}

export class RecordingProxy implements AsyncDisposable {
  readonly requests: RecordedRequest[] = [];
  readonly #server: Server;

  private constructor(server: Server) {
    this.#server = server;
    server.on('request', (request, response) => {
      const { authorization } = request.headers;
      this.#record(request.method, request.url, authorization);
      request.resume();
      const challenge = authorization === undefined && request.url?.includes('/info/refs') === true;
      if (challenge) response.writeHead(401, { 'www-authenticate': 'Basic realm="x"' });
      else response.writeHead(403, { 'content-type': 'application/json' });
      response.end(challenge ? '' : '{"message":"recorded"}');
    });
    server.on('connect', (request, socket) => {
      this.#record('CONNECT', request.url, request.headers['proxy-authorization']);
      socket.end('HTTP/1.1 403 Forbidden\r\n\r\n');
    });
  }

  static async start(): Promise<RecordingProxy> {
    const server = createServer();
    const proxy = new RecordingProxy(server);
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    return proxy;
  }

  /** What a program needs in its environment to come here. */
  get environment(): Record<string, string> {
    const url = `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
    return { HTTP_PROXY: url, http_proxy: url, HTTPS_PROXY: url, https_proxy: url };
  }

  /** The distinct tokens seen since the last call, null for a request without. */
  takeTokens(): (string | null)[] {
    return [...new Set(this.requests.splice(0).map(({ token }) => token))];
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  #record(method = '', url = '', authorization?: string): void {
    this.requests.push({ method, url, token: tokenOf(authorization) });
  }
}

function tokenOf(authorization: string | undefined): string | null {
  if (authorization === undefined) return null;
  const [scheme = '', value = ''] = authorization.split(' ');
  if (scheme.toLowerCase() !== 'basic') return value;
  return Buffer.from(value, 'base64').toString().split(':')[1] ?? '';
}
