/**
 * The way to the host: direct, through a tunnel (https behind a proxy: CONNECT), or by absolute-form
 * (http behind a proxy), RFC 9112 3.2.2. Certificates are checked against the bundle that git would
 * use. One connection per route, kept alive; whoever opens a route closes it. Node's own client: next
 * to it undici took 20 ms more to load and to compile its parser, and as much again for each 5 MB.
 */
import type { Agent, IncomingMessage } from 'node:http';
import type { request as httpsRequest } from 'node:https';
import type { OnReadOpts, Socket } from 'node:net';
import { toAgentError } from '../errors.ts';
import { readCertificates } from './certificates.ts';
import type { CloneEnvironment } from './clone-job.ts';
import { proxyAuthorization, proxyFor } from './proxy.ts';
import type { TransportLimits } from './transport-limits.ts';
import { servernameOf } from './servername.ts';
import { connectThrough } from './tunnel.ts';
import type { TlsOptions } from './tunnel.ts';

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
  send(request: RouteRequest): Promise<IncomingMessage>;
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
  const tunnelled = proxy !== null && url.protocol === 'https:';
  const first = proxy === null || tunnelled ? url : proxy;
  // TLS takes 5 ms to load.
  const client =
    first.protocol === 'https:' ? await import('node:https') : await import('node:http');
  const options = { ...certificates, keepAlive: true, maxSockets: 1, onread: readInPlace() };
  const agent = new client.Agent(options);
  if (tunnelled) {
    const tls = { timeout: limits.connectTimeoutMs, ...certificates };
    Object.assign(agent, { createConnection: await tunnel(proxy, tls) });
  }
  const way: Way = {
    request: client.request,
    agent,
    address: (target) =>
      proxy === null || tunnelled ? direct(target) : absoluteForm(target, proxy),
    limits,
  };
  return {
    peer: proxy === null ? url.host : `${url.host} through the proxy ${proxy.host}`,
    send: (request) => send(request, way),
    close: () => {
      agent.destroy();
    },
  };
}

/** What one read of a socket gives at most: as much as without it. */
const READ_BYTES = 65_536;

/**
 * Lets a socket read into one buffer, over and over, and hands that to what node:http has listen to it: the
 * parser, which copies what it hands on. With a new buffer for each read, every third page that a
 * clone of 76 MB commits was one of these.
 */
function readInPlace(): OnReadOpts {
  return {
    buffer: Buffer.allocUnsafeSlow(READ_BYTES),
    callback(this: Socket, length: number, buffer: Uint8Array): boolean {
      this.emit('data', buffer.subarray(0, length));
      return true;
    },
  };
}

interface Address {
  readonly hostname: string;
  readonly port: string;
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
}

interface Way {
  readonly request: typeof httpsRequest;
  readonly agent: Agent;
  /** How a request for a URL is put on this route. */
  readonly address: (url: URL) => Address;
  readonly limits: TransportLimits;
}

function direct(url: URL): Address {
  const { hostname, port, pathname, search } = url;
  return { hostname, port, path: pathname + search, headers: {} };
}

function absoluteForm(url: URL, proxy: URL): Address {
  const authorization = proxyAuthorization(proxy);
  return {
    hostname: proxy.hostname,
    port: proxy.port,
    path: url.origin + url.pathname + url.search,
    headers: {
      host: url.host,
      ...(authorization === null ? {} : { 'proxy-authorization': authorization }),
    },
  };
}

function send(
  { method, url, headers, body, signal }: RouteRequest,
  { request, agent, address, limits }: Way,
): Promise<IncomingMessage> {
  const { hostname, port, path, headers: ofRoute } = address(url);
  return new Promise((resolve, reject) => {
    const outgoing = request({
      ...{ method, agent, path, port, signal },
      hostname: hostname.replace(/^\[|\]$/g, ''),
      servername: servernameOf(hostname),
      headers: { ...ofRoute, ...headers },
    });
    const giveUp = (what: string): void => {
      outgoing.destroy(Object.assign(new Error(what), { code: 'ETIMEDOUT' }));
    };
    let timer = setTimeout(giveUp, limits.connectTimeoutMs, 'no connection');
    const awaitHead = (): void => {
      clearTimeout(timer);
      timer = setTimeout(giveUp, limits.headersTimeoutMs, 'no answer');
    };
    outgoing.once('socket', (socket) => {
      const connecting = connectingOf(socket);
      if (connecting === null) awaitHead();
      else socket.once(connecting, awaitHead);
    });
    outgoing.once('response', (answer) => {
      clearTimeout(timer);
      // A body that is given up emits an error; whoever reads one gets it from the iteration.
      answer.on('error', () => undefined);
      resolve(answer);
    });
    // Not once: an answer that breaks off is an error of its request, too.
    outgoing.on('error', (error) => {
      clearTimeout(timer);
      reject(error);
    });
    outgoing.end(body ?? undefined);
  });
}

/** The event that says that it stands; null where it does. */
function connectingOf(socket: Socket): 'connect' | 'secureConnect' | null {
  // Of a TLSSocket, until its handshake is done.
  if ('secureConnecting' in socket && socket.secureConnecting === true) return 'secureConnect';
  return socket.connecting ? 'connect' : null;
}

type Connected = (error: Error | null, socket?: Socket) => void;

/** For an agent: it hands the socket on when TLS begins on it. */
async function tunnel(proxy: URL, tls: TlsOptions) {
  const { connect } = await import('node:tls');
  return (
    options: { readonly hostname: string; readonly port: string; readonly servername: string },
    onConnected: Connected,
  ): void => {
    const { hostname, port, servername } = options;
    const authority = `${hostname}:${port === '' ? '443' : port}`;
    connectThrough(proxy, authority, tls).then(
      (socket) => {
        const ca = tls.ca === undefined ? {} : { ca: tls.ca };
        onConnected(null, connect({ ...ca, servername, socket, ALPNProtocols: ['http/1.1'] }));
      },
      (error: unknown) => {
        onConnected(toAgentError(error));
      },
    );
  };
}
