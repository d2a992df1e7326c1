/**
 * The way to the host: direct, through a tunnel (https behind a proxy: CONNECT), or by absolute-form
 * (http behind a proxy), RFC 9112 3.2.2. Certificates are checked against the bundle that git would
 * use. One keep-alive agent per route; whoever opens a route closes it.
 */
import { readFile } from 'node:fs/promises';
import * as http from 'node:http';
import * as https from 'node:https';
import type { Socket } from 'node:net';
import { rootCertificates } from 'node:tls';
import { Agent, buildConnector } from 'undici';
import type { Dispatcher } from 'undici';
import { errnoOf, toAgentError, TransportError } from '../errors.ts';
import type { CloneEnvironment } from './clone-job.ts';
import { proxyAuthorization, proxyFor } from './proxy.ts';
import { errorOfNetwork } from './transport-errors.ts';
import type { TransportLimits } from './transport-limits.ts';

export interface Route {
  readonly dispatcher: Dispatcher;
  /** Names the other end in messages. */
  readonly peer: string;
  /** How a request for `url` is put on this route. */
  address(url: URL): { origin: string; path: string; headers: Record<string, string> };
  close(): Promise<void>;
}

export async function openRoute(
  url: URL,
  environment: CloneEnvironment,
  limits: TransportLimits,
): Promise<Route> {
  const proxy = proxyFor(url, environment);
  const ca = await readCertificates(environment);
  const tls = { timeout: limits.connectTimeoutMs, ...(ca === null ? {} : { ca }) };
  const tunnelled = proxy !== null && url.protocol === 'https:';
  const dispatcher = new Agent({
    connect: tunnelled ? tunnel(proxy, tls) : tls,
    headersTimeout: limits.headersTimeoutMs,
    bodyTimeout: limits.idleTimeoutMs,
    connections: 1,
  });
  return {
    dispatcher,
    peer: proxy === null ? url.host : `${url.host} through the proxy ${proxy.host}`,
    address: (target) =>
      proxy === null || tunnelled ? direct(target) : absoluteForm(target, proxy),
    close: () => dispatcher.destroy(),
  };
}

function direct(url: URL): ReturnType<Route['address']> {
  return { origin: url.origin, path: url.pathname + url.search, headers: {} };
}

function absoluteForm(url: URL, proxy: URL): ReturnType<Route['address']> {
  const authorization = proxyAuthorization(proxy);
  return {
    origin: proxy.origin,
    path: url.origin + url.pathname + url.search,
    headers: {
      host: url.host,
      ...(authorization === null ? {} : { 'proxy-authorization': authorization }),
    },
  };
}

interface TlsOptions {
  readonly timeout: number;
  readonly ca?: string[];
}

/** undici's own tunnel hides the proxy's status code, which says what to do about it. */
function tunnel(proxy: URL, tls: TlsOptions): buildConnector.connector {
  const upgrade = buildConnector(tls);
  return (options, callback) => {
    const { hostname, port } = options;
    connectThrough(proxy, `${hostname}:${port === '' ? '443' : port}`, tls).then(
      (httpSocket) => {
        upgrade({ ...options, httpSocket }, callback);
      },
      (error: unknown) => {
        callback(toAgentError(error), null);
      },
    );
  };
}

function connectThrough(proxy: URL, authority: string, tls: TlsOptions): Promise<Socket> {
  const authorization = proxyAuthorization(proxy);
  return new Promise((resolve, reject) => {
    const { request } = proxy.protocol === 'https:' ? https : http;
    const connect = request(proxy.origin, {
      method: 'CONNECT',
      path: authority,
      agent: false,
      timeout: tls.timeout,
      ...(tls.ca === undefined ? {} : { ca: tls.ca }),
      headers: {
        host: authority,
        ...(authorization === null ? {} : { 'proxy-authorization': authorization }),
      },
    });
    connect.once('connect', ({ statusCode = 0 }, socket) => {
      if (statusCode === 200) {
        socket.setTimeout(0);
        resolve(socket);
        return;
      }
      socket.destroy();
      reject(refusedByProxy(proxy, authority, statusCode));
    });
    connect.once('timeout', () => {
      connect.destroy(Object.assign(new Error('no answer to CONNECT'), { code: 'ETIMEDOUT' }));
    });
    connect.once('error', (error) => {
      reject(errorOfNetwork(error, `the proxy ${proxy.host}`, false));
    });
    connect.end();
  });
}

function refusedByProxy(proxy: URL, authority: string, status: number): TransportError {
  const message = `the proxy ${proxy.host} answered ${status} to CONNECT ${authority}`;
  // With 5xx the proxy itself could not reach the host: that may pass.
  const code = status >= 500 ? 'TRANSPORT_UNREACHABLE' : 'TRANSPORT_PROXY';
  return new TransportError(code, message, { data: { status } });
}

/**
 * As git: GIT_SSL_CAINFO, else SSL_CERT_FILE, in place of the built-in roots; and NODE_EXTRA_CA_CERTS
 * beside either. null: Node's own default, which already has NODE_EXTRA_CA_CERTS.
 */
async function readCertificates(environment: CloneEnvironment): Promise<string[] | null> {
  const { GIT_SSL_CAINFO, SSL_CERT_FILE, NODE_EXTRA_CA_CERTS } = environment;
  const bundle = GIT_SSL_CAINFO ?? SSL_CERT_FILE;
  if (bundle === undefined && NODE_EXTRA_CA_CERTS === undefined) return null;
  const roots = bundle === undefined ? [...rootCertificates] : [await readBundle(bundle)];
  return NODE_EXTRA_CA_CERTS === undefined
    ? roots
    : [...roots, await readBundle(NODE_EXTRA_CA_CERTS)];
}

async function readBundle(path: string): Promise<string> {
  try {
    return await readFile(path, 'utf8');
  } catch (error) {
    const errno = errnoOf(error);
    if (errno === undefined) throw error;
    throw new TransportError(
      'TRANSPORT_TLS',
      `the certificate file ${path} cannot be read: ${errno}`,
      { cause: error, data: { path, errno } },
    );
  }
}
