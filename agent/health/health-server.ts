/**
 * The health endpoint of the contract over TCP. In: the status table and the metrics; out: JSON and
 * Prometheus text for GET and HEAD on five paths, and a page on the sixth. It reads and never decides; requests that a web
 * page could have caused are refused before a path is looked at.
 */
import type { IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import { AgentError, errnoOf } from '../errors.ts';
import type { Log } from '../log.ts';
import type { StatusTable } from '../status.ts';
import type { Token } from '../token.ts';
import { jsonAnswer, refusal } from './answer.ts';
import type { Answer, Redact } from './answer.ts';
import { health, liveness, readiness } from './checks.ts';
import { HTTP_LIMITS, HttpListener } from './http-listener.ts';
import type { HttpLimits } from './http-listener.ts';
import { allowedHosts, guardRequest, guardStatus } from './request-guard.ts';
import { statusPage } from './status-page.ts';

export interface ListenAddress {
  /** A name or an IP address, IPv6 without brackets. */
  readonly host: string;
  /** 0 picks a free one. */
  readonly port: number;
}

export interface HealthContext {
  readonly listen: readonly ListenAddress[];
  readonly status: StatusTable;
  readonly metrics: { render(): Promise<{ readonly contentType: string; readonly body: string }> };
  readonly redact: Redact;
  readonly log: Log;
  /** When set, `/status` and `/metrics` ask for it; the probes stay open. */
  readonly statusToken?: Token | undefined;
  readonly limits?: Partial<HttpLimits>;
}

export interface HealthServer extends AsyncDisposable {
  /** As bound, in the order of `listen`. */
  readonly addresses: readonly ListenAddress[];
}

type Route = (request: IncomingMessage) => Answer | Promise<Answer>;

/** @throws AgentError LISTEN_FAILED; addresses bound before the failing one are closed again. */
export async function serveHealth(context: HealthContext): Promise<HealthServer> {
  const addresses: ListenAddress[] = [];
  let allowed = allowedHosts(context.listen.map(({ host }) => host));
  const routes = routesOf(context);
  const listener = new HttpListener({
    limits: { ...HTTP_LIMITS, ...context.limits },
    redact: context.redact,
    log: context.log,
    respond: (request) => guardRequest(request, allowed) ?? respond(request, routes),
  });
  try {
    for (const address of context.listen) {
      addresses.push(await bind(listener, address, context.listen));
    }
  } catch (error) {
    await listener[Symbol.asyncDispose]();
    throw error;
  }
  allowed = allowedHosts([...context.listen, ...addresses].map(({ host }) => host));
  return { addresses, [Symbol.asyncDispose]: () => listener[Symbol.asyncDispose]() };
}

async function bind(
  listener: HttpListener,
  { host, port }: ListenAddress,
  all: readonly ListenAddress[],
): Promise<ListenAddress> {
  // `::` takes IPv4 as well, unless that is asked for by itself: then they would collide.
  const ipv6Only = all.some((address) => address.host === '0.0.0.0');
  try {
    const bound = (await listener.listen({ host, port, ipv6Only, exclusive: true })) as AddressInfo;
    return { host: bound.address, port: bound.port };
  } catch (error) {
    const errno = errnoOf(error);
    if (errno === undefined) throw error;
    throw new AgentError('LISTEN_FAILED', `cannot listen on ${host} port ${port}: ${errno}`, {
      cause: error,
      data: { host, port, errno },
    });
  }
}

function routesOf({ status, metrics, statusToken }: HealthContext): ReadonlyMap<string, Route> {
  return new Map<string, Route>([
    ['/', (request) => guardStatus(request, statusToken, 'page') ?? statusPage()],
    ['/livez', liveness],
    ['/readyz', () => readiness(status)],
    ['/healthz', () => health(status)],
    [
      '/status',
      (request) => guardStatus(request, statusToken) ?? jsonAnswer(200, status.snapshot()),
    ],
    [
      '/metrics',
      async () => {
        const { contentType, body } = await metrics.render();
        return { status: 200, type: contentType, body };
      },
    ],
  ]);
}

function respond(
  request: IncomingMessage,
  routes: ReadonlyMap<string, Route>,
): Answer | Promise<Answer> {
  const route = routes.get(request.url?.split('?', 1)[0] ?? '');
  if (route === undefined) return refusal(404, 'NOT_FOUND', 'There is nothing at this path.');
  if (request.method !== 'GET' && request.method !== 'HEAD') {
    return refusal(405, 'METHOD_REFUSED', 'Expected GET or HEAD.', { allow: 'GET, HEAD' });
  }
  return route(request);
}
