import { expect, it } from 'vitest';
import { Turns } from '../../agent/pack/turns.ts';

async function isSettled(promise: Promise<unknown>): Promise<boolean> {
  let settled = false;
  void promise.then(() => (settled = true));
  await new Promise((resolve) => setImmediate(resolve));
  return settled;
}

it('who has the turn keeps it, and the next one has it when it is given up', async () => {
  const turns = new Turns();
  const [first, second] = [turns.join(), turns.join()];
  await first.take();
  const waiting = second.take();
  await first.take();
  expect(await isSettled(waiting)).toBe(false);
  first.release();
  await waiting;
});

it('what is left of work that is over never has the turn again', async () => {
  const turns = new Turns();
  const [over, next] = [turns.join(), turns.join()];
  over[Symbol.dispose]();
  await over.take();
  await next.take();
});

it('who joined first goes first, in the middle of the work of another', async () => {
  const turns = new Turns();
  const [first, second, third] = [turns.join(), turns.join(), turns.join()];
  await second.take();
  const [thirdWaits, firstWaits] = [third.take(), first.take()];
  const secondWaits = second.take();
  await firstWaits;
  expect(await isSettled(Promise.race([secondWaits, thirdWaits]))).toBe(false);
  first[Symbol.dispose]();
  await secondWaits;
  expect(await isSettled(thirdWaits)).toBe(false);
  second[Symbol.dispose]();
  await thirdWaits;
});

it('who has waited too long goes first for once', async () => {
  let nowMs = 0;
  const turns = new Turns(() => nowMs);
  const [first, second] = [turns.join(), turns.join()];
  await first.take();
  const waiting = second.take();
  nowMs = 4_000;
  await first.take();
  nowMs = 6_000;
  const firstAgain = first.take();
  await waiting;
  const secondAgain = second.take();
  await firstAgain;
  expect(await isSettled(secondAgain)).toBe(false);
});

it('an abort ends the wait with its reason, and does not hold up the others', async () => {
  const turns = new Turns();
  const abort = new AbortController();
  const [first, second, third] = [turns.join(), turns.join(abort.signal), turns.join()];
  await first.take();
  const [aborted, waiting] = [second.take(), third.take()];
  abort.abort(new Error('enough'));
  await expect(aborted).rejects.toThrow('enough');
  await expect(second.take()).rejects.toThrow('enough');
  first.release();
  await waiting;
});
