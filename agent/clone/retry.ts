/**
 * Tries again what may pass by itself. Enters: an attempt. Leaves: its first success, or its last
 * error. Invariant: only transient errors are retried, never past `retryForMs`, never against the
 * host's own word on when (Retry-After); the wait ends at once when the signal is aborted.
 */
import { toAgentError } from '../errors.ts';
import type { AgentError } from '../errors.ts';
import { sleep } from '../lifetime.ts';

const FIRST_DELAY_MS = 1_000;
const LONGEST_DELAY_MS = 60_000;

export interface RetryContext {
  /** From the start of the first attempt to the latest start of another. 0: no retry. */
  readonly retryForMs: number;
  readonly signal: AbortSignal;
  /** Called before each wait with the number of the attempt that failed, from 1. */
  readonly onRetry: (error: AgentError, attempt: number, nextAttemptAt: Date) => void;
  readonly random?: () => number;
  readonly now?: () => number;
  readonly wait?: (ms: number, signal: AbortSignal) => Promise<void>;
}

/** @throws the last attempt's error; the signal's reason when aborted while waiting. */
export async function withRetry<T>(
  attempt: (number: number) => Promise<T>,
  context: RetryContext,
): Promise<T> {
  const { retryForMs, signal, onRetry } = context;
  const { random = Math.random, now = Date.now, wait = sleep } = context;
  const latestStartMs = now() + retryForMs;
  for (let number = 1; ; number++) {
    try {
      return await attempt(number);
    } catch (error) {
      const failure = toAgentError(error);
      if (signal.aborted || !failure.transient) throw error;
      const nextMs = nextAttempt(failure, number, now(), random());
      if (nextMs > latestStartMs) throw error;
      onRetry(failure, number, new Date(nextMs));
      await wait(nextMs - now(), signal);
    }
  }
}

/**
 * Full jitter: random between nothing and the exponential delay, after the host's own word. That word
 * sends everybody away until the same moment, so the jitter is then at least as wide as the wait
 * (npm run bench:herd).
 */
function nextAttempt(error: AgentError, number: number, nowMs: number, random: number): number {
  const toldMs = Math.max(0, (error.retryAtMs ?? 0) - nowMs);
  const ceilingMs = Math.min(
    Math.max(FIRST_DELAY_MS * 2 ** (number - 1), toldMs),
    LONGEST_DELAY_MS,
  );
  return nowMs + toldMs + Math.round(random * ceilingMs);
}
