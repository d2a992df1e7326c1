/**
 * Every way in which the host, the network or a proxy can say no, as one code each. Enters: a status
 * with headers, or a thrown network error. Leaves: a TransportError. The body of an answer is shown
 * only when it is plain text, masked; a page never.
 */
import { errnoOf, TransportError } from '../errors.ts';
import type { ErrorOptions } from '../errors.ts';
import { maskControls } from './printable.ts';

export interface Refusal {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  /** The URL asked, without credentials. */
  readonly url: URL;
  /** The body, when it is short plain text meant for people. */
  readonly words: string | null;
  readonly nowMs: number;
}

/** The error for an answer other than 200 (redirects are the transport's own business). */
export function errorOfStatus(refusal: Refusal): TransportError {
  const { status, url, words } = refusal;
  const said = words === null ? '' : `: ${maskControls(words)}`;
  const answer = `${url.host} answered ${status} for ${url.pathname}${said}`;
  const data = { status };
  switch (status) {
    case 401:
      return new TransportError('TRANSPORT_UNAUTHORIZED', `${answer} (the token was sent)`, {
        data,
      });
    case 403:
      return errorOfForbidden(refusal, answer);
    case 404:
    case 410:
      return new TransportError('TRANSPORT_NOT_FOUND', answer, { data });
    case 407:
      return new TransportError('TRANSPORT_PROXY', `the proxy wants credentials: ${answer}`, {
        data,
      });
    case 429:
      return rateLimited(refusal, answer);
    default:
      return new TransportError(
        status >= 500 ? 'TRANSPORT_SERVER_ERROR' : 'TRANSPORT_PROTOCOL',
        answer,
        { data, ...retryAt(refusal) },
      );
  }
}

function errorOfForbidden(refusal: Refusal, answer: string): TransportError {
  const sso = header(refusal, 'x-github-sso');
  if (sso !== null) return ssoRequired(refusal, sso);
  const limited =
    header(refusal, 'retry-after') !== null || header(refusal, 'x-ratelimit-remaining') === '0';
  if (limited) return rateLimited(refusal, answer);
  return new TransportError('TRANSPORT_FORBIDDEN', answer, { data: { status: refusal.status } });
}

/** `X-GitHub-SSO: required; url=https://github.com/orgs/ORG/sso?authorization_request=…` */
function ssoRequired({ url }: Refusal, sso: string): TransportError {
  const claimed = /(?:^|[;\s])url=(\S+)/.exec(sso)?.[1] ?? '';
  const target = URL.canParse(claimed) ? new URL(claimed) : null;
  // The reader is told to open it, so it must lead to the very host that the manifest names.
  const trusted = target !== null && target.protocol === url.protocol && target.host === url.host;
  const [, organisation = null] = /^\/orgs\/([^/]+)\//.exec(target?.pathname ?? '') ?? [];
  const who = organisation === null ? 'the organisation' : `the organisation ${organisation}`;
  const where = trusted ? target.href : `the token's settings on ${url.host}`;
  return new TransportError(
    'TRANSPORT_SSO_REQUIRED',
    `${who} enforces single sign-on and the token is not authorised for it: ${where}`,
    {
      data: { organisation, authorizeUrl: trusted ? target.href : null },
      remedy: `Authorise the token for ${who} at ${where}, then rotate or retry.`,
    },
  );
}

function rateLimited(refusal: Refusal, answer: string): TransportError {
  const options = retryAt(refusal);
  const until =
    options.retryAtMs === undefined ? '' : ` until ${new Date(options.retryAtMs).toISOString()}`;
  return new TransportError('TRANSPORT_RATE_LIMITED', `requests are limited${until}: ${answer}`, {
    data: { status: refusal.status },
    ...options,
  });
}

/** Retry-After in seconds or as a date, then x-ratelimit-reset (epoch seconds). */
export function retryAt(
  refusal: Pick<Refusal, 'status' | 'headers' | 'nowMs'>,
): Pick<ErrorOptions, 'retryAtMs'> {
  const retryAfter = header(refusal, 'retry-after');
  if (retryAfter !== null) {
    const retryAtMs = /^\d{1,9}$/.test(retryAfter)
      ? refusal.nowMs + Number(retryAfter) * 1000
      : Date.parse(retryAfter);
    if (Number.isFinite(retryAtMs)) return { retryAtMs };
  }
  const reset = header(refusal, 'x-ratelimit-reset');
  const exhausted = header(refusal, 'x-ratelimit-remaining') === '0' || refusal.status === 429;
  if (exhausted && reset !== null && /^\d{1,11}$/.test(reset)) {
    return { retryAtMs: Number(reset) * 1000 };
  }
  return {};
}

function header({ headers }: Pick<Refusal, 'headers'>, name: string): string | null {
  const value = headers[name];
  return (Array.isArray(value) ? value[0] : value) ?? null;
}

const TLS =
  /^(CERT_|CRL_|ERR_TLS_|ERR_SSL_|UNABLE_TO_|SELF_SIGNED_|DEPTH_ZERO_|INVALID_CA|INVALID_PURPOSE|HOSTNAME_MISMATCH|EPROTO$)/;
/**
 * The error for what the network threw.
 * @param where names the peer for people: "github.com", or the proxy.
 * @param answering true once the head of the answer had come: then a lost connection is a truncation.
 */
export function errorOfNetwork(error: unknown, where: string, answering: boolean): TransportError {
  if (error instanceof TransportError) return error;
  const errno = errnoOf(error) ?? 'unknown';
  const options = { cause: error, data: { errno } };
  if (TLS.test(errno)) {
    return new TransportError('TRANSPORT_TLS', `TLS with ${where} failed: ${errno}`, options);
  }
  if (errno === 'ETIMEDOUT') {
    return new TransportError('TRANSPORT_TIMEOUT', `${where} did not answer: ${errno}`, options);
  }
  if (errno.startsWith('HPE_')) {
    const message = `${where}: expected an HTTP answer, got something else (${errno})`;
    return new TransportError('TRANSPORT_PROTOCOL', message, options);
  }
  return answering
    ? new TransportError('TRANSPORT_TRUNCATED', `${where} hung up early: ${errno}`, options)
    : new TransportError('TRANSPORT_UNREACHABLE', `no connection to ${where}: ${errno}`, options);
}

/** True when the connection went before there was an answer. */
export function isLostConnection(error: unknown): boolean {
  return ['ECONNRESET', 'EPIPE'].includes(errnoOf(error) ?? '');
}
