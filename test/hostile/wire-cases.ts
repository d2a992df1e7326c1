/** Numbers 11 to 19: pkt-lines, HTTP and refs. */
import { bytesOf, pkt } from '../clone/streams.ts';
import { makePack } from '../pack/craft-pack.ts';
import { MAIN_REFS, packAnswer } from './hostile-host.ts';
import type { HostileCase, Responder } from './hostile-host.ts';
import { RIGHT, TIP, packOf } from './objects.ts';

const ANSWER = packAnswer(packOf(...RIGHT));
const OTHER = '34'.repeat(20);

function status(code: number, headers: Record<string, string> = {}, text = ''): Responder {
  return (_request, response) => {
    response.writeHead(code, { 'content-type': 'text/plain', ...headers }).end(text);
  };
}

/** The head promises all of it; the connection ends after `length` bytes. */
function cutAfter(length: number): Responder {
  return (_request, response) => {
    response.writeHead(200, {
      'content-type': 'application/x-git-upload-pack-result',
      'content-length': String(ANSWER.length),
    });
    response.write(ANSWER.subarray(0, length), () => response.socket?.destroy());
  };
}

function redirect(location: (url: string) => string): Responder {
  return (request, response) => {
    response.writeHead(301, { location: location(request.url ?? '') }).end();
  };
}

function ref(name: string, line: string, says?: RegExp): HostileCase {
  const words = says === undefined ? {} : { says };
  return { number: 14, name, expected: 'REFS_INVALID', refs: [...MAIN_REFS, line], ...words };
}

const LATER = new Date(Date.now() + 3_600_000);
const SSO = (origin: string): string =>
  `required; url=${origin}/orgs/acme/sso?authorization_request=A1`;

