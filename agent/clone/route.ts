/**
 * The way to the host: direct, through a tunnel (https behind a proxy: CONNECT), or by absolute-form
 * (http behind a proxy), RFC 9112 3.2.2. Certificates are checked against the bundle that git would
 * use. One connection at a time, kept for the next request; whoever opens a route closes it.
 */
import { connect } from 'node:net';
import type { OnReadOpts, Socket } from 'node:net';
import { unlessAborted } from '../lifetime.ts';
import { readCertificates } from './certificates.ts';
import type { CloneEnvironment } from './clone-job.ts';
import { HttpConnection } from './http-connection.ts';
import type { Answer } from './http-answer.ts';
import { proxyAuthorization, proxyFor } from './proxy.ts';
import type { TransportLimits } from './transport-limits.ts';
import { connectThrough } from './tunnel.ts';

export interface RouteRequest {
  readonly method: 'GET' | 'POST';
  readonly url: URL;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Buffer | null;
  readonly signal: AbortSignal;
}

export interface Route {
  /** Names the other end in messages. */
  readonly peer: string;
  /** The head of the answer, and its body to be read. @throws what the network throws; ETIMEDOUT. */
  send(request: RouteRequest): Promise<Answer>;
  close(): void;
}

export async function openRoute(
  url: URL,
  environment: CloneEnvironment,
  limits: TransportLimits,
): Promise<Route> {
  const proxy = proxyFor(url, environment);
  const ca = await readCertificates(environment);
  const certificates = ca === null ? {} : { ca };
  const isTunnelled = proxy !== null && url.protocol === 'https:';
  const direct = await connector(proxy === null || isTunnelled ? url : proxy, certificates);
  const tunnel = { timeout: limits.connectTimeoutMs, ...certificates };
  let connection: HttpConnection | null = null;
  const open = async (signal: AbortSignal): Promise<HttpConnection> => {
    if (!isTunnelled) return new HttpConnection((onread) => direct(onread, undefined));
    const tunnelling = connectThrough(proxy, authorityOf(url), tunnel);
    const socket = await unlessAborted(tunnelling, signal).catch((error: unknown) => {
      // One that still comes is of no use.
      tunnelling.then(
        (late) => late.destroy(),
        () => undefined,
      );
      throw error;
    });
    return new HttpConnection((onread) => direct(onread, socket));
  };
  return {
    peer: proxy === null ? url.host : `${url.host} through the proxy ${proxy.host}`,
    send: async (request) => {
      if (connection?.isIdle !== true) {
        connection?.destroy();
        connection = await open(request.signal);
      }
      const viaProxy = isTunnelled ? null : proxy;
      return connection.ask(encode(request, viaProxy), limits, request.signal);
    },
    close: () => {
      connection?.destroy();
    },
  };
}

/** A host may think for minutes about what it sends: whoever is in between shall not forget the connection. */
const KEEP_ALIVE_MS = 30_000;

/** Opens a connection to the host, or to the proxy that asks it; TLS begins on `socket` where there is one. */
type Connector = (onread: OnReadOpts, socket: Socket | undefined) => Socket;

async function connector(url: URL, certificates: { readonly ca?: string[] }): Promise<Connector> {
  const isTls = url.protocol === 'https:';
  const host = url.hostname.replace(/^\[|\]$/g, '');
  const port = Number(url.port) || (isTls ? 443 : 80);
  const keepAlive = { keepAlive: true, keepAliveInitialDelay: KEEP_ALIVE_MS };
  if (!isTls) return (onread) => connect({ host, port, onread, ...keepAlive });
  // TLS takes 5 ms to load.
  const tls = await import('node:tls');
  const servername = isAddress(url.hostname) ? '' : host;
  const ALPNProtocols = ['http/1.1'];
  return (onread, socket) => {
    const way = socket === undefined ? { port, onread, ...keepAlive } : { socket };
    return tls.connect({ ...way, ...certificates, host, servername, ALPNProtocols });
  };
}

/** As a URL has it: an IPv6 address in brackets, an IPv4 address in four numbers. */
function isAddress(hostname: string): boolean {
  return hostname.startsWith('[') || /^[\d.]+$/.test(hostname);
}

function authorityOf({ hostname, port }: URL): string {
  return `${hostname}:${port === '' ? '443' : port}`;
}

/** As one piece: whatever it is, the host gets it whole. */
function encode({ method, url, headers, body }: RouteRequest, proxy: URL | null): Buffer {
  const authorization = proxy === null ? null : proxyAuthorization(proxy);
  const fields = Object.entries({
    host: url.host,
    ...(authorization === null ? {} : { 'proxy-authorization': authorization }),
    ...headers,
    ...(body === null ? {} : { 'content-length': String(body.length) }),
  }).map(([name, value]) => `${name}: ${value}`);
  const path = url.pathname + url.search;
  const lines = [`${method} ${proxy === null ? path : url.origin + path} HTTP/1.1`, ...fields];
  const torn = lines.find((line) => /[\0\r\n]/.test(line));
  if (torn !== undefined) throw new TypeError('a header of a request has a line end in it');
  return Buffer.concat([
    Buffer.from(`${lines.join('\r\n')}\r\n\r\n`, 'latin1'),
    body ?? Buffer.alloc(0),
  ]);
}
