import { expect, it } from 'vitest';
import { Link } from './link.ts';

/** A clock whose timers are late by 3 ms each. */
class LateClock {
  ms = 1000;
  now = (): number => this.ms;
  sleep = (ms: number): Promise<void> => {
    this.ms += ms + 3;
    return Promise.resolve();
  };
}

/** The bytes as they came out, and how long that took. */
async function pass(chunks: readonly Buffer[], pauseMs = 0): Promise<[Buffer, number]> {
  const clock = new LateClock();
  const link = new Link(1_000_000, clock);
  const pieces: Buffer[] = [];
  for (const chunk of chunks) {
    for await (const piece of link.pass(chunk)) pieces.push(piece);
    clock.ms += pauseMs;
  }
  return [Buffer.concat(pieces), clock.ms - 1000];
}

it('a link gives the same bytes, at its speed, whatever its timers do', async () => {
  const chunks = Array.from({ length: 20 }, (_, at) => Buffer.alloc(10_000 + at, at));
  const total = Buffer.concat(chunks);
  const [got, ms] = await pass(chunks);
  expect(got.equals(total)).toBe(true);
  const ownMs = total.length / 1000;
  // The first slice is there at once, the last one may be late.
  expect(ms).toBeGreaterThan(ownMs - 11);
  expect(ms).toBeLessThan(ownMs + 4);
});

it('what the client did not read in time is not caught up with', async () => {
  const [, ms] = await pass(
    Array.from({ length: 5 }, () => Buffer.alloc(20_000)),
    40,
  );
  // 5 × (20 ms of link + 40 ms of pause), of which each pause gives one slice of 10 ms back.
  expect(ms).toBeGreaterThan(240);
});
