import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { IncomingMessage, RequestListener, Server, ServerResponse } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import { connect, createServer as createTcpServer } from 'node:net';
import type { AddressInfo, Server as TcpServer, Socket } from 'node:net';
import { gunzipSync } from 'node:zlib';
import { afterEach, describe, expect, it } from 'vitest';
import { proxyFor } from '../../agent/clone/proxy.ts';
import { Transport } from '../../agent/clone/transport.ts';
import type { TransportContext } from '../../agent/clone/transport.ts';
import { TRANSPORT_LIMITS } from '../../agent/clone/transport-limits.ts';
import { Token } from '../../agent/token.ts';
import { TOKEN } from './job.ts';
import { Sandbox } from './sandbox.ts';
import { collect, poured } from './streams.ts';

const ADVERTISEMENT = 'application/x-git-upload-pack-advertisement';
const RESULT = 'application/x-git-upload-pack-result';
const BASIC = `Basic ${Buffer.from(`x-access-token:${TOKEN}`).toString('base64')}`;

const opened: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const close of opened.splice(0).reverse()) await close();
});

async function listen(server: Server | TcpServer): Promise<number> {
  const sockets = new Set<Socket>();
  server.on('connection', (socket: Socket) => sockets.add(socket));
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  opened.push(async () => {
    for (const socket of sockets) socket.destroy();
    server.close();
    await once(server, 'close');
  });
  return (server.address() as AddressInfo).port;
}

/** A plain HTTP server; @returns its origin. */
async function serve(listener: RequestListener): Promise<string> {
  return `http://127.0.0.1:${await listen(createServer(listener))}`;
}

async function open(url: string, change: Partial<TransportContext> = {}): Promise<Transport> {
  const transport = await Transport.open({
    url,
    token: new Token(TOKEN),
    allowHttp: true,
    environment: {},
    limits: TRANSPORT_LIMITS,
    signal: new AbortController().signal,
    ...change,
  });
  opened.push(() => {
    transport[Symbol.dispose]();
    return Promise.resolve();
  });
  return transport;
}

async function discover(url: string, change: Partial<TransportContext> = {}): Promise<string> {
  return (await collect(await (await open(url, change)).discover())).toString();
}

async function discoverError(url: string, change: Partial<TransportContext> = {}): Promise<Error> {
  const error: unknown = await discover(url, change).catch((reason: unknown) => reason);
  if (!(error instanceof Error)) throw new Error('expected an error');
  expect(JSON.stringify(error) + error.message).not.toContain(TOKEN);
  return error;
}

function answer(response: ServerResponse, body = 'refs', type = ADVERTISEMENT): void {
  response.setHeader('content-type', type).end(body);
}

function refuse(status: number, headers: Record<string, string> = {}, body = ''): RequestListener {
  return (_request, response) => response.writeHead(status, headers).end(body);
}

