/**
 * Secrets that the operator gives in a file: `--status-token-file`, what a reader of /status on
 * another machine has to show, and `--warn-key-file`, what signs the warnings that are posted.
 */
import { readFile } from 'node:fs/promises';
import { AgentError, errnoOf } from './errors.ts';
import type { ErrorCode } from './errors.ts';
import { Token } from './token.ts';

/** @throws STATUS_TOKEN_UNREADABLE */
export function readStatusToken(path: string): Promise<Token> {
  return readSecret(path, 'status token', 'STATUS_TOKEN_UNREADABLE');
}

/** @throws WARNING_KEY_UNREADABLE */
export function readWarningKey(path: string): Promise<Token> {
  return readSecret(path, 'key', 'WARNING_KEY_UNREADABLE');
}

async function readSecret(path: string, what: string, code: ErrorCode): Promise<Token> {
  const text = await readFile(path, 'utf8').catch((error: unknown) => {
    const why = `cannot read the ${what} at ${path}: ${errnoOf(error) ?? 'failed'}`;
    throw new AgentError(code, why, { cause: error });
  });
  if (!/^\S{16,}\s*$/.test(text)) {
    const why = `expected a ${what} of at least 16 characters in one line at ${path}`;
    throw new AgentError(code, why);
  }
  return new Token(text.trim());
}
