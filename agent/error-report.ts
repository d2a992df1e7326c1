/** An AgentError as the status shows it: what happened, the way out, when it is tried again. */
import type { AgentError, ErrorCode } from './errors.ts';

export interface ErrorReport {
  readonly code: ErrorCode;
  readonly message: string;
  readonly remedy: string;
  readonly transient: boolean;
  readonly next_attempt_at: string | null;
}

export function reportOf(error: AgentError, nextAttemptAt: Date | null): ErrorReport {
  const { code, message, remedy, transient } = error;
  return {
    code,
    message,
    remedy,
    transient,
    next_attempt_at: nextAttemptAt?.toISOString() ?? null,
  };
}
