/**
 * Who may ask over TCP. In: the request head; out: a refusal, or null. A web page in a browser on
 * this machine must not read the status: no Origin, and no name that DNS could be made to point
 * here (DNS rebinding). IP literals pass, as probes of an orchestrator send the container's address.
 */
import { createHash, timingSafeEqual } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import { isIP } from 'node:net';
import type { Token } from '../token.ts';
import { refusal } from './answer.ts';
import type { Answer } from './answer.ts';

const LOOPBACK_NAMES = ['localhost', 'localhost.', 'ip6-localhost', 'ip6-loopback'];

/** RFC 9110 7.2: uri-host [ ":" port ]. Any port: it may be forwarded from another one. */
const HOST = /^(?:\[([0-9a-f:.]+)\]|([^:[\]@/\s]+))(?::\d{0,5})?$/;

/** @param names listen hosts as configured and as bound, lower case. */
export function allowedHosts(names: readonly string[]): ReadonlySet<string> {
  return new Set([...LOOPBACK_NAMES, ...names.map((name) => name.toLowerCase())]);
}

export function guardRequest(
  request: IncomingMessage,
  allowed: ReadonlySet<string>,
): Answer | null {
  if (request.headers.origin !== undefined) {
    return refusal(403, 'ORIGIN_REFUSED', 'Expected a request without Origin.');
  }
  if (!hostsOf(request).every((host) => isAllowed(host, allowed))) {
    return refusal(
      421,
      'HOST_REFUSED',
      'Expected a Host that is an IP address, localhost, or a listen address.',
    );
  }
  // The absolute form would carry a second host, which would win over the header.
  if (request.url?.startsWith('/') !== true) {
    return refusal(400, 'TARGET_REFUSED', 'Expected a request target that is a path.');
  }
  return null;
}

/** None is fine: HTTP/1.0 probes send no Host, browsers always do; Node asks for it in HTTP/1.1. */
function hostsOf(request: IncomingMessage): readonly string[] {
  return request.headersDistinct['host'] ?? [];
}

function isAllowed(host: string, allowed: ReadonlySet<string>): boolean {
  const match = HOST.exec(host.toLowerCase());
  if (match === null) return false;
  const [, bracketed, plain] = match;
  if (bracketed !== undefined) return isIP(bracketed) === 6;
  return plain !== undefined && (isIP(plain) === 4 || allowed.has(plain));
}

/**
 * Who may read the whole table: everybody on this machine, others with the status token only.
 * Without one nobody from outside may: the table names repositories, branches and files.
 */
export function guardStatus(
  request: Pick<IncomingMessage, 'headers' | 'socket'>,
  token: Token | undefined,
  wanted: 'table' | 'page' = 'table',
): Answer | null {
  if (isLoopback(request.socket.remoteAddress ?? '')) return null;
  if (token === undefined) {
    return refusal(403, 'STATUS_TOKEN_MISSING', 'Off loopback, start with --status-token-file.');
  }
  // A browser cannot send a token with an address; the page, which holds nothing, asks for it.
  if (wanted === 'page') return null;
  const given = /^Bearer +(\S+) *$/i.exec(request.headers.authorization ?? '')?.[1] ?? '';
  if (timingSafeEqual(digest(given), digest(token.reveal()))) return null;
  return refusal(401, 'TOKEN_REFUSED', 'Expected "Authorization: Bearer" with the status token.', {
    'www-authenticate': 'Bearer realm="mount-agent"',
  });
}

/** IPv4 may come mapped into IPv6, where a socket listens to both. */
function isLoopback(address: string): boolean {
  return address === '::1' || /^(::ffff:)?127\.\d+\.\d+\.\d+$/.test(address);
}

function digest(text: string): Buffer {
  return createHash('sha256').update(text).digest();
}