describe('Transport', () => {
  it('sends what git sends, and the token to the host', async () => {
    const seen: IncomingMessage[] = [];
    const origin = await serve((request, response) => {
      seen.push(request);
      answer(response);
    });
    expect(await discover(`${origin}/acme/web`)).toBe('refs');
    expect(seen[0]?.url).toBe('/acme/web/info/refs?service=git-upload-pack');
    expect(seen[0]?.headers).toMatchObject({ authorization: BASIC, 'git-protocol': 'version=2' });
    expect(seen[0]?.headers['user-agent']).toMatch(/^git\/2\.\d+ \(mount-agent\//);
  });

  it('compresses large requests, reuses its connection, and asks in the version it is told', async () => {
    const bodies: Buffer[] = [];
    const ports = new Set<number | undefined>();
    const origin = await serve((request, response) => {
      ports.add(request.socket.remotePort);
      void collect(request).then((body) => {
        const zipped = request.headers['content-encoding'] === 'gzip';
        bodies.push(zipped ? gunzipSync(body) : body);
        answer(response, String(request.headers['git-protocol']), RESULT);
      });
    });
    const transport = await open(`${origin}/acme/web`);
    const large = Buffer.alloc(50_000, 'want');
    expect((await collect(await transport.listRefs(Buffer.from('small')))).toString()).toBe(
      'version=2',
    );
    expect((await poured(await transport.fetchPack(large, 0))).toString()).toBe('undefined');
    expect(bodies).toEqual([Buffer.from('small'), large]);
    expect(ports.size).toBe(1);
  });

  it('asks again, once, when an idle connection is closed just as it is used again', async () => {
    let lost = 0;
    const origin = await serve((request, response) => {
      if (request.method === 'GET') answer(response);
      else if (lost++ < losses) request.socket.destroy();
      else answer(response, 'refs', RESULT);
    });
    let losses = 1;
    const transport = await open(`${origin}/acme/web`);
    await collect(await transport.discover());
    expect((await collect(await transport.listRefs(Buffer.from('x')))).toString()).toBe('refs');
    expect(lost).toBe(2);
    losses = 4;
    await expect(transport.listRefs(Buffer.from('x'))).rejects.toMatchObject({
      code: 'TRANSPORT_UNREACHABLE',
    });
    expect(lost).toBe(4);
  });

  it('follows a redirect of the first request and stays at the new place', async () => {
    const origin = await serve((request, response) => {
      const { url = '' } = request;
      if (url.startsWith('/old'))
        response.writeHead(301, { location: url.replace('/old', '/new/x') }).end();
      else if (request.method === 'GET') answer(response);
      else answer(response, url, RESULT);
    });
    const transport = await open(`${origin}/old/web`);
    await collect(await transport.discover());
    const pack = await transport.fetchPack(Buffer.from('x'), 2);
    expect((await poured(pack)).toString()).toBe('/new/x/web/git-upload-pack');
  });

  it('refuses a redirect to another host, port, scheme or service, and a loop', async () => {
    const seen: string[] = [];
    const other = await serve((request, response) => {
      seen.push(String(request.headers.authorization));
      answer(response);
    });
    const suffix = '/info/refs?service=git-upload-pack';
    for (const location of [
      `${other}/a/b${suffix}`,
      `http://localhost:1/a/b${suffix}`,
      `https://127.0.0.1/a/b${suffix}`,
      '/login',
      '',
      `http://u:p@127.0.0.1/a${suffix}`,
      'http://[',
    ]) {
      const origin = await serve(refuse(302, { location }));
      const error = await discoverError(`${origin}/acme/web`);
      expect(error, location).toMatchObject({ code: 'TRANSPORT_REDIRECT_REFUSED' });
    }
    expect(seen).toEqual([]);
    const loop = await serve(refuse(302, { location: `/acme/web${suffix}` }));
    expect(await discoverError(`${loop}/acme/web`)).toMatchObject({
      code: 'TRANSPORT_REDIRECT_REFUSED',
    });
  });

  it('does not follow a redirect of a POST', async () => {
    const transport = await open(`${await serve(refuse(307, { location: '/x' }))}/a/b`);
    const posting = transport.fetchPack(Buffer.from('x'), 2);
    await expect(posting).rejects.toMatchObject({ code: 'TRANSPORT_REDIRECT_REFUSED' });
  });

  it('asks once after a 401', async () => {
    let asked = 0;
    const origin = await serve((request, response) => {
      asked++;
      refuse(401, { 'www-authenticate': 'Basic realm="x"' })(request, response);
    });
    expect(await discoverError(`${origin}/a/b`)).toMatchObject({
      code: 'TRANSPORT_UNAUTHORIZED',
      transient: false,
    });
    expect(asked).toBe(1);
  });

  it('names organisation and URL of a 403 for single sign-on', async () => {
    const origin = await serve((request, response) => {
      const url = `http://${request.headers.host ?? ''}/orgs/acme/sso?authorization_request=abc`;
      refuse(403, { 'x-github-sso': `required; url=${url}` })(request, response);
    });
    const error = await discoverError(`${origin}/a/b`);
    const url = `${origin}/orgs/acme/sso?authorization_request=abc`;
    expect(error).toMatchObject({
      code: 'TRANSPORT_SSO_REQUIRED',
      data: { organisation: 'acme', authorizeUrl: url },
    });
    expect(error.message).toContain(url);
    expect(error).toHaveProperty('remedy', expect.stringContaining(url));
  });

  it('sends nobody to another host for single sign-on', async () => {
    const origin = await serve(
      refuse(403, { 'x-github-sso': 'required; url=https://evil.example/orgs/acme/sso' }),
    );
    const error = await discoverError(`${origin}/a/b`);
    expect(error).toMatchObject({ code: 'TRANSPORT_SSO_REQUIRED' });
    expect(JSON.stringify(error)).not.toContain('evil.example');
  });

  it.each([
    [403, {}, 'TRANSPORT_FORBIDDEN'],
    [403, { 'x-ratelimit-remaining': '0' }, 'TRANSPORT_RATE_LIMITED'],
    [404, {}, 'TRANSPORT_NOT_FOUND'],
    [407, {}, 'TRANSPORT_PROXY'],
    [418, {}, 'TRANSPORT_PROTOCOL'],
    [429, {}, 'TRANSPORT_RATE_LIMITED'],
    [500, {}, 'TRANSPORT_SERVER_ERROR'],
    [503, {}, 'TRANSPORT_SERVER_ERROR'],
  ] as const)('calls a %d with %o %s', async (status, headers, code) => {
    const error = await discoverError(`${await serve(refuse(status, headers))}/a/b`);
    expect(error).toMatchObject({ code, data: { status } });
  });

  it('reads when to come back: seconds, a date, then the reset of the rate limit', async () => {
    const soon = Math.floor(Date.now() / 1000) + 3600;
    const reset = { 'x-ratelimit-remaining': '0', 'x-ratelimit-reset': String(soon) };
    const retryAt = async (status: number, headers: Record<string, string>): Promise<number> => {
      const error = await discoverError(`${await serve(refuse(status, headers))}/a/b`);
      return (error as unknown as { retryAtMs: number }).retryAtMs;
    };
    const inTwoMinutes = await retryAt(429, { 'retry-after': '120', ...reset });
    expect(Math.abs(inTwoMinutes - Date.now() - 120_000)).toBeLessThan(20_000);
    const date = new Date(soon * 1000).toUTCString();
    expect(await retryAt(503, { 'retry-after': date })).toBe(soon * 1000);
    expect(await retryAt(403, reset)).toBe(soon * 1000);
    expect(await retryAt(429, { 'retry-after': 'whenever' })).toBeNull();
  });

  it('shows plain words of the host, masked and bounded, and never a page', async () => {
    const plain = { 'content-type': 'text/plain; charset=utf-8' };
    const words = `suspended\x1b[31m ${'x'.repeat(90_000)}`;
    const shown = await discoverError(`${await serve(refuse(403, plain, words))}/a/b`);
    expect(shown.message).toContain('suspended?[31m x');
    expect(shown.message.length).toBeLessThan(800);
    const page = { 'content-type': 'text/html' };
    const hidden = await discoverError(`${await serve(refuse(404, page, '<h1>secret</h1>'))}/a/b`);
    expect(hidden.message).not.toContain('secret');
  });

  it('takes a page, a wrong type or an encoding of its own for no Git server', async () => {
    const listeners: RequestListener[] = [
      (_request, response) => {
        answer(response, '<html>please log in</html>', 'text/html');
      },
      (_request, response) => {
        answer(response, 'x', RESULT);
      },
      (_request, response) => {
        response.setHeader('content-encoding', 'br');
        answer(response);
      },
      (_request, response) => {
        response.end('x');
      },
    ];
    for (const listener of listeners) {
      const error = await discoverError(`${await serve(listener)}/a/b`);
      expect(error).toMatchObject({ code: 'TRANSPORT_PROTOCOL' });
      expect(error.message).not.toContain('log in');
    }
  });

  it('calls what is no HTTP a protocol error', async () => {
    const port = await listen(
      createTcpServer((socket) => socket.once('data', () => socket.end('SSH-2.0-x\r\n'))),
    );
    expect(await discoverError(`http://127.0.0.1:${port}/a/b`)).toMatchObject({
      code: 'TRANSPORT_PROTOCOL',
    });
  });

  it('calls a connection cut in the answer truncated, and before it unreachable', async () => {
    const cut = await serve((_request, response) => {
      response.writeHead(200, { 'content-type': ADVERTISEMENT, 'content-length': '1000' });
      response.write('half', () => response.socket?.destroy());
    });
    expect(await discoverError(`${cut}/a/b`)).toMatchObject({
      code: 'TRANSPORT_TRUNCATED',
      transient: true,
    });
    const mute = await serve((request) => request.socket.destroy());
    expect(await discoverError(`${mute}/a/b`)).toMatchObject({ code: 'TRANSPORT_UNREACHABLE' });
    const { port } = new URL(mute);
    await opened.pop()?.();
    await opened.splice(-1)[0]?.();
    expect(await discoverError(`http://127.0.0.1:${port}/a/b`)).toMatchObject({
      code: 'TRANSPORT_UNREACHABLE',
      transient: true,
    });
  });

  it('names a host that does not resolve', async () => {
    const error = await discoverError('http://nowhere.invalid/a/b');
    expect(error).toMatchObject({ code: 'TRANSPORT_UNREACHABLE' });
    expect(error.message).toMatch(/nowhere\.invalid: (ENOTFOUND|EAI_AGAIN)/);
  });

  it('gives up on a host that says nothing, stops talking, or never comes to an end', async () => {
    const limits = {
      ...TRANSPORT_LIMITS,
      headersTimeoutMs: 300,
      idleTimeoutMs: 300,
      discoveryTimeoutMs: 1500,
    };
    const silent = await serve(() => undefined);
    const stalling = await serve((_request, response) => {
      response.writeHead(200, { 'content-type': ADVERTISEMENT });
      response.write('half');
    });
    const endless = await serve((_request, response) => {
      response.writeHead(200, { 'content-type': ADVERTISEMENT });
      const timer = setInterval(() => response.write('x'), 50);
      response.on('close', () => {
        clearInterval(timer);
      });
    });
    for (const origin of [silent, stalling, endless]) {
      const error = await discoverError(`${origin}/a/b`, { limits });
      expect(error).toMatchObject({ code: 'TRANSPORT_TIMEOUT', transient: true });
    }
  });

  it('limits the list of refs', async () => {
    const origin = await serve((_request, response) => {
      answer(response, 'x'.repeat(2000));
    });
    const limits = { ...TRANSPORT_LIMITS, refsBytes: 1000 };
    expect(await discoverError(`${origin}/a/b`, { limits })).toMatchObject({ code: 'PACK_LIMIT' });
  });

  it('rethrows the reason of an abort, before and within an answer', async () => {
    const abort = new AbortController();
    const reason = new Error('enough');
    const origin = await serve((_request, response) => {
      response.writeHead(200, { 'content-type': ADVERTISEMENT });
      response.write('half');
    });
    const transport = await open(`${origin}/a/b`, { signal: abort.signal });
    const reading = collect(await transport.discover());
    abort.abort(reason);
    await expect(reading).rejects.toBe(reason);
    await expect(transport.discover()).rejects.toBe(reason);
  });

  it.each([
    ['http://host/a/b', false],
    ['ftp://host/a/b', true],
    ['https://user:pw@host/a/b', true],
    ['https://host/a/b?x=1', true],
    ['https://host/a/b#x', true],
  ])('does not open %s (plain http allowed: %s)', async (url, allowHttp) => {
    const error: unknown = await open(url, { allowHttp }).catch((reason: unknown) => reason);
    expect(error).toMatchObject({ code: 'MANIFEST_INVALID' });
    expect((error as Error).message).not.toContain('pw');
  });
});

describe('Transport behind a proxy', () => {
  it('asks the proxy by absolute-form for plain http, without resolving the host', async () => {
    const seen: IncomingMessage[] = [];
    const proxy = await serve((request, response) => {
      seen.push(request);
      answer(response);
    });
    const { host } = new URL(proxy);
    const environment = { http_proxy: `http://us%40er:p%3Aw@${host}` };
    expect(await discover('http://github.localhost/acme/web', { environment })).toBe('refs');
    const url = 'http://github.localhost/acme/web/info/refs?service=git-upload-pack';
    expect(seen[0]?.url).toBe(url);
    const basic = Buffer.from('us@er:p:w').toString('base64');
    expect(seen[0]?.headers).toMatchObject({
      host: 'github.localhost',
      authorization: BASIC,
      'proxy-authorization': `Basic ${basic}`,
    });
  });

  it('calls what the proxy refuses by its name', async () => {
    const status = async (code: number): Promise<Error> => {
      const server = createServer();
      server.on('connect', (_request, socket) => socket.end(`HTTP/1.1 ${code} No\r\n\r\n`));
      const environment = { https_proxy: `http://user:hush@127.0.0.1:${await listen(server)}` };
      return discoverError('https://github.invalid/a/b', { environment });
    };
    for (const [code, name] of [
      [407, 'TRANSPORT_PROXY'],
      [403, 'TRANSPORT_PROXY'],
      [502, 'TRANSPORT_UNREACHABLE'],
    ] as const) {
      const error = await status(code);
      expect(error).toMatchObject({ code: name, data: { status: code } });
      expect(error.message).toMatch(
        /the proxy 127\.0\.0\.1:\d+ answered \d+ to CONNECT github\.invalid:443/,
      );
    }
    const plain = await serve(refuse(407));
    const environment = { HTTP_PROXY: plain };
    expect(await discoverError('http://github.localhost/a/b', { environment })).toMatchObject({
      code: 'TRANSPORT_PROXY',
    });
    const bad = { https_proxy: 'socks5://user:hush@127.0.0.1:1' };
    const error: unknown = await open('https://github.invalid/a/b', { environment: bad }).catch(
      (reason: unknown) => reason,
    );
    expect(error).toMatchObject({ code: 'TRANSPORT_PROXY' });
    expect((error as Error).message).not.toContain('hush');
  });

  it('tunnels https with its own CA, and refuses a certificate of a stranger or another name', async () => {
    using sandbox = new Sandbox();
    const [key, cert] = [sandbox.path('key.pem'), sandbox.path('cert.pem')];
    const subject = ['-subj', '/CN=git.test', '-addext', 'subjectAltName=DNS:git.test'];
    execFileSync(
      'openssl',
      [
        'req',
        '-x509',
        '-newkey',
        'ec',
        '-pkeyopt',
        'ec_paramgen_curve:prime256v1',
        '-nodes',
        '-keyout',
        key,
        '-out',
        cert,
        '-days',
        '2',
        ...subject,
      ],
      { stdio: 'ignore' },
    );
    const pem = { key: readFileSync(key), cert: readFileSync(cert) };
    const target = await listen(
      createTlsServer(pem, (_request, response) => {
        answer(response, 'through the tunnel');
      }),
    );
    const asked: (string | undefined)[] = [];
    const proxy = createServer();
    proxy.on('connect', (request: IncomingMessage, socket: Socket) => {
      asked.push(request.url);
      const upstream = connect(target, '127.0.0.1', () => {
        socket.write('HTTP/1.1 200 OK\r\n\r\n');
        socket.pipe(upstream).pipe(socket);
      });
      upstream.on('error', () => socket.destroy());
      socket.on('error', () => upstream.destroy());
    });
    const environment = { https_proxy: `127.0.0.1:${await listen(proxy)}` };
    const trusting = { ...environment, GIT_SSL_CAINFO: cert };
    expect(await discover('https://git.test/a/b', { environment: trusting })).toBe(
      'through the tunnel',
    );
    expect(asked).toEqual(['git.test:443']);
    const extra = { ...environment, NODE_EXTRA_CA_CERTS: cert };
    expect(await discover('https://git.test:8443/a/b', { environment: extra })).toBe(
      'through the tunnel',
    );
    expect(asked[1]).toBe('git.test:8443');
    const stranger = await discoverError('https://git.test/a/b', { environment });
    expect(stranger).toMatchObject({ code: 'TRANSPORT_TLS' });
    const otherName = await discoverError('https://other.test/a/b', { environment: trusting });
    expect(otherName).toMatchObject({ code: 'TRANSPORT_TLS' });
    const direct = await discoverError(`https://127.0.0.1:${target}/a/b`, {
      environment: { SSL_CERT_FILE: cert },
    });
    expect(direct).toMatchObject({
      code: 'TRANSPORT_TLS',
      data: { errno: 'ERR_TLS_CERT_ALTNAME_INVALID' },
    });
    const absent: unknown = await open('https://git.test/a/b', {
      environment: { GIT_SSL_CAINFO: '/nonexistent' },
    }).catch((reason: unknown) => reason);
    expect(absent).toMatchObject({ code: 'TRANSPORT_TLS', data: { errno: 'ENOENT' } });
  });
});

describe('proxyFor()', () => {
  const proxy = { http_proxy: 'http://p:1', https_proxy: 'http://s:2' };

  it('chooses by scheme, lower case first, all_proxy last', () => {
    const choose = (url: string, environment: object): string | undefined =>
      proxyFor(new URL(url), environment)?.host;
    expect(choose('http://h/', proxy)).toBe('p:1');
    expect(choose('https://h/', proxy)).toBe('s:2');
    expect(choose('https://h/', { HTTPS_PROXY: 'http://S:3', https_proxy: 's:2' })).toBe('s:2');
    expect(choose('https://h/', { http_proxy: 'http://p:1', ALL_PROXY: 'a:4' })).toBe('a:4');
    expect(choose('https://h/', { http_proxy: 'http://p:1' })).toBeUndefined();
  });

  it.each([
    ['*', 'https://any.example/', true],
    ['github.com', 'https://github.com/', true],
    ['github.com', 'https://api.GitHub.com/', true],
    ['.github.com', 'https://github.com/', true],
    ['*.github.com', 'https://api.github.com/', true],
    ['github.com', 'https://notgithub.com/', false],
    ['github.com', 'https://github.com.evil/', false],
    ['a, b  github.com', 'https://github.com/', true],
    ['github.com:443', 'https://github.com/', true],
    ['github.com:8443', 'https://github.com/', false],
    ['10.0.0.0/8', 'https://10.1.2.3/', true],
    ['10.0.0.0/8', 'https://11.1.2.3/', false],
    ['10.0.0.0/99', 'https://10.1.2.3/', false],
    ['127.0.0.1', 'http://127.0.0.1:8080/', true],
    ['[::1]', 'http://[::1]:8080/', true],
    ['[::1]:8080', 'http://[::1]:8080/', true],
    ['::1', 'http://[::1]/', true],
    ['fd00::/8', 'http://[fd12::1]/', true],
    ['', 'https://github.com/', false],
  ])('with NO_PROXY=%s asks %s without a proxy: %s', (no_proxy, url, exempt) => {
    expect(proxyFor(new URL(url), { ...proxy, no_proxy }) === null).toBe(exempt);
  });
});
