import { createServer } from 'node:http';
import type { RequestListener, Server } from 'node:http';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { afterEach, expect, it } from 'vitest';
import { askHost } from '../../agent/clone/host-request.ts';
import type { HostContext, HostQuestion } from '../../agent/clone/host-request.ts';
import { Token } from '../../agent/token.ts';

const SECRET = 'ghp_hostRequestCanary0123456789';
const token = new Token(SECRET);
const JSON_TYPE = 'application/json';
const AS_JSON = { 'content-type': `${JSON_TYPE}; charset=utf-8` };

const servers: Server[] = [];
afterEach(() => {
  for (const server of servers.splice(0)) {
    server.closeAllConnections();
    server.close();
  }
});

interface Peer {
  readonly origin: string;
  /** `METHOD target authorization` of each request. */
  readonly requests: string[];
}

async function peer(answer: RequestListener): Promise<Peer> {
  const requests: string[] = [];
  const server = createServer((request, response) => {
    const { method, url, headers } = request;
    requests.push(`${method ?? ''} ${url ?? ''} ${headers.authorization ?? '-'}`);
    answer(request, response);
  });
  servers.push(server);
  await once(server.listen(0, '127.0.0.1'), 'listening');
  return { origin: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, requests };
}

function ask(
  url: string,
  question: Partial<HostQuestion> = {},
  context: Partial<HostContext> = {},
): Promise<string> {
  return askHost(
    { url, token, as: 'api', contentType: JSON_TYPE, wantsBody: true, ...question },
    { environment: {}, signal: new AbortController().signal, timeoutMs: 5000, ...context },
  );
}

const basic = `Basic ${Buffer.from(`x-access-token:${SECRET}`).toString('base64')}`;

it('askHost() sends the token as gh does, or as git does, and returns the body', async () => {
  const { origin, requests } = await peer((_request, response) =>
    response.writeHead(200, AS_JSON).end('{"a":1}'),
  );
  expect(await ask(`${origin}/user?x=1`)).toBe('{"a":1}');
  expect(await ask(`${origin}/info/refs`, { as: 'git', wantsBody: false })).toBe('');
  expect(requests).toEqual([`GET /user?x=1 token ${SECRET}`, `GET /info/refs ${basic}`]);
});

it('does not wait for a body that it does not want', async () => {
  const { origin } = await peer((_request, response) => {
    response.writeHead(200, AS_JSON).write('the first of many refs');
  });
  expect(await ask(origin, { wantsBody: false })).toBe('');
});

it('goes through a proxy by absolute-form', async () => {
  const { origin, requests } = await peer((_request, response) =>
    response.writeHead(200, AS_JSON).end('through'),
  );
  const environment = { http_proxy: origin };
  expect(await ask('http://api.github.localhost/user', {}, { environment })).toBe('through');
  expect(requests[0]).toContain('GET http://api.github.localhost/user ');
});

it('names a proxy that refuses the tunnel', async () => {
  const server = createServer();
  servers.push(server);
  server.on('connect', (_request, socket) => socket.end('HTTP/1.1 403 Forbidden\r\n\r\n'));
  await once(server.listen(0, '127.0.0.1'), 'listening');
  const https_proxy = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  await expect(
    ask('https://api.github.com/user', {}, { environment: { https_proxy } }),
  ).rejects.toMatchObject({ code: 'TRANSPORT_PROXY' });
});

it.each([301, 302, 307, 308])('follows a redirect of %d within the origin', async (status) => {
  const { origin, requests } = await peer((request, response) => {
    if (request.url === '/new') response.writeHead(200, AS_JSON).end('moved');
    else response.writeHead(status, { location: '/new' }).end();
  });
  expect(await ask(`${origin}/old`)).toBe('moved');
  expect(requests).toHaveLength(2);
});

