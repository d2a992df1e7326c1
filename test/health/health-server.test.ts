import { createServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import { afterEach, expect, it } from 'vitest';
import { AgentError, TransportError } from '../../agent/errors.ts';
import { guardStatus } from '../../agent/health/request-guard.ts';
import { serveHealth } from '../../agent/health/health-server.ts';
import type { HealthContext, HealthServer } from '../../agent/health/health-server.ts';
import { createMetrics } from '../../agent/health/metrics.ts';
import { reportOf } from '../../agent/error-report.ts';
import type { StatusTable } from '../../agent/status.ts';
import { Token, tokenForms } from '../../agent/token.ts';
import {
  AT_RISK,
  SECRET,
  ask,
  eventually,
  newTable,
  openSocket,
  recordLog,
  sendRaw,
  tableOfTwo,
} from './fixtures.ts';

const open: AsyncDisposable[] = [];

afterEach(async () => {
  for (const item of open.splice(0)) await item[Symbol.asyncDispose]();
});

type Served = HealthServer & { readonly port: number; readonly lines: readonly string[] };

async function serve(status: StatusTable, options: Partial<HealthContext> = {}): Promise<Served> {
  const { log, redactor, lines } = recordLog();
  const server = await serveHealth({
    listen: [{ host: '127.0.0.1', port: 0 }],
    status,
    metrics: createMetrics({ status, version: '1.2.3', nodeVersion: 'v20.0.0' }),
    redact: (text) => redactor.redact(text),
    log,
    ...options,
  });
  open.push(server);
  return { ...server, port: server.addresses[0]!.port, lines };
}

function becomeReady(status: StatusTable): void {
  for (const { mount_path: path } of status.mounts) {
    status.update(path, { phase: 'ready', ready_at: '2026-01-01T00:00:05.000Z' });
  }
}

const SSO = new TransportError('TRANSPORT_SSO_REQUIRED', 'expected an authorised token, got 403');

it('/livez answers 200 health+json before anything is known', async () => {
  const { port } = await serve(newTable());
  const reply = await ask({ port, path: '/livez' });
  expect(reply.status).toBe(200);
  expect(reply.headers['content-type']).toBe('application/health+json');
  expect(JSON.parse(reply.text)).toEqual({ status: 'pass', checks: {} });
});

it('/readyz says why not: first the manifest, then each mount, and turns 200 with the last one', async () => {
  const status = newTable();
  const { port } = await serve(status);
  const early = await ask({ port, path: '/readyz' });
  expect(early.status).toBe(503);
  expect(JSON.parse(early.text)).toEqual({
    status: 'fail',
    checks: { manifest: [{ status: 'fail', output: 'The manifest is not there yet.' }] },
  });

  const two = tableOfTwo();
  const server = await serve(two);
  two.update('/app/web', {
    phase: 'receiving',
    progress: { received_bytes: 9, objects: 7, total_objects: 20, files: 0, total_files: 0 },
  });
  two.update('/app/api', { phase: 'failed', error: reportOf(SSO, null) });
  const middle = await ask({ port: server.port, path: '/readyz' });
  expect(middle.status).toBe(503);
  expect(middle.headers['content-type']).toBe('application/health+json');
  expect(JSON.parse(middle.text)).toEqual({
    status: 'fail',
    checks: {
      '/app/web': [{ status: 'fail', output: 'receiving: 7 of 20 objects' }],
      '/app/api': [{ status: 'fail', output: `failed: ${SSO.code}: ${SSO.message} ${SSO.remedy}` }],
    },
  });

  becomeReady(two);
  const ready = await ask({ port: server.port, path: '/readyz' });
  expect(ready.status).toBe(200);
  expect(JSON.parse(ready.text)).toMatchObject({ status: 'pass' });
});

it('/healthz passes while cloning, warns near the deadline with work at risk, fails with a mount', async () => {
  const status = tableOfTwo();
  const { port } = await serve(status);
  const cloning = await ask({ port, path: '/healthz' });
  expect([cloning.status, JSON.parse(cloning.text)]).toEqual([
    200,
    {
      status: 'pass',
      checks: { '/app/web': [{ status: 'pass' }], '/app/api': [{ status: 'pass' }] },
    },
  ]);

  becomeReady(status);
  status.update('/app/web', { at_risk: AT_RISK });
  status.setReclaim(new Date('2026-01-01T00:00:00Z'), new Date('2026-01-02T00:00:00Z'), true);
  const near = await ask({ port, path: '/healthz' });
  expect([near.status, JSON.parse(near.text)]).toEqual([
    200,
    {
      status: 'warn',
      checks: {
        '/app/web': [
          {
            status: 'warn',
            output: 'At risk near the deadline: files 2, unpushed commits 3, stashes 1.',
          },
        ],
        '/app/api': [{ status: 'pass' }],
      },
    },
  ]);

  status.update('/app/api', { phase: 'failed', error: reportOf(SSO, null) });
  const failed = await ask({ port, path: '/healthz' });
  expect(failed.status).toBe(503);
  expect(JSON.parse(failed.text)).toMatchObject({
    status: 'fail',
    checks: { '/app/api': [{ status: 'fail' }], '/app/web': [{ status: 'warn' }] },
  });
});

it('/status is the whole table as JSON, always with 200', async () => {
  const status = tableOfTwo();
  status.update('/app/web', { phase: 'failed', error: reportOf(SSO, null), at_risk: AT_RISK });
  const { port } = await serve(status);
  const reply = await ask({ port, path: '/status?pretty' });
  expect(reply.status).toBe(200);
  expect(reply.headers['content-type']).toBe('application/json');
  expect(reply.headers['cache-control']).toBe('no-store');
  expect(JSON.parse(reply.text)).toEqual(status.snapshot());
});

it('HEAD answers as GET does, without the body', async () => {
  const { port } = await serve(tableOfTwo());
  for (const path of ['/livez', '/readyz', '/healthz', '/status']) {
    const get = await ask({ port, path });
    const head = await sendRaw(
      port,
      `HEAD ${path} HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n`,
    );
    const [top, body] = head.split('\r\n\r\n');
    expect(top).toContain(`HTTP/1.1 ${get.status} `);
    expect(top).toContain(`content-length: ${get.headers['content-length']!}`);
    expect(body).toBe('');
  }
});

it('an unknown path is 404 and another method 405, both as JSON', async () => {
  const { port } = await serve(tableOfTwo());
  for (const path of ['//', '/livez/', '/STATUS', '/status/../livez', '/rotate', '/%6civez']) {
    const reply = await ask({ port, path });
    expect([path, reply.status]).toEqual([path, 404]);
    expect(reply.headers['content-type']).toBe('application/json');
    expect(JSON.parse(reply.text)).toMatchObject({ error: { code: 'NOT_FOUND' } });
  }
  for (const method of ['POST', 'PUT', 'DELETE', 'OPTIONS', 'PATCH', 'TRACE']) {
    const reply = await ask({ port, path: '/status', method, headers: { 'content-length': '0' } });
    expect([method, reply.status]).toEqual([method, 405]);
    expect(reply.headers.allow).toBe('GET, HEAD');
    expect(JSON.parse(reply.text)).toMatchObject({ error: { code: 'METHOD_REFUSED' } });
  }
});

it('a Host outside the allow-list is refused, loopback names and IP literals are not', async () => {
  const { port } = await serve(tableOfTwo());
  const from = (host: string) => ask({ port, path: '/status', headers: { host } });
  for (const host of [
    'localhost',
    'LOCALHOST:9',
    'localhost.',
    '127.0.0.1:8484',
    '10.42.0.17:8484',
    '[::1]',
    '[fd00::17]:8484',
  ]) {
    expect([host, (await from(host)).status]).toEqual([host, 200]);
  }
  for (const host of [
    'evil.example',
    `evil.example:${port}`,
    'localhost.evil.example',
    '127.0.0.1.evil.example',
    '127.0.0.1@evil.example',
    'user@localhost',
    '[::1].evil.example',
    '[localhost]',
    '127.1',
    'localhost:x',
  ]) {
    const reply = await from(host);
    expect([host, reply.status]).toEqual([host, 421]);
    expect(reply.text).not.toContain('mounts');
  }
});

it('the name that was asked to be listened on is a good Host', async () => {
  const { port, addresses } = await serve(tableOfTwo(), {
    listen: [{ host: 'localhost', port: 0 }],
  });
  expect(
    (await ask({ host: addresses[0]!.host, port, path: '/livez', headers: { host: 'localhost' } }))
      .status,
  ).toBe(200);
});

it('two Host headers, a missing one in HTTP/1.1 and an absolute target are refused', async () => {
  const { port } = await serve(tableOfTwo());
  const end = 'Connection: close\r\n\r\n';
  const two = await sendRaw(
    port,
    `GET /status HTTP/1.1\r\nHost: localhost\r\nHost: evil.example\r\n${end}`,
  );
  expect(two).toMatch(/^HTTP\/1.1 4/);
  expect(await sendRaw(port, `GET /status HTTP/1.1\r\n${end}`)).toMatch(/^HTTP\/1.1 400 /);
  const absolute = `GET http://evil.example/status HTTP/1.1\r\nHost: localhost\r\n${end}`;
  expect(await sendRaw(port, absolute)).toMatch(/^HTTP\/1.1 400 /);
  expect(await sendRaw(port, `GET /status HTTP/1.1\r\nHost:\r\n${end}`)).toMatch(/^HTTP\/1.1 421 /);
  // Old probes: HTTP/1.0 knows no Host.
  expect(await sendRaw(port, 'GET /livez HTTP/1.0\r\n\r\n')).toMatch(/^HTTP\/1.1 200 /);
});

it('any Origin is refused, its own too, however many headers stand before it', async () => {
  const { port } = await serve(tableOfTwo());
  for (const origin of ['https://evil.example', `http://127.0.0.1:${port}`, 'null', '']) {
    const reply = await ask({ port, path: '/status', headers: { origin } });
    expect([origin, reply.status]).toEqual([origin, 403]);
    expect(reply.headers['access-control-allow-origin']).toBeUndefined();
  }
  // 2,020 three-byte headers stay under 8 KiB; Node alone would not look past the 2,000th.
  const many = 'a:\n'.repeat(2_020).replaceAll('\n', '\r\n');
  const reply = await sendRaw(
    port,
    `GET /status HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n${many}Origin: x\r\n\r\n`,
  );
  expect(reply).toMatch(/^HTTP\/1.1 403 /);
});

it('headers over 8 KiB are refused, just below they are not', async () => {
  const { port } = await serve(tableOfTwo());
  const withFiller = (length: number) =>
    sendRaw(
      port,
      `GET /livez HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nX: ${'a'.repeat(length)}\r\n\r\n`,
    );
  expect(await withFiller(8_000)).toMatch(/^HTTP\/1.1 200 /);
  expect(await withFiller(8_200)).toMatch(/^HTTP\/1.1 431 /);
  const longPath = `GET /${'a'.repeat(8_200)} HTTP/1.1\r\nHost: localhost\r\n\r\n`;
  expect(await sendRaw(port, longPath)).toMatch(/^HTTP\/1.1 431 /);
});

it('a body is refused unread, whichever way it is announced', async () => {
  const { port } = await serve(tableOfTwo());
  const head = 'GET /livez HTTP/1.1\r\nHost: localhost\r\n';
  for (const announced of [
    'Content-Length: 5\r\n\r\n',
    'Transfer-Encoding: chunked\r\n\r\n',
    'Content-Length: 5\r\nExpect: 100-continue\r\n\r\n',
  ]) {
    const reply = await sendRaw(port, head + announced);
    expect(reply).toMatch(/^HTTP\/1.1 413 /);
    expect(reply).not.toContain('100 Continue');
  }
});

it('500 slow clients neither fail a probe of 1 s nor hold more than 64 connections', async () => {
  const { port } = await serve(tableOfTwo(), {
    limits: { headersTimeoutMs: 60_000, requestTimeoutMs: 60_000, idleTimeoutMs: 60_000 },
  });
  const slow = await Promise.all(
    Array.from({ length: 500 }, async () => {
      const socket = await openSocket(port);
      socket.write('GET /livez HTTP/1.1\r\nHost: loc');
      return socket;
    }),
  );
  for (let probe = 0; probe < 10; probe++) {
    const startedMs = performance.now();
    expect((await ask({ port, path: '/livez' })).status).toBe(200);
    expect(performance.now() - startedMs).toBeLessThan(1000);
  }
  await eventually(() => slow.filter((socket) => !socket.destroyed).length < 64);
  expect(slow.filter((socket) => !socket.destroyed).length).toBeGreaterThan(40);
  for (const socket of slow) socket.destroy();
});

it('a client that sends half a head is told so in time, and one that keeps quiet is cut off', async () => {
  // Two servers: on a starved machine a limit that both share would win the race against the other.
  const impatient = { headersTimeoutMs: 150, requestTimeoutMs: 150 };
  const slowHead = await serve(tableOfTwo(), { limits: { ...impatient, idleTimeoutMs: 60_000 } });
  const half = sendRaw(slowHead.port, 'GET /livez HTTP/1.1\r\nHost: loc');
  expect(await half).toContain('408 Request Timeout');
  const idle = await serve(tableOfTwo(), { limits: { ...impatient, idleTimeoutMs: 300 } });
  const kept = sendRaw(idle.port, 'GET /livez HTTP/1.1\r\nHost: localhost\r\n\r\n');
  expect(await kept).toContain('200 OK');
  expect(await sendRaw(idle.port, '')).not.toContain('200 OK');
});

it('no answer carries a token or the userinfo of a URL, in whatever field they got into the table', async () => {
  const status = tableOfTwo();
  const basic = Buffer.from(`x-access-token:${SECRET}`).toString('base64');
  const leaky = new AgentError('TRANSPORT_REMOTE', `https://me:pw@host/ ${SECRET} ${basic}`);
  status.update('/app/web', {
    phase: 'failed',
    error: reportOf(leaky, null),
    at_risk: { ...AT_RISK, paths: [`${encodeURIComponent(SECRET)}.txt`] },
  });
  const { port } = await serve(status);
  for (const path of ['/readyz', '/healthz', '/status', '/metrics']) {
    const { text } = await ask({ port, path });
    for (const form of tokenForms(new Token(SECRET))) expect(text).not.toContain(form);
    expect(text).not.toContain('me:pw');
    expect(text).not.toContain('errors.ts');
  }
  const { text } = await ask({ port, path: '/status' });
  expect(text).toContain('[redacted]');
  expect(text).toContain('https://host/');
});

it('a scrape that fails is a bare 500; the reason is in the log only', async () => {
  const { port, lines } = await serve(tableOfTwo(), {
    metrics: { render: () => Promise.reject(new Error('the inner reason')) },
  });
  const reply = await ask({ port, path: '/metrics' });
  expect(reply.status).toBe(500);
  expect(reply.text).not.toContain('inner reason');
  expect(lines.join('')).toContain('the inner reason');
  expect((await ask({ port, path: '/livez' })).status).toBe(200);
});

it('/status is open on loopback, and elsewhere only to the bearer of the status token', async () => {
  const statusToken = new Token('s3cret-status');
  const { port } = await serve(tableOfTwo(), { statusToken });
  expect((await ask({ port, path: '/status' })).status).toBe(200);

  const answer = (remoteAddress: string, authorization?: string, token?: Token) =>
    guardStatus({ socket: { remoteAddress }, headers: { authorization } } as never, token)?.status;
  for (const local of ['127.0.0.1', '127.8.9.1', '::1', '::ffff:127.0.0.1']) {
    expect(answer(local, undefined, statusToken)).toBeUndefined();
  }
  for (const remote of ['10.0.0.7', '::ffff:10.0.0.7', 'fe80::1', '127.evil', '']) {
    expect(answer(remote)).toBe(403);
    expect(answer(remote, 'Bearer s3cret-status')).toBe(403);
    expect(answer(remote, undefined, statusToken)).toBe(401);
    expect(answer(remote, 'Bearer s3cret-statuS', statusToken)).toBe(401);
    expect(answer(remote, 'Bearer s3cret-status', statusToken)).toBeUndefined();
  }
});

it('several addresses are served at once, IPv6 and both wildcards among them', async () => {
  const { addresses } = await serve(tableOfTwo(), {
    listen: [
      { host: '127.0.0.1', port: 0 },
      { host: '::1', port: 0 },
      { host: '0.0.0.0', port: 0 },
      { host: '::', port: 0 },
    ],
  });
  expect(addresses.map(({ host }) => host)).toEqual(['127.0.0.1', '::1', '0.0.0.0', '::']);
  const [ipv4, ipv6, any4, any6] = addresses.map(({ port }) => port);
  const replies = await Promise.all([
    ask({ port: ipv4!, path: '/livez' }),
    ask({ host: '::1', port: ipv6!, path: '/livez' }),
    ask({ port: any4!, path: '/livez' }),
    ask({ host: '::1', port: any6!, path: '/livez' }),
  ]);
  expect(replies.map(({ status }) => status)).toEqual([200, 200, 200, 200]);
});

it('an address in use is LISTEN_FAILED, and the addresses before it are free again', async () => {
  const taken = createServer();
  await new Promise<void>((resolve) => taken.listen(0, '127.0.0.1', resolve));
  const { port } = taken.address() as AddressInfo;
  const first = await serve(tableOfTwo());
  await first[Symbol.asyncDispose]();
  const listen = [
    { host: '127.0.0.1', port: first.port },
    { host: '127.0.0.1', port },
  ];
  const failure = await serve(tableOfTwo(), { listen }).catch((error: unknown) => error);
  expect(failure).toBeInstanceOf(AgentError);
  expect(failure).toMatchObject({ code: 'LISTEN_FAILED', exit: 69, data: { errno: 'EADDRINUSE' } });
  expect((failure as AgentError).message).toContain(`127.0.0.1 port ${port}`);
  await serve(tableOfTwo(), { listen: listen.slice(0, 1) });
  await new Promise((resolve) => taken.close(resolve));
});

it('closing ends open connections and frees the port at once', async () => {
  const status = tableOfTwo();
  const server = await serve(status);
  const idle = await openSocket(server.port);
  const begun = Date.now();
  await server[Symbol.asyncDispose]();
  expect(Date.now() - begun).toBeLessThan(1_000);
  await eventually(() => idle.destroyed || idle.readableEnded);
  await serve(status, { listen: [{ host: '127.0.0.1', port: server.port }] });
});
