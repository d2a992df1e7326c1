import { request } from 'node:http';
import type { IncomingHttpHeaders, IncomingMessage } from 'node:http';
import { once } from 'node:events';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { TOKENS, gitWith, hostWithTwoRepositories } from './host-fixture.ts';
import type { TwoRepositories } from './host-fixture.ts';

let two: TwoRepositories;
beforeEach(async () => {
  two = await hostWithTwoRepositories();
});
afterEach(() => two[Symbol.asyncDispose]());

interface Answer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: Buffer;
  /** False when the connection ended before the answer did. */
  readonly complete: boolean;
}

interface Asking {
  readonly signal?: AbortSignal;
  /** Told how much of the body has arrived. */
  readonly arrived?: (bytes: number) => void;
}

/** GET of an advertisement of acme's with its own token, directly. */
async function advertisement(name = 'web', { signal, arrived }: Asking = {}): Promise<Answer> {
  const url = `${two.host.directUrl('acme', name)}/info/refs?service=git-upload-pack`;
  const token = name === 'web' ? TOKENS.web : TOKENS.api;
  const asked = request(url, { auth: `x:${token}`, agent: false, ...(signal && { signal }) });
  asked.end();
  const [response] = (await once(asked, 'response')) as [IncomingMessage];
  const chunks: Buffer[] = [];
  response.on('data', (chunk: Buffer) => {
    chunks.push(chunk);
    arrived?.(Buffer.concat(chunks).length);
  });
  // An answer cut short is what these tests are about: `complete` tells.
  response.on('error', () => undefined);
  await new Promise((resolve) => response.once('close', resolve));
  const { statusCode, headers, complete } = response;
  return { status: statusCode ?? 0, headers, body: Buffer.concat(chunks), complete };
}

it('each refusal has the status and the headers that GitHub gives', async () => {
  const { host } = two;
  const url = 'https://github.com/orgs/acme/sso?authorization_request=x';
  host.fault({}, { type: 'unauthorized' }, { times: 1 });
  host.fault({}, { type: 'forbidden' }, { times: 1 });
  host.fault({}, { type: 'sso-required', url }, { times: 1 });
  host.fault({}, { type: 'not-found' }, { times: 1 });
  host.fault({}, { type: 'rate-limited', retryAfterSeconds: 7 }, { times: 1 });
  host.fault({}, { type: 'status', status: 503 }, { times: 1 });
  host.fault({}, { type: 'redirect', location: 'http://other.example{path}' }, { times: 1 });
  host.fault({}, { type: 'html' }, { times: 1 });
  const answers: Answer[] = [];
  for (let count = 0; count < 9; count++) answers.push(await advertisement());
  expect(answers.map(({ status }) => status)).toEqual([
    401, 403, 403, 404, 429, 503, 301, 200, 200,
  ]);
  const headers = answers.map((answer) => answer.headers);
  expect(headers[0]?.['www-authenticate']).toBe('Basic realm="GitHub"');
  expect(headers[2]?.['x-github-sso']).toBe(`required; url=${url}`);
  expect(headers[4]?.['retry-after']).toBe('7');
  const elsewhere = 'http://other.example/acme/web/info/refs?service=git-upload-pack';
  expect(headers[6]?.location).toBe(elsewhere);
  expect(headers[7]?.['content-type']).toContain('text/html');
  expect(headers[8]?.['content-type']).toBe('application/x-git-upload-pack-advertisement');
});

it('a fault hits only what it matches, until it is removed', async () => {
  const { host } = two;
  const match = { name: 'web', service: 'git-upload-pack', phase: 'advertisement' } as const;
  const fault = host.fault(match, { type: 'status', status: 500 });
  expect((await advertisement('api')).status).toBe(200);
  expect((await advertisement()).status).toBe(500);
  expect((await advertisement()).status).toBe(500);
  expect(fault.hits).toBe(2);
  fault.remove();
  expect((await advertisement()).status).toBe(200);
});

it('cut ends the connection after exactly so many bytes of the body', async () => {
  const whole = await advertisement();
  expect(whole.complete).toBe(true);
  two.host.fault({}, { type: 'cut', afterBytes: 100 }, { times: 1 });
  const cut = await advertisement();
  expect(cut.complete).toBe(false);
  expect(cut.body).toEqual(whole.body.subarray(0, 100));
});

it('corrupt inverts one byte and changes nothing else', async () => {
  const whole = await advertisement();
  two.host.fault({}, { type: 'corrupt', atByte: 20 }, { times: 1 });
  const corrupted = await advertisement();
  const expected = Buffer.from(whole.body);
  expected[20] = expected[20]! ^ 0xff;
  expect(corrupted.body).toEqual(expected);
});

it('stall sends so many bytes, or not even headers, and then nothing', async () => {
  const { host } = two;
  host.fault({}, { type: 'stall', afterBytes: 50 }, { times: 1 });
  const abort = new AbortController();
  const stalled = await advertisement('web', {
    signal: abort.signal,
    arrived: (bytes) => {
      if (bytes === 50) abort.abort();
    },
  });
  expect(stalled).toMatchObject({ status: 200, complete: false });
  expect(stalled.body).toHaveLength(50);

  host.fault({}, { type: 'stall' }, { times: 1 });
  const silent = new AbortController();
  const waiting = advertisement('web', { signal: silent.signal });
  await expect.poll(() => host.requests.length).toBe(2);
  silent.abort(new Error('no answer yet'));
  await expect(waiting).rejects.toThrow('abort');
});

it('throttle limits the speed of a body', async () => {
  const { host, directory } = two;
  const clone = (into: string) =>
    gitWith(host, TOKENS.web, ['clone', '-q', host.url('acme', 'web'), into], directory);
  await clone('fast');
  const packBytes = host.requests.at(-1)!.sentBytes;
  host.throttle(packBytes);
  const begin = Date.now();
  expect((await clone('slow')).code).toBe(0);
  expect(Date.now() - begin).toBeGreaterThan(900);
});