it('sends nothing to another origin, whatever the redirect, and does not go in circles', async () => {
  const other = await peer((_request, response) => response.end('caught'));
  const port = new URL(other.origin).port;
  let location = '';
  const { origin, requests } = await peer((_request, response) =>
    response.writeHead(302, { location }).end(),
  );
  const elsewhere = [
    other.origin,
    `//127.0.0.1:${port}/x`,
    `http://localhost:${new URL(origin).port}/`,
    origin.replace('http:', 'https:'),
    origin.replace('http://', 'http://user:pass@'),
    'file:///etc/passwd',
    '',
    'http://[',
  ];
  for (const to of elsewhere) {
    location = to;
    await expect(ask(origin), to).rejects.toMatchObject({ code: 'TRANSPORT_REDIRECT_REFUSED' });
  }
  expect(other.requests).toEqual([]);
  requests.length = 0;
  location = '/again';
  await expect(ask(origin)).rejects.toMatchObject({ code: 'TRANSPORT_REDIRECT_REFUSED' });
  expect(requests.length).toBeLessThan(10);
});

it('takes a login page for no answer, also behind a redirect', async () => {
  const html = { 'content-type': 'text/html; charset=utf-8' };
  const { origin } = await peer((request, response) => {
    if (request.url === '/login') response.writeHead(200, html).end('<html>Sign in</html>');
    else response.writeHead(302, { location: '/login' }).end();
  });
  for (const wantsBody of [true, false]) {
    await expect(ask(`${origin}/user`, { wantsBody })).rejects.toMatchObject({
      code: 'TRANSPORT_PROTOCOL',
      message: expect.stringContaining('text/html') as string,
    });
  }
});

it.each([
  [401, {}, 'TRANSPORT_UNAUTHORIZED'],
  [403, {}, 'TRANSPORT_FORBIDDEN'],
  [403, { 'x-github-sso': 'required; url=https://x/' }, 'TRANSPORT_SSO_REQUIRED'],
  [404, {}, 'TRANSPORT_NOT_FOUND'],
  [429, { 'retry-after': '5' }, 'TRANSPORT_RATE_LIMITED'],
  [500, {}, 'TRANSPORT_SERVER_ERROR'],
] as const)('says of %d with %j what it means', async (status, headers, code) => {
  const { origin } = await peer((_request, response) => response.writeHead(status, headers).end());
  await expect(ask(origin)).rejects.toMatchObject({ code });
});

it('shows no token that the host gives back', async () => {
  const { origin } = await peer((_request, response) =>
    response.writeHead(401, { 'content-type': 'text/plain' }).end(`bad token ${SECRET}`),
  );
  const error: unknown = await ask(origin).catch((reason: unknown) => reason);
  expect(error).toMatchObject({ code: 'TRANSPORT_UNAUTHORIZED' });
  expect(JSON.stringify(error) + String((error as Error).stack)).not.toContain(SECRET);
});

it('ends a body without end, a host that says nothing, and one that hangs up', async () => {
  const long = await peer((_request, response) => {
    response.writeHead(200, AS_JSON);
    const more = (): void => {
      if (!response.destroyed) response.write('x'.repeat(1 << 16), more);
    };
    more();
  });
  await expect(ask(long.origin)).rejects.toMatchObject({ code: 'TRANSPORT_PROTOCOL' });
  const silent = await peer(() => undefined);
  await expect(ask(silent.origin, {}, { timeoutMs: 30 })).rejects.toMatchObject({
    code: 'TRANSPORT_TIMEOUT',
  });
  const gone = await peer((request) => request.socket.destroy());
  await expect(ask(gone.origin)).rejects.toMatchObject({ code: 'TRANSPORT_UNREACHABLE' });
});

it('rethrows the reason of its signal', async () => {
  const ending = new AbortController();
  const silent = await peer(() => {
    ending.abort(new Error('over'));
  });
  await expect(ask(silent.origin, {}, { signal: ending.signal })).rejects.toThrow('over');
});
