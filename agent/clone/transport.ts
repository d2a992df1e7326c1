/**
 * HTTP to one repository of one host (gitprotocol-http). Enters: the job's URL and token. Leaves:
 * answers of the right type, read at the reader's pace. Invariant: the token
 * goes to the origin of the job's URL and to no other; every failure is a TransportError or the
 * signal's reason.
 */
import type { IncomingMessage } from 'node:http';
import { gzipSync } from 'node:zlib';
import { TransportError } from '../errors.ts';
import { reasonOf } from '../lifetime.ts';
import type { Token } from '../token.ts';
import { VERSION } from '../version.ts';
import { headerOf, isRedirect } from './answer-head.ts';
import type { CloneEnvironment } from './clone-job.ts';
import { pour } from './pour.ts';
import type { Pour } from './pour.ts';
import { maskControls } from './printable.ts';
import { checkedUrl, INFO_REFS, redirectedBase, SERVICE } from './repository-url.ts';
import { openRoute } from './route.ts';
import type { Route, RouteRequest } from './route.ts';
import { errorOfNetwork, errorOfStatus, isLostConnection } from './transport-errors.ts';
import type { TransportLimits } from './transport-limits.ts';

const MOST_REDIRECTS = 5;
const SHOWN_BODY_BYTES = 1_000;
/** git compresses from 1 KiB on; zlib takes 2 ms to begin, longer than so much takes to be sent. */
const GZIP_FROM_BYTES = 32 * 1_024;

/** GitHub answers smart HTTP at a URL without ".git" only to agents that begin with "git/". */
const USER_AGENT = `git/2.0 (mount-agent/${VERSION})`;

export interface TransportContext {
  readonly url: string;
  readonly token: Token;
  readonly allowHttp: boolean;
  readonly environment: CloneEnvironment;
  readonly limits: TransportLimits;
  readonly signal: AbortSignal;
}

export class Transport {
  readonly #context: TransportContext;
  readonly #route: Route;
  readonly #authorization: string;
  /** Ends the list of refs, however busily the host keeps the connection alive. */
  readonly #discovery: AbortSignal;
  /** Where the repository is, after redirects. */
  #base: URL;
  /** There was an answer: from now on a connection may be one that was used before. */
  #answered = false;

  private constructor(context: TransportContext, base: URL, route: Route) {
    this.#context = context;
    this.#base = base;
    this.#route = route;
    const credentials = `x-access-token:${context.token.reveal()}`;
    this.#authorization = `Basic ${Buffer.from(credentials).toString('base64')}`;
    this.#discovery = AbortSignal.timeout(context.limits.discoveryTimeoutMs);
  }

  static async open(context: TransportContext): Promise<Transport> {
    const base = checkedUrl(context.url, context.allowHttp);
    return new Transport(context, base, await openRoute(base, context.environment, context.limits));
  }

  [Symbol.dispose](): void {
    this.#route.close();
  }

