/**
 * A proxy on the loopback that is every host at once, over http and https. Those of the session ask
 * for a token and then redirect what it is told to; all others are somebody else's: they ask for
 * credentials with every answer, and whatever they are sent is kept.
 */
import { createServer } from 'node:http';
import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { TLSSocket } from 'node:tls';
import { TlsFront } from '../host/tls-front.ts';

export interface Lure {
  readonly status: number;
  /** Scheme, host and port of where the redirects lead. */
  readonly origin: string;
  /** `first`: the question for refs and every one of the API; `post`: git's second one. */
  readonly at: 'first' | 'post';
}

/** All of a request: method, URL, headers and body. */
export interface Caught {
  readonly origin: string;
  readonly text: string;
}

const OID = '1'.repeat(40);

export class LuringProxy implements AsyncDisposable {
  /** What came to the origins that are not the session's. */
  readonly caught: Caught[] = [];
  /** How many redirects were given. */
  lured = 0;
  lure: Lure = { status: 302, origin: 'http://evil.example', at: 'first' };
  readonly #server: Server;
  readonly #trusted: ReadonlySet<string>;
  #tls: TlsFront | null = null;

  private constructor(trusted: readonly string[]) {
    this.#trusted = new Set(trusted);
    this.#server = createServer(this.#onRequest);
    this.#server.on('connect', (_request, socket) => {
      socket.write('HTTP/1.1 200 Connection established\r\n\r\n');
      this.#tls?.accept(socket);
    });
  }

  /** @param trusted the session's origins. @param names hosts that have a certificate. */
  static async start(trusted: readonly string[], names: readonly string[]): Promise<LuringProxy> {
    const proxy = new LuringProxy(trusted);
    proxy.#tls = await TlsFront.open(names, proxy.#onRequest);
    await new Promise<void>((resolve) => proxy.#server.listen(0, '127.0.0.1', resolve));
    return proxy;
  }

  get environment(): Record<string, string> {
    const url = `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
    const ca = this.#tls?.caFile ?? '';
    return {
      ...{ HTTP_PROXY: url, http_proxy: url, HTTPS_PROXY: url, https_proxy: url },
      ...{ SSL_CERT_FILE: ca, GIT_SSL_CAINFO: ca },
    };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
    await this.#tls?.[Symbol.asyncDispose]();
  }

  readonly #onRequest = (request: IncomingMessage, response: ServerResponse): void => {
    const scheme = request.socket instanceof TLSSocket ? 'https' : 'http';
    const url = new URL(request.url ?? '/', `${scheme}://${request.headers.host ?? ''}`);
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      if (this.#trusted.has(url.origin)) this.#answer(request, url, response);
      else {
        const head = [request.method, url.href, ...request.rawHeaders].join('\n');
        const text = `${head}\n${Buffer.concat(chunks).toString('latin1')}`;
        this.caught.push({ origin: url.origin, text });
        challenge(response);
      }
    });
  };

  #answer({ headers, method }: IncomingMessage, url: URL, response: ServerResponse): void {
    const { lure } = this;
    const isRefs = url.pathname.endsWith('/info/refs');
    if (headers.authorization === undefined) challenge(response);
    else if (isRefs && lure.at === 'post') advertise(url, response);
    else {
      this.lured += 1;
      const location = lure.origin + url.pathname + url.search;
      response.writeHead(lure.status, { location, 'x-method': method ?? '' }).end();
    }
  }
}

function challenge(response: ServerResponse): void {
  response.writeHead(401, { 'www-authenticate': 'Basic realm="lure"' }).end('{"message":"who?"}');
}

/** Just enough for git to go on to its POST. */
function advertise(url: URL, response: ServerResponse): void {
  const service = url.searchParams.get('service') ?? '';
  response.writeHead(200, { 'content-type': `application/x-${service}-advertisement` });
  const refs = `${OID} refs/heads/main\0report-status\n`;
  response.end(`${pktLine(`# service=${service}\n`)}0000${pktLine(refs)}0000`);
}

function pktLine(text: string): string {
  return (text.length + 4).toString(16).padStart(4, '0') + text;
}
