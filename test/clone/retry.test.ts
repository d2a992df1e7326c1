import { describe, expect, it } from 'vitest';
import { withRetry } from '../../agent/clone/retry.ts';
import type { RetryContext } from '../../agent/clone/retry.ts';
import { AgentError } from '../../agent/errors.ts';
import type { ErrorCode } from '../../agent/errors.ts';

interface Retry {
  readonly attempt: number;
  readonly inMs: number;
}

/** Runs with a clock that jumps to each planned attempt; waits themselves take no time. */
async function retries(
  failures: readonly AgentError[],
  change: Partial<RetryContext> = {},
): Promise<{ result: string | Error; seen: Retry[] }> {
  let nowMs = 1_000_000;
  const seen: Retry[] = [];
  const queue = [...failures];
  const context: RetryContext = {
    retryForMs: 600_000,
    signal: new AbortController().signal,
    random: () => 1,
    now: () => nowMs,
    onRetry: (_error, attempt, nextAttemptAt) => {
      seen.push({ attempt, inMs: nextAttemptAt.getTime() - nowMs });
      nowMs = nextAttemptAt.getTime();
    },
    ...change,
  };
  const work = (): Promise<string> => {
    const failure = queue.shift();
    return failure === undefined ? Promise.resolve('done') : Promise.reject(failure);
  };
  return { result: await withRetry(work, context).catch((error: unknown) => error as Error), seen };
}

function failure(code: ErrorCode, retryAtMs?: number): AgentError {
  return new AgentError(code, code, retryAtMs === undefined ? {} : { retryAtMs });
}

const times = (count: number, code: ErrorCode): AgentError[] =>
  Array.from({ length: count }, () => failure(code));

describe('withRetry()', () => {
  it('doubles its longest delay up to a minute', async () => {
    const { result, seen } = await retries(times(8, 'TRANSPORT_UNREACHABLE'));
    expect(result).toBe('done');
    const seconds = [1, 2, 4, 8, 16, 32, 60, 60];
    expect(seen).toEqual(seconds.map((delay, at) => ({ attempt: at + 1, inMs: delay * 1000 })));
  });

  it('takes a random part of the delay', async () => {
    const { seen } = await retries(times(3, 'TRANSPORT_TIMEOUT'), { random: () => 0.25 });
    expect(seen.map(({ inMs }) => inMs)).toEqual([250, 500, 1000]);
  });

  it('does not try before the time that the host named', async () => {
    const limited = failure('TRANSPORT_RATE_LIMITED', 1_000_000 + 90_000);
    const { seen } = await retries([limited], { random: () => 0 });
    expect(seen).toEqual([{ attempt: 1, inMs: 90_000 }]);
  });

  it('spreads those whom the host sent away until one moment, over as long as it sent them', async () => {
    const limited = failure('TRANSPORT_RATE_LIMITED', 1_000_000 + 20_000);
    const { seen } = await retries([limited]);
    expect(seen).toEqual([{ attempt: 1, inMs: 40_000 }]);
    const long = await retries([failure('TRANSPORT_RATE_LIMITED', 1_000_000 + 300_000)]);
    expect(long.seen).toEqual([{ attempt: 1, inMs: 360_000 }]);
  });

  it('gives up with the last error when the next attempt would be too late', async () => {
    const { result, seen } = await retries(times(9, 'TRANSPORT_SERVER_ERROR'), {
      retryForMs: 7000,
    });
    expect(result).toMatchObject({ code: 'TRANSPORT_SERVER_ERROR' });
    expect(seen).toHaveLength(3);
    const far = await retries([failure('TRANSPORT_RATE_LIMITED', 9e12)]);
    expect(far).toMatchObject({ result: { code: 'TRANSPORT_RATE_LIMITED' }, seen: [] });
  });

  it('tries nothing again that will not pass by itself', async () => {
    for (const code of ['TRANSPORT_UNAUTHORIZED', 'PACK_SIGNATURE', 'INTERNAL'] as const) {
      expect(await retries([failure(code)])).toMatchObject({ result: { code }, seen: [] });
    }
  });

  it('ends its wait with the reason of an abort', async () => {
    const abort = new AbortController();
    const reason = new Error('enough');
    const waiting = withRetry(
      () => Promise.reject(failure('TRANSPORT_TIMEOUT', Date.now() + 1e6)),
      {
        retryForMs: 1e7,
        signal: abort.signal,
        onRetry: () => {
          setImmediate(() => {
            abort.abort(reason);
          });
        },
      },
    );
    await expect(waiting).rejects.toBe(reason);
  });
});