  /** `GET …/info/refs`, asking for protocol 2; follows redirects within the origin. */
  async discover(): Promise<AsyncIterable<Uint8Array>> {
    for (let redirects = 0; redirects <= MOST_REDIRECTS; redirects++) {
      const url = new URL(this.#base.href + INFO_REFS);
      const request: RouteRequest = {
        method: 'GET',
        url,
        headers: { accept: '*/*' },
        body: null,
        signal: AbortSignal.any([this.#context.signal, this.#discovery]),
      };
      const answer = await this.#request(request);
      if (!isRedirect(answer)) {
        const type = `application/x-${SERVICE}-advertisement`;
        return this.#limited(await this.#accept(answer, request, type), request.signal);
      }
      answer.destroy();
      this.#base = redirectedBase(url, headerOf(answer, 'location') ?? '');
    }
    throw new TransportError(
      'TRANSPORT_REDIRECT_REFUSED',
      `${this.#base.host} redirected more than ${MOST_REDIRECTS} times`,
    );
  }

  /** The answer to a command that lists refs: bounded in size and in time. */
  async listRefs(body: Buffer): Promise<AsyncIterable<Uint8Array>> {
    const signal = AbortSignal.any([this.#context.signal, this.#discovery]);
    return this.#limited(await this.#post(body, 2, signal), signal);
  }

  /** The answer to a request for a pack: as long as it takes. */
  async fetchPack(body: Buffer, version: 0 | 2): Promise<Pour> {
    const { signal, limits } = this.#context;
    const answer = await this.#post(body, version, signal);
    const explain = (error: unknown): Error => this.#reasonFor(error, signal, true);
    const context = { idleTimeoutMs: limits.idleTimeoutMs, explain };
    return (take, stop) => pour(answer, context, take, stop);
  }

  async #post(body: Buffer, version: 0 | 2, signal: AbortSignal): Promise<IncomingMessage> {
    const url = new URL(`${this.#base.href}/${SERVICE}`);
    const large = body.length > GZIP_FROM_BYTES;
    const result = `application/x-${SERVICE}-result`;
    const headers = {
      accept: result,
      'content-type': `application/x-${SERVICE}-request`,
      ...(large ? { 'content-encoding': 'gzip' } : {}),
    };
    // At once: a stream takes 5 ms to begin.
    const sent = large ? gzipSync(body) : body;
    const request: RouteRequest = { method: 'POST', url, headers, body: sent, signal };
    return this.#accept(await this.#request(request, version), request, result);
  }

  async #request(request: RouteRequest, version: 0 | 2 = 2): Promise<IncomingMessage> {
    const mayBeStale = this.#answered;
    try {
      return await this.#send(request, version);
    } catch (error) {
      // The host may close an idle connection just when it is used again.
      if (!mayBeStale || !isLostConnection(error))
        throw this.#reasonFor(error, request.signal, false);
      return await this.#send(request, version).catch((again: unknown) => {
        throw this.#reasonFor(again, request.signal, false);
      });
    }
  }

  async #send(request: RouteRequest, version: 0 | 2): Promise<IncomingMessage> {
    const answer = await this.#route.send({
      ...request,
      headers: {
        ...request.headers,
        'user-agent': USER_AGENT,
        pragma: 'no-cache',
        authorization: this.#authorization,
        ...(version === 2 ? { 'git-protocol': 'version=2' } : {}),
      },
    });
    this.#answered = true;
    return answer;
  }

  /** The answer, if it is what was asked for; its body is to be read. */
  async #accept(
    answer: IncomingMessage,
    { url, signal }: RouteRequest,
    contentType: string,
  ): Promise<IncomingMessage> {
    const { statusCode: status = 0, headers } = answer;
    if (isRedirect(answer)) {
      answer.destroy();
      throw new TransportError(
        'TRANSPORT_REDIRECT_REFUSED',
        `${url.host} redirected a POST, which Git does not follow`,
      );
    }
    if (status !== 200) {
      const words = await this.#words(answer, signal);
      throw errorOfStatus({ status, headers, url, words, nowMs: Date.now() });
    }
    const got = headerOf(answer, 'content-type');
    const encoding = headerOf(answer, 'content-encoding') ?? 'identity';
    if (got === contentType && encoding === 'identity') return answer;
    answer.destroy();
    const what = `${got ?? 'no content type'}${encoding === 'identity' ? '' : `, ${encoding}`}`;
    throw new TransportError(
      'TRANSPORT_PROTOCOL',
      `${url.host} is no Git server at ${url.pathname}: expected ${contentType}, got ${maskControls(what)}`,
    );
  }

  async *#stream(body: IncomingMessage, signal: AbortSignal): AsyncGenerator<Uint8Array> {
    const { idleTimeoutMs } = this.#context.limits;
    // Only waiting counts, not what is done with a chunk.
    let isWaiting = true;
    const timer = setTimeout(() => {
      if (isWaiting) body.destroy(Object.assign(new Error('no byte'), { code: 'ETIMEDOUT' }));
    }, idleTimeoutMs);
    try {
      for await (const chunk of body as AsyncIterable<Uint8Array>) {
        isWaiting = false;
        yield chunk;
        isWaiting = true;
        timer.refresh();
      }
    } catch (error) {
      throw this.#reasonFor(error, signal, true);
    } finally {
      clearTimeout(timer);
    }
  }

  async *#limited(answer: IncomingMessage, signal: AbortSignal): AsyncGenerator<Uint8Array> {
    const { refsBytes } = this.#context.limits;
    let received = 0;
    for await (const chunk of this.#stream(answer, signal)) {
      received += chunk.byteLength;
      if (received > refsBytes) {
        throw new TransportError(
          'PACK_LIMIT',
          `the list of refs is over refsBytes: expected at most ${refsBytes} bytes`,
        );
      }
      yield chunk;
    }
  }

  /** A short plain text that comes with a refusal; a page is never shown. */
  async #words(answer: IncomingMessage, signal: AbortSignal): Promise<string | null> {
    if (headerOf(answer, 'content-type')?.startsWith('text/plain') !== true) {
      answer.destroy();
      return null;
    }
    let text = '';
    for await (const chunk of this.#stream(answer, signal)) {
      text += Buffer.from(chunk).toString('utf8');
      if (text.length >= SHOWN_BODY_BYTES) break;
    }
    return text.slice(0, SHOWN_BODY_BYTES).trim() || null;
  }

  /** @param signal of the request: whatever its abort looks like in Node's errors. */
  #reasonFor(error: unknown, signal: AbortSignal, answering: boolean): Error {
    const { signal: own, limits } = this.#context;
    if (own.aborted) return reasonOf(own);
    if (signal.aborted) {
      return new TransportError(
        'TRANSPORT_TIMEOUT',
        `${this.#route.peer} took over ${limits.discoveryTimeoutMs} ms to list the refs`,
      );
    }
    return errorOfNetwork(error, this.#route.peer, answering);
  }
}