export const WIRE_CASES: readonly HostileCase[] = [
  { number: 11, name: 'pkt-len zzzz', expected: 'TRANSPORT_PROTOCOL', refs: Buffer.from('zzzz') },
  { number: 11, name: 'pkt-len 0003', expected: 'TRANSPORT_PROTOCOL', answer: Buffer.from('0003') },
  { number: 11, name: 'pkt-len fff1', expected: 'TRANSPORT_PROTOCOL', answer: Buffer.from('fff1') },
  { number: 11, name: 'a short body', expected: 'TRANSPORT_TRUNCATED', refs: Buffer.from('00ffx') },
  {
    number: 12,
    name: 'ERR with control characters',
    expected: 'TRANSPORT_REMOTE',
    answer: bytesOf(pkt('ERR go \x1b[31maway\n')),
    says: /go \?\[31maway/,
  },
  {
    number: 12,
    name: 'band 3 within the pack',
    expected: 'TRANSPORT_REMOTE',
    answer: bytesOf(pkt('packfile\n'), pkt('\x01PACK'), pkt('\x03the disk\x07 is full\n'), '0000'),
    says: /the disk\? is full/,
  },
  ...[0, 4].map((band): HostileCase => {
    const answer = bytesOf(pkt('packfile\n'), pkt(`${String.fromCharCode(band)}x`), '0000');
    return { number: 12, name: `band ${band}`, expected: 'TRANSPORT_PROTOCOL', answer };
  }),
  {
    number: 13,
    name: 'a login page',
    expected: 'TRANSPORT_PROTOCOL',
    advertisement: status(200, { 'content-type': 'text/html' }, '<html>please log in</html>'),
    says: /no Git server/,
  },
  ref('a ref that climbs', `${OTHER} refs/heads/../../x`),
  ref('a ref with a control character', `${OTHER} refs/heads/a\x07b`, /a\?b/),
  ref('a ref that ends in .lock', `${OTHER} refs/heads/x.lock`),
  ref('a ref that is the directory of another', `${OTHER} refs/heads/main/sub`),
  {
    number: 14,
    name: 'a symref that leads elsewhere',
    expected: 'REFS_INVALID',
    refs: [`${TIP.oid} HEAD symref-target:../../etc/passwd`, `${TIP.oid} refs/heads/main`],
  },
  {
    number: 14,
    name: 'SHA-256',
    expected: 'REFS_UNSUPPORTED_OBJECT_FORMAT',
    refs: [`${'56'.repeat(32)} refs/heads/main`],
  },
  {
    number: 14,
    name: 'an empty repository, which is good',
    expected: 'ready',
    refs: ['unborn HEAD symref-target:refs/heads/main'],
  },
  {
    number: 14,
    name: 'a detached HEAD, which is good',
    expected: 'ready',
    refs: [`${TIP.oid} HEAD`, `${TIP.oid} refs/tags/v1`],
  },
  {
    number: 14,
    name: '200,000 refs, which are good',
    expected: 'ready',
    refs: [
      ...MAIN_REFS,
      ...Array.from({ length: 200_000 }, (_, at) => `${TIP.oid} refs/tags/v${at}`),
    ],
  },
  {
    number: 15,
    name: 'a redirect to another port',
    expected: 'TRANSPORT_REDIRECT_REFUSED',
    advertisement: redirect((url) => `http://127.0.0.1:9${url}`),
  },
  {
    number: 15,
    name: 'a redirect to another scheme',
    expected: 'TRANSPORT_REDIRECT_REFUSED',
    advertisement: redirect((url) => `ftp://127.0.0.1${url}`),
  },
  {
    number: 15,
    name: 'a redirect that never ends',
    expected: 'TRANSPORT_REDIRECT_REFUSED',
    advertisement: redirect((url) => url),
  },
  {
    number: 16,
    name: '401',
    expected: 'TRANSPORT_UNAUTHORIZED',
    advertisement: status(401, { 'www-authenticate': 'Basic realm="x"' }),
    says: /expired, revoked or mistyped/,
  },
  {
    number: 16,
    name: '403 for single sign-on',
    expected: 'TRANSPORT_SSO_REQUIRED',
    advertisement: (request, response) => {
      const origin = `http://${request.headers.host ?? ''}`;
      response.writeHead(403, { 'x-github-sso': SSO(origin) }).end();
    },
    says: /organisation acme.*\/orgs\/acme\/sso\?authorization_request=A1/,
  },
  {
    number: 16,
    name: '404',
    expected: 'TRANSPORT_NOT_FOUND',
    advertisement: status(404),
    says: /missing or the token has no access/,
  },
  {
    number: 16,
    name: '429 until a date',
    expected: 'TRANSPORT_RATE_LIMITED',
    advertisement: status(429, { 'retry-after': LATER.toUTCString() }),
    says: new RegExp(LATER.toISOString().slice(0, 16)),
  },
  {
    number: 16,
    name: '403 with a used-up rate limit',
    expected: 'TRANSPORT_RATE_LIMITED',
    advertisement: status(403, {
      'x-ratelimit-remaining': '0',
      'x-ratelimit-reset': String(Math.floor(LATER.getTime() / 1000)),
    }),
    says: new RegExp(LATER.toISOString().slice(0, 16)),
  },
  {
    number: 17,
    name: '503',
    expected: 'TRANSPORT_SERVER_ERROR',
    advertisement: status(503, {}, 'overloaded'),
    says: /overloaded/,
  },
  {
    number: 17,
    name: 'a connection that is reset',
    expected: 'TRANSPORT_UNREACHABLE',
    advertisement: (request) => {
      request.socket.destroy();
    },
  },
  {
    number: 17,
    name: 'a pack that is cut',
    expected: 'TRANSPORT_TRUNCATED',
    answer: cutAfter(100),
  },
  {
    number: 17,
    name: 'a pack that lacks its last flush',
    expected: 'TRANSPORT_TRUNCATED',
    answer: ANSWER.subarray(0, -4),
  },
  {
    number: 19,
    name: 'packfile-uris that nobody asked for',
    expected: 'TRANSPORT_PROTOCOL',
    answer: bytesOf(pkt('packfile-uris\n'), pkt(`${OTHER} http://127.0.0.1:9/x\n`), '0001', ANSWER),
  },
  { number: 19, name: 'bundle-uri on offer, which is ignored', expected: 'ready' },
  {
    number: 10,
    name: 'an empty pack for an unborn HEAD and a branch',
    expected: 'OBJECT_MISSING',
    refs: ['unborn HEAD symref-target:refs/heads/main', `${TIP.oid} refs/heads/other`],
    answer: packAnswer(makePack([])),
  },
];
