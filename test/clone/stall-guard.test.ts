import { describe, expect, it } from 'vitest';
import { withLeastSpeed } from '../../agent/clone/stall-guard.ts';
import { collect } from './streams.ts';

/** `count` chunks of 100 bytes, each after `everyMs`. */
async function* drip(count: number, everyMs: number): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < count; at++) {
    await new Promise((resolve) => setTimeout(resolve, everyMs));
    yield Buffer.alloc(100);
  }
}

describe('withLeastSpeed()', () => {
  it('ends a peer that drips less than the least', async () => {
    const limits = { firstByteMs: 5_000, leastBytes: 1_000, withinMs: 200, totalMs: 60_000 };
    const failing = collect(withLeastSpeed(drip(1_000, 50), limits));
    await expect(failing).rejects.toMatchObject({ code: 'TRANSPORT_TIMEOUT', transient: true });
  });

  it('gives the first byte a time of its own', async () => {
    const patient = { firstByteMs: 20_000, leastBytes: 100, withinMs: 10_000, totalMs: 60_000 };
    expect(await collect(withLeastSpeed(drip(2, 300), patient))).toHaveLength(200);
    const hasty = { ...patient, firstByteMs: 50 };
    await expect(collect(withLeastSpeed(drip(2, 5_000), hasty))).rejects.toMatchObject({
      code: 'TRANSPORT_TIMEOUT',
    });
  });

  it('ends a pack that takes too long as a whole, however fast it comes', async () => {
    const limits = { firstByteMs: 5_000, leastBytes: 1, withinMs: 5_000, totalMs: 300 };
    await expect(collect(withLeastSpeed(drip(1_000, 20), limits))).rejects.toMatchObject({
      code: 'TRANSPORT_TIMEOUT',
      message: expect.stringContaining('300 ms') as string,
    });
  });

  it('does not count the time of a slow reader', async () => {
    const limits = { firstByteMs: 1_000, leastBytes: 100_000, withinMs: 400, totalMs: 60_000 };
    let received = 0;
    for await (const chunk of withLeastSpeed(drip(5, 0), limits)) {
      received += chunk.length;
      await new Promise((resolve) => setTimeout(resolve, 200));
    }
    expect(received).toBe(500);
  });
});
