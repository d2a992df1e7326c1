import { once } from 'node:events';
import { createServer } from 'node:http';
import type { IncomingMessage, RequestListener, Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, expect, it } from 'vitest';
import type { HostContext } from '../../agent/clone/host-request.ts';
import { postJson } from '../../agent/clone/post-json.ts';
import { TlsFront } from '../host/tls-front.ts';

const servers: Server[] = [];
afterEach(() => {
  for (const server of servers.splice(0)) {
    server.closeAllConnections();
    server.close();
  }
});

async function listen(server: Server): Promise<string> {
  servers.push(server);
  await once(server.listen(0, '127.0.0.1'), 'listening');
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

function peer(answer: RequestListener): Promise<string> {
  return listen(createServer(answer));
}

function post(url: string, context: Partial<HostContext> = {}): Promise<void> {
  return postJson(
    { url, body: '{"a":"ä"}', headers: { 'x-test': '1' } },
    { environment: {}, signal: new AbortController().signal, timeoutMs: 5000, ...context },
  );
}

async function bodyOf(request: IncomingMessage): Promise<string> {
  let text = '';
  for await (const chunk of request.setEncoding('utf8')) text += String(chunk);
  return text;
}

it.each([200, 201, 204])(
  'postJson() sends the body whole and takes %d for an answer',
  async (status) => {
    const seen: unknown[] = [];
    const origin = await peer((request, response) => {
      void bodyOf(request).then((body) => {
        const { method, url, headers } = request;
        seen.push([method, url, headers['content-type'], headers['x-test'], body]);
        response.writeHead(status).end();
      });
    });
    await post(`${origin}/hook?x=1`);
    expect(seen).toEqual([['POST', '/hook?x=1', 'application/json', '1', '{"a":"ä"}']]);
  },
);

it.each([
  [400, 'WARNING_UNDELIVERED', false],
  [401, 'WARNING_UNDELIVERED', false],
  [302, 'WARNING_UNDELIVERED', false],
  [408, 'TRANSPORT_SERVER_ERROR', true],
  [429, 'TRANSPORT_RATE_LIMITED', true],
  [503, 'TRANSPORT_SERVER_ERROR', true],
])('status %d is %s, and its path is not shown', async (status, code, transient) => {
  const origin = await peer((request, response) => {
    response.writeHead(status, { 'retry-after': '7', location: '/elsewhere' }).end('secret words');
    expect(request.url).toBe('/T0/secret');
  });
  const startedAt = Date.now();
  const failure = await post(`${origin}/T0/secret`).catch((error: unknown) => error);
  expect(failure).toMatchObject({ code, transient, data: { status } });
  expect((failure as Error).message).not.toContain('secret');
  expect((failure as { retryAtMs: number }).retryAtMs).toBeGreaterThanOrEqual(startedAt + 7000);
});

it('nobody there, silence, and the end of the session are told apart', async () => {
  const server = createServer();
  const origin = await listen(server);
  servers.pop();
  await new Promise((resolve) => server.close(resolve));
  await expect(post(origin)).rejects.toMatchObject({ code: 'TRANSPORT_UNREACHABLE' });

  const silent = await peer(() => undefined);
  const late = post(silent, { timeoutMs: 50 });
  await expect(late).rejects.toMatchObject({ code: 'TRANSPORT_TIMEOUT', transient: true });
  const ending = new AbortController();
  const stopped = post(silent, { signal: ending.signal });
  ending.abort(new Error('the session has ended'));
  await expect(stopped).rejects.toThrow('the session has ended');
});

it('it goes through the proxy of the environment, and trusts the CA of the environment', async () => {
  const seen: string[] = [];
  const answer: RequestListener = (request, response) => {
    seen.push(`${request.headers.host ?? ''} ${request.url ?? ''}`);
    response.writeHead(204).end();
  };
  await using front = await TlsFront.open(['hooks.test'], answer);
  const proxy = createServer(answer);
  proxy.on('connect', (request, socket) => {
    seen.push(`CONNECT ${request.url ?? ''}`);
    socket.write('HTTP/1.1 200 OK\r\n\r\n');
    front.accept(socket);
  });
  const origin = await listen(proxy);
  const environment = { http_proxy: origin, https_proxy: origin, GIT_SSL_CAINFO: front.caFile };
  await post('http://hooks.test/a', { environment });
  await post('https://hooks.test/b', { environment });
  expect(seen).toEqual([
    'hooks.test http://hooks.test/a',
    'CONNECT hooks.test:443',
    'hooks.test /b',
  ]);
  const { http_proxy, https_proxy } = environment;
  await expect(
    post('https://hooks.test/c', { environment: { http_proxy, https_proxy } }),
  ).rejects.toMatchObject({ code: 'TRANSPORT_TLS' });
});
