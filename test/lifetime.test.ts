import { expect, it } from 'vitest';
import { Slots, sleep } from '../agent/lifetime.ts';

it('Slots never lets more than its limit in, and serves in order', async () => {
  const slots = new Slots(2);
  const log: string[] = [];
  let inside = 0;
  let most = 0;
  await Promise.all(
    ['a', 'b', 'c', 'd', 'e'].map(async (name) => {
      using _slot = await slots.take();
      log.push(name);
      most = Math.max(most, ++inside);
      await sleep(1);
      inside--;
    }),
  );
  expect(log).toEqual(['a', 'b', 'c', 'd', 'e']);
  expect(most).toBe(2);
});

it('Slots forgets a waiter that was aborted, and its slot is not lost', async () => {
  const slots = new Slots(1);
  const first = await slots.take();
  const aborted = new AbortController();
  const second = slots.take(aborted.signal);
  const third = slots.take();
  aborted.abort(new Error('enough'));
  await expect(second).rejects.toThrow('enough');
  first[Symbol.dispose]();
  (await third)[Symbol.dispose]();
  (await slots.take())[Symbol.dispose]();
  await expect(slots.take(aborted.signal)).rejects.toThrow('enough');
});

it('sleep() ends at once with the reason of its signal', async () => {
  const ending = new AbortController();
  const long = sleep(60_000, ending.signal);
  ending.abort(new Error('told to'));
  await expect(long).rejects.toThrow('told to');
  await expect(sleep(60_000, ending.signal)).rejects.toThrow('told to');
});
