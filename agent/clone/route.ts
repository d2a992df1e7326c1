/**
 * The way to the host: direct, through a tunnel (https behind a proxy: CONNECT), or by absolute-form
 * (http behind a proxy), RFC 9112 3.2.2. Certificates are checked against the bundle that git would
 * use. One keep-alive agent per route; whoever opens a route closes it.
 */
import { Agent, buildConnector } from 'undici';
import type { Dispatcher } from 'undici';
import { toAgentError } from '../errors.ts';
import { readCertificates } from './certificates.ts';
import type { CloneEnvironment } from './clone-job.ts';
import { proxyAuthorization, proxyFor } from './proxy.ts';
import type { TransportLimits } from './transport-limits.ts';
import { connectThrough } from './tunnel.ts';
import type { TlsOptions } from './tunnel.ts';

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
