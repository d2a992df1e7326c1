/**
 * What the ledger says instead of "clean" where it cannot be sure: a reason in words. Every part
 * of the ledger may throw a Doubt; the others go on, and the reading is "unknown" for that reason.
 */
import { AgentError, errnoOf } from '../errors.ts';

export class Doubt extends Error {}

/** The reason, when `error` is one that makes a reading uncertain; undefined for defects and aborts. */
export function doubtOf(error: unknown): string | undefined {
  if (error instanceof Doubt || error instanceof AgentError) return error.message;
  return isSystemError(error) ? error.message : undefined;
}

/** The disk's refusal; Node's own ERR_… codes are defects of the caller. */
export function isSystemError(error: unknown): error is Error {
  return errnoOf(error)?.startsWith('ERR_') === false;
}
