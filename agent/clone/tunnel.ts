/**
 * A connection through a proxy: CONNECT (RFC 9110 9.3.6). Enters: the proxy's URL and host:port.
 * Leaves: the connected socket, on which TLS is still to come, or a TransportError that says what
 * the proxy answered.
 */
import type { Socket } from 'node:net';
import { TransportError } from '../errors.ts';
import { proxyAuthorization } from './proxy.ts';
import { errorOfNetwork } from './transport-errors.ts';

export interface TlsOptions {
  readonly timeout: number;
  readonly ca?: string[];
}

export async function connectThrough(
  proxy: URL,
  authority: string,
  tls: TlsOptions,
): Promise<Socket> {
  const { request } =
    proxy.protocol === 'https:' ? await import('node:https') : await import('node:http');
  const authorization = proxyAuthorization(proxy);
  return new Promise((resolve, reject) => {
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
