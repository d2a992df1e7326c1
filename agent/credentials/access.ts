/**
 * What a token may do in its repository, found out without writing: the list of refs that git asks
 * for at the start of a push (gitprotocol-http, git-receive-pack) is refused to a token that cannot
 * push. In: a resource; out: whether the host takes the token, and whether for a push as well.
 */
import type { AskHost } from '../clone/host-request.ts';
import { AgentError } from '../errors.ts';
import type { ErrorCode } from '../errors.ts';
import type { Resource } from '../resource.ts';
import type { Credential } from '../status.ts';

export interface Access {
  readonly credential: Exclude<Credential, 'unknown'>;
  readonly canPush: boolean;
  /** Why the token is not taken. */
  readonly error: AgentError | null;
}

/** @returns null when the host said nothing about the token. @throws the reason of askHost()'s signal. */
export async function checkAccess(resource: Resource, ask: AskHost): Promise<Access | null> {
  const push = await refusalOf('git-receive-pack', resource, ask);
  if (push === null) return { credential: 'ok', canPush: true, error: null };
  // Who may not push may still read: then nothing is wrong with the token.
  const refusal =
    push.code === 'TRANSPORT_FORBIDDEN' ? await refusalOf('git-upload-pack', resource, ask) : push;
  if (refusal === null) return { credential: 'ok', canPush: false, error: null };
  const credential = CREDENTIAL_AFTER[refusal.code];
  return credential === undefined ? null : { credential, canPush: false, error: refusal };
}

/** Other failures say nothing about the token. */
const CREDENTIAL_AFTER: Partial<Record<ErrorCode, 'rejected' | 'sso_required'>> = {
  TRANSPORT_UNAUTHORIZED: 'rejected',
  TRANSPORT_FORBIDDEN: 'rejected',
  // So the host answers about a repository that the token does not know of.
  TRANSPORT_NOT_FOUND: 'rejected',
  TRANSPORT_SSO_REQUIRED: 'sso_required',
};

async function refusalOf(
  service: string,
  { url, token }: Resource,
  ask: AskHost,
): Promise<AgentError | null> {
  const answer = { contentType: `application/x-${service}-advertisement`, wantsBody: false };
  try {
    await ask({ url: `${url}/info/refs?service=${service}`, token, as: 'git', ...answer });
    return null;
  } catch (error) {
    if (error instanceof AgentError) return error;
    throw error;
  }
}
