/**
 * Faults on request: which requests they hit, how often, and the answer that GitHub (or something
 * between it and the client) would give. Damage to a body is left to reply.ts.
 */
import type { Damage, Reply } from './reply.ts';

export type Service =
  'git-upload-pack' | 'git-receive-pack' | 'git-lfs' | 'lfs-storage' | 'rest' | 'graphql' | 'web';

/** What a fault may look at; `phase` is null for requests that are not Git's. */
export interface RequestFacts {
  readonly method: string;
  readonly host: string;
  readonly path: string;
  readonly search: string;
  readonly service: Service;
  readonly phase: 'advertisement' | 'exchange' | null;
  readonly owner: string | null;
  readonly name: string | null;
  /** Label of the token presented, `unknown`, or null. */
  readonly token: string | null;
}

/** Every field given must be equal; `path` may be part of the path. */
export type FaultMatch = Partial<RequestFacts>;

export type Fault =
  | Damage
  | { readonly type: 'unauthorized' }
  | { readonly type: 'forbidden' }
  | { readonly type: 'sso-required'; readonly url: string }
  | { readonly type: 'not-found' }
  | { readonly type: 'rate-limited'; readonly retryAfterSeconds: number }
  | {
      readonly type: 'status';
      readonly status: number;
      readonly headers?: Readonly<Record<string, string>>;
      readonly body?: string;
    }
  /** `{path}` in the location stands for the request's path and query. */
  | { readonly type: 'redirect'; readonly location: string; readonly status?: number }
  /** A login page or captive portal: HTML with status 200. */
  | { readonly type: 'html' };

export interface FaultOptions {
  /** How many requests it hits; all of them until removed unless told. */
  readonly times?: number;
}

export interface FaultHandle {
  /** How many requests were hit so far. */
  readonly hits: number;
  remove(): void;
}

interface ActiveFault {
  readonly match: FaultMatch;
  readonly fault: Fault;
  left: number;
  hits: number;
}

export class FaultRegistry {
  readonly #active = new Set<ActiveFault>();

  add(match: FaultMatch, fault: Fault, options: FaultOptions): FaultHandle {
    const active: ActiveFault = { match, fault, left: options.times ?? Infinity, hits: 0 };
    this.#active.add(active);
    return {
      get hits(): number {
        return active.hits;
      },
      remove: () => {
        this.#active.delete(active);
      },
    };
  }

  /** The fault for this request, counted; the one added first wins. */
  take(facts: RequestFacts): Fault | null {
    for (const active of this.#active) {
      if (!matches(active.match, facts)) continue;
      active.hits += 1;
      active.left -= 1;
      if (active.left <= 0) this.#active.delete(active);
      return active.fault;
    }
    return null;
  }
}

function matches(match: FaultMatch, facts: RequestFacts): boolean {
  return Object.entries(match).every(([field, wanted]) => {
    const actual = facts[field as keyof RequestFacts];
    if (field === 'path') return actual?.includes(String(wanted)) === true;
    return actual === wanted;
  });
}

/** @returns the answer that a fault stands for, or null when it damages the real one. */
export function faultReply(fault: Fault, facts: RequestFacts): Reply | null {
  switch (fault.type) {
    case 'cut':
    case 'stall':
    case 'corrupt':
      return null;
    case 'unauthorized':
      return unauthorized(facts.service);
    case 'forbidden':
      return refusal(403, 'Resource not accessible by personal access token', facts.service);
    case 'sso-required':
      return ssoRequired(fault.url, facts.service);
    case 'not-found':
      return notFound(facts.service);
    case 'rate-limited': {
      const headers = { 'retry-after': String(fault.retryAfterSeconds) };
      return refusal(429, 'You have exceeded a secondary rate limit.', facts.service, headers);
    }
    case 'status': {
      const headers = { 'content-type': 'text/plain', ...fault.headers };
      return { status: fault.status, headers, body: fault.body ?? `HTTP ${fault.status}\n` };
    }
    case 'redirect': {
      const location = fault.location.replace('{path}', facts.path + facts.search);
      return { status: fault.status ?? 301, headers: { location }, body: '' };
    }
    case 'html':
      return {
        status: 200,
        headers: { 'content-type': 'text/html; charset=utf-8' },
        body: '<!DOCTYPE html><html><title>Sign in</title><body>Sign in to continue</body></html>\n',
      };
  }
}

export function unauthorized(service: Service): Reply {
  const api = service === 'rest' || service === 'graphql';
  return api
    ? refusal(401, 'Bad credentials', service)
    : refusal(401, 'Invalid username or token.', service, {
        'www-authenticate': 'Basic realm="GitHub"',
      });
}

export function notFound(service: Service): Reply {
  const api = service === 'rest' || service === 'graphql';
  return refusal(404, api ? 'Not Found' : 'Repository not found.', service);
}

function ssoRequired(url: string, service: Service): Reply {
  const message =
    service === 'rest' || service === 'graphql'
      ? 'Resource protected by organization SAML enforcement. You must grant your Personal Access token access to this organization.'
      : `The organization has enabled or enforced SAML SSO.\nTo access this repository, you must use the HTTPS remote with a personal access token that is authorized: ${url}`;
  return refusal(403, message, service, { 'x-github-sso': `required; url=${url}` });
}

/** A refusal in the words and the form of the service: JSON for the API, text for Git. */
export function refusal(
  status: number,
  message: string,
  service: Service,
  headers: Readonly<Record<string, string>> = {},
): Reply {
  if (service === 'rest' || service === 'graphql') {
    const body = {
      message,
      documentation_url: 'https://docs.github.com/rest',
      status: `${status}`,
    };
    return json(status, body, headers);
  }
  const type = { 'content-type': 'text/plain; charset=utf-8' };
  return { status, headers: { ...type, ...headers }, body: `${message}\n` };
}

export function json(
  status: number,
  body: unknown,
  headers: Readonly<Record<string, string>> = {},
): Reply {
  const type = { 'content-type': 'application/json; charset=utf-8' };
  return { status, headers: { ...type, ...headers }, body: JSON.stringify(body) };
}
