/**
 * Who may do what: tokens by label, grants per repository, and what an Authorization header
 * presents. Only labels leave this file towards records and messages; GitHub's rules are followed
 * (basic with the token as password, `token` or `bearer` for the API).
 */
export type Permission = 'read' | 'write';

export interface TokenGrant {
  readonly token: string;
  readonly login: string;
  /** `write` includes pushes and pull requests. */
  readonly permissions: Permission;
  /** How records name this token; the login unless told. */
  readonly label?: string;
}

export type Scheme = 'basic' | 'token' | 'bearer';

export interface Presented {
  readonly scheme: Scheme;
  readonly secret: string;
}

export interface Identity {
  readonly label: string;
  readonly login: string;
  /** OAuth scopes as GitHub reports them; null for fine-grained tokens, which report none. */
  readonly scopes: string | null;
}

interface KnownToken extends Identity {
  revoked: boolean;
  readonly grants: Map<string, Permission>;
}

/** What an Authorization header presents, or null when it presents nothing that GitHub knows. */
export function presentedIn(header: string | undefined): Presented | null {
  const match = /^(basic|token|bearer)\s+(\S+)\s*$/i.exec(header ?? '');
  if (match === null) return null;
  const scheme = match[1]!.toLowerCase() as Scheme;
  if (scheme !== 'basic') return { scheme, secret: match[2]! };
  const decoded = Buffer.from(match[2]!, 'base64').toString();
  const colon = decoded.indexOf(':');
  if (colon < 0) return { scheme, secret: decoded };
  const user = decoded.slice(0, colon);
  const password = decoded.slice(colon + 1);
  return { scheme, secret: password === '' || password === 'x-oauth-basic' ? user : password };
}

export class TokenRegistry {
  readonly #known = new Map<string, KnownToken>();

  grant(repositoryId: string, grant: TokenGrant): void {
    const known = this.#known.get(grant.token);
    if (known !== undefined) {
      known.grants.set(repositoryId, grant.permissions);
      return;
    }
    this.#known.set(grant.token, {
      label: grant.label ?? grant.login,
      login: grant.login,
      scopes:
        grant.token.startsWith('gh') && grant.token[3] === '_' ? 'gist, read:org, repo' : null,
      revoked: false,
      grants: new Map([[repositoryId, grant.permissions]]),
    });
  }

  /** From now on the token is answered like one that never existed. */
  revoke(token: string): void {
    const known = this.#known.get(token);
    if (known === undefined) throw new TypeError('no such token');
    known.revoked = true;
  }

  /** @returns the identity behind a header, or null when the token is missing, unknown or revoked. */
  identify(presented: Presented | null): Identity | null {
    return this.#valid(presented) ?? null;
  }

  /** How a record names what was presented: a label, `unknown`, or null for nothing. */
  labelOf(presented: Presented | null): string | null {
    if (presented === null) return null;
    return this.#known.get(presented.secret)?.label ?? 'unknown';
  }

  permissionOf(presented: Presented | null, repositoryId: string): Permission | null {
    return this.#valid(presented)?.grants.get(repositoryId) ?? null;
  }

  #valid(presented: Presented | null): KnownToken | undefined {
    if (presented === null) return undefined;
    const known = this.#known.get(presented.secret);
    return known?.revoked === true ? undefined : known;
  }
}
