/**
 * One short question to a host, by the same way as a clone: proxy, certificates, and the token for
 * this origin only. Enters: a URL and a token. Leaves: the answer to a GET with status 200, or a
 * TransportError.
 */
import type { IncomingMessage } from 'node:http';
import { TransportError, errnoOf } from '../errors.ts';
import { reasonOf } from '../lifetime.ts';
import type { Token } from '../token.ts';
import { VERSION } from '../version.ts';
import { readCertificates } from './certificates.ts';
import type { CloneEnvironment } from './clone-job.ts';
import { maskControls } from './printable.ts';
import { proxyAuthorization, proxyFor } from './proxy.ts';
import { errorOfNetwork, errorOfStatus } from './transport-errors.ts';
import { servernameOf } from './servername.ts';
import { connectThrough } from './tunnel.ts';
import { withoutToken } from './without-token.ts';

export interface HostQuestion {
  readonly url: string;
  readonly token: Token;
  /** `git`: as a password, the way git sends it; `api`: as gh sends it. */
  readonly as: 'git' | 'api';
  /** Of the answer: a login page is none, though it comes with status 200. */
  readonly contentType: string;
  /** False: the status is answer enough, and the body, which may be large, is not read. */
  readonly wantsBody: boolean;
}

export interface HostContext {
  readonly environment: CloneEnvironment;
  readonly signal: AbortSignal;
  readonly timeoutMs: number;
}

export type AskHost = (question: HostQuestion) => Promise<string>;

const MOST_REDIRECTS = 3;
const BODY_LIMIT_BYTES = 65_536;
const SHOWN_CHARACTERS = 1_000;

/** @returns the body, or '' when it is not wanted. @throws TransportError, the signal's reason. */
export async function askHost(question: HostQuestion, context: HostContext): Promise<string> {
  const timeout = AbortSignal.timeout(context.timeoutMs);
  const signal = AbortSignal.any([context.signal, timeout]);
  const url = new URL(question.url);
  try {
    return await ask(question, url, { ...context, signal });
  } catch (error) {
    if (context.signal.aborted) throw reasonOf(context.signal);
    if (timeout.aborted) {
      const message = `${url.host} did not answer within ${context.timeoutMs} ms`;
      throw new TransportError('TRANSPORT_TIMEOUT', message, { cause: error });
    }
    if (!(error instanceof TransportError) && errnoOf(error) === undefined) throw error;
    throw withoutToken(errorOfNetwork(error, url.host, false), question.token);
  }
}

async function ask(question: HostQuestion, first: URL, context: HostContext): Promise<string> {
  let url = first;
  for (let redirects = 0; redirects <= MOST_REDIRECTS; redirects++) {
    const answer = await get(question, url, context);
    try {
      const { statusCode: status = 0, headers } = answer;
      if (status === 200) {
        expectType(answer, url, question.contentType);
        return question.wantsBody ? await bodyOf(answer, url) : '';
      }
      if (![301, 302, 307, 308].includes(status)) {
        const words = await wordsOf(answer, url);
        throw errorOfStatus({ status, headers, url, words, nowMs: Date.now() });
      }
      url = redirected(url, headers.location ?? '');
    } finally {
      answer.destroy();
    }
  }
  throw new TransportError('TRANSPORT_REDIRECT_REFUSED', `${first.host} redirected too often`);
}

function expectType({ headers }: IncomingMessage, url: URL, expected: string): void {
  const type = headers['content-type']?.split(';', 1)[0]?.trim();
  if (type === expected) return;
  const got = maskControls(type ?? 'no content type');
  throw new TransportError(
    'TRANSPORT_PROTOCOL',
    `${url.host}: expected ${expected} at ${url.pathname}, got ${got}`,
  );
}

/** The token goes nowhere but to the origin that it is for. */
function redirected(from: URL, location: string): URL {
  const to = URL.canParse(location, from.href) ? new URL(location, from) : null;
  if (to?.origin === from.origin && to.username === '' && to.password === '') return to;
  throw new TransportError(
    'TRANSPORT_REDIRECT_REFUSED',
    `${from.host} redirected to another scheme, host or port`,
  );
}

async function get(
  question: HostQuestion,
  url: URL,
  context: HostContext,
): Promise<IncomingMessage> {
  const { signal } = context;
  const target = await targetOf(url, context);
  // TLS takes 5 ms to load.
  const client =
    target.protocol === 'https:' ? await import('node:https') : await import('node:http');
  signal.throwIfAborted();
  return new Promise((resolve, reject) => {
    const request = client.request({
      ...target,
      method: 'GET',
      agent: false,
      servername: servernameOf(target.hostname),
      signal,
      headers: { ...headersOf(question, url), ...target.headers },
    });
    request.once('response', resolve);
    request.once('error', reject);
    request.end();
  });
}

/** Direct, by absolute-form (http behind a proxy), or through a tunnel (https behind a proxy). */
export async function targetOf(
  url: URL,
  { environment, timeoutMs }: Pick<HostContext, 'environment' | 'timeoutMs'>,
) {
  const { protocol, port, pathname, search } = url;
  const hostname = url.hostname.replace(/^\[|\]$/g, '');
  const proxy = proxyFor(url, environment);
  const certificates = await readCertificates(environment);
  const ca = certificates === null ? {} : { ca: certificates };
  const direct = { protocol, hostname, port, path: pathname + search, headers: {}, ...ca };
  if (proxy === null) return direct;
  if (protocol === 'https:') {
    const authority = `${url.hostname}:${port === '' ? '443' : port}`;
    const socket = await connectThrough(proxy, authority, { timeout: timeoutMs, ...ca });
    return { ...direct, socket };
  }
  const authorization = proxyAuthorization(proxy);
  const headers = authorization === null ? {} : { 'proxy-authorization': authorization };
  return {
    ...ca,
    protocol: proxy.protocol,
    hostname: proxy.hostname.replace(/^\[|\]$/g, ''),
    port: proxy.port,
    path: url.origin + pathname + search,
    headers,
  };
}

function headersOf({ token, as }: HostQuestion, url: URL): Record<string, string> {
  const basic = Buffer.from(`x-access-token:${token.reveal()}`).toString('base64');
  return {
    host: url.host,
    accept: as === 'git' ? '*/*' : 'application/vnd.github+json',
    // GitHub answers smart HTTP at a URL without ".git" only to agents that begin with "git/".
    'user-agent': `git/2.0 (mount-agent/${VERSION})`,
    authorization: as === 'git' ? `Basic ${basic}` : `token ${token.reveal()}`,
  };
}

async function bodyOf(answer: IncomingMessage, url: URL): Promise<string> {
  let text = '';
  for await (const chunk of answer.setEncoding('utf8')) {
    text += String(chunk);
    if (text.length > BODY_LIMIT_BYTES) {
      throw new TransportError('TRANSPORT_PROTOCOL', `${url.host} answered at excessive length`);
    }
  }
  return text;
}

/** A short plain text that comes with a refusal; a page is never shown. */
async function wordsOf(answer: IncomingMessage, url: URL): Promise<string | null> {
  if (answer.headers['content-type']?.startsWith('text/plain') !== true) return null;
  const text = await bodyOf(answer, url);
  return text.slice(0, SHOWN_CHARACTERS).trim() || null;
}
