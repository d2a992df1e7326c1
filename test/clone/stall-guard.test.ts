import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { StallGuard } from '../../agent/clone/stall-guard.ts';
import type { StallLimits } from '../../agent/clone/stall-guard.ts';

const PATIENT: StallLimits = {
  firstPackByteMs: 60_000,
  leastPackBytes: 1_000,
  leastPackBytesWithinMs: 60_000,
  packTimeoutMs: 60_000,
};

/** 100 bytes each `everyMs`, until the guard has had enough; its reason. */
async function drip(guard: StallGuard, everyMs: number): Promise<unknown> {
  const timer = setInterval(() => {
    guard.received(100);
  }, everyMs);
  if (!guard.signal.aborted) await once(guard.signal, 'abort');
  clearInterval(timer);
  return guard.signal.reason;
}

describe('StallGuard', () => {
  it('ends a peer that drips less than the least', async () => {
    using guard = new StallGuard({ ...PATIENT, leastPackBytesWithinMs: 200 });
    expect(await drip(guard, 50)).toMatchObject({
      code: 'TRANSPORT_TIMEOUT',
      transient: true,
      data: { leastBytes: 1_000, allowedMs: 200 },
    });
  });

  it('ends a peer that stops after the first byte, which had a time of its own', async () => {
    using guard = new StallGuard({ ...PATIENT, leastPackBytesWithinMs: 100 });
    await sleep(200);
    expect(guard.signal.aborted).toBe(false);
    guard.received(1);
    await once(guard.signal, 'abort');
    expect(guard.signal.reason).toMatchObject({ data: { received: 0, allowedMs: 100 } });
  });

  it('ends a peer that does not begin', async () => {
    using guard = new StallGuard({ ...PATIENT, firstPackByteMs: 50 });
    await once(guard.signal, 'abort');
    expect(guard.signal.reason).toMatchObject({ code: 'TRANSPORT_TIMEOUT' });
  });

  it('ends a pack that takes too long as a whole, however fast it comes', async () => {
    using guard = new StallGuard({ ...PATIENT, leastPackBytes: 1, packTimeoutMs: 300 });
    expect(await drip(guard, 20)).toMatchObject({
      code: 'TRANSPORT_TIMEOUT',
      message: expect.stringContaining('300 ms') as string,
    });
  });

  it('does not count what is excused', async () => {
    using guard = new StallGuard({
      ...PATIENT,
      firstPackByteMs: 5_000,
      leastPackBytesWithinMs: 300,
      packTimeoutMs: 300,
    });
    for (let turn = 0; turn < 5; turn++) await guard.excuse(sleep(200));
    expect(guard.signal.aborted).toBe(false);
    await once(guard.signal, 'abort');
  });

  it('says nothing once it is over', async () => {
    const guard = new StallGuard({ ...PATIENT, firstPackByteMs: 50 });
    const excused = guard.excuse(sleep(10));
    guard[Symbol.dispose]();
    await excused;
    await sleep(100);
    expect(guard.signal.aborted).toBe(false);
  });
});
