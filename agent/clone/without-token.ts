/**
 * The last look at an error before it leaves a clone: a host can put anything into its words, the
 * token that it was sent included. Any error in; an AgentError without the token, in any form, out.
 */
import { AgentError, toAgentError } from '../errors.ts';
import type { SerialisedError } from '../errors.ts';
import { asStorageError } from '../pack/storage-error.ts';
import { tokenForms } from '../token.ts';
import type { Token } from '../token.ts';

const REDACTED = '[redacted]';

export function withoutToken(error: unknown, token: Token): AgentError {
  // What isomorphic-git and the gitdir's own files meet on the disk comes as it was thrown.
  const agentError = toAgentError(asStorageError(error, 'making the clone'));
  // As a form stands inside a JSON string.
  const forms = tokenForms(token).map((form) => JSON.stringify(form).slice(1, -1));
  const text = JSON.stringify(agentError);
  const { cause } = agentError;
  const hidden = cause instanceof Error ? `${cause.message}\n${cause.stack ?? ''}` : String(cause);
  if (!forms.some((form) => text.includes(form) || hidden.includes(form))) return agentError;
  let clean = text;
  for (const form of forms) clean = clean.replaceAll(form, REDACTED);
  // Its cause holds the same words, so it goes.
  return AgentError.fromJSON(JSON.parse(clean) as SerialisedError);
}
