/**
 * `--status-token-file` → what a reader of /status on another machine has to show.
 */
import { readFile } from 'node:fs/promises';
import { AgentError, errnoOf } from './errors.ts';
import { Token } from './token.ts';

/** @throws STATUS_TOKEN_UNREADABLE */
export async function readStatusToken(path: string): Promise<Token> {
  const text = await readFile(path, 'utf8').catch((error: unknown) => {
    const why = `cannot read the status token at ${path}: ${errnoOf(error) ?? 'failed'}`;
    throw new AgentError('STATUS_TOKEN_UNREADABLE', why, { cause: error });
  });
  if (!/^\S{16,}\s*$/.test(text)) {
    const why = `expected a token of at least 16 characters in one line at ${path}`;
    throw new AgentError('STATUS_TOKEN_UNREADABLE', why);
  }
  return new Token(text.trim());
}
