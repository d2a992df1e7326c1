import { afterEach, beforeEach, expect, it } from 'vitest';
import { AgentError } from '../../agent/errors.ts';
import { sleep } from '../../agent/lifetime.ts';
import { Redactor, createLog } from '../../agent/log.ts';
import { WarningOutbox } from '../../agent/work/warning-outbox.ts';
import type { Delivery } from '../../agent/work/warning-outbox.ts';
import type { WarningEvent } from '../../agent/work/warning-event.ts';

interface Attempt {
  readonly id: string;
  readonly delivery: Delivery;
  readonly end: (error?: Error) => void;
}

let attempts: Attempt[] = [];
let results: string[] = [];
let lines: string[] = [];
let outbox: WarningOutbox;

beforeEach(() => {
  attempts = [];
  results = [];
  lines = [];
  outbox = new WarningOutbox({
    channel: 'test',
    pauseMs: 1,
    log: createLog(
      { level: 'info', destination: { write: (line) => void lines.push(line) } },
      new Redactor(),
    ),
    onResult: (_channel, result) => results.push(result),
    deliver: ({ id }, delivery) =>
      new Promise((resolve, reject) => {
        const end = (error?: Error): void => {
          if (error === undefined) resolve(true);
          else reject(error);
        };
        attempts.push({ id, delivery, end });
      }),
  });
});
afterEach(async () => {
  for (const { end } of attempts) end();
  await outbox[Symbol.asyncDispose]();
});

function send(id: string): void {
  outbox.send({ id } as WarningEvent);
}

async function attempt(number: number): Promise<Attempt> {
  await expect.poll(() => attempts.length, { timeout: 10_000 }).toBeGreaterThanOrEqual(number);
  return attempts[number - 1]!;
}

it('one event is delivered at a time, and only the newest waits', async () => {
  for (const id of ['a', 'b', 'c']) send(id);
  const first = await attempt(1);
  expect(first.delivery.superseded.aborted).toBe(true);
  first.end();
  const second = await attempt(2);
  expect(second.delivery.superseded.aborted).toBe(false);
  second.end();
  await expect.poll(() => results.length).toBe(3);
  expect(attempts.map(({ id }) => id)).toEqual(['a', 'c']);
  expect(results).toEqual(['superseded', 'delivered', 'delivered']);
  // Idle again: the next one starts at once.
  send('d');
  expect((await attempt(3)).id).toBe('d');
});

it('a failure is counted and logged with what to do, and the next event is tried', async () => {
  send('a');
  (await attempt(1)).end(new AgentError('WARNING_UNDELIVERED', 'it said no'));
  await expect.poll(() => results).toEqual(['failed']);
  expect(lines.join('')).toMatch(/"level":"error".*"channel":"test".*"id":"a".*it said no/);
  send('b');
  (await attempt(2)).end();
  await expect.poll(() => results).toEqual(['failed', 'delivered']);
});

it('a wait for the next attempt ends when something newer waits', async () => {
  send('a');
  const { delivery, end } = await attempt(1);
  sleep(600_000, delivery.superseded).catch(end);
  send('b');
  (await attempt(2)).end();
  await expect.poll(() => results).toEqual(['superseded', 'delivered']);
  expect(lines).toEqual([]);
});

it('the end of the session ends what is under way, and what waits', async () => {
  send('a');
  send('b');
  const { delivery, end } = await attempt(1);
  sleep(600_000, delivery.signal).catch(end);
  await outbox[Symbol.asyncDispose]();
  expect(results).toEqual(['failed', 'failed']);
  send('c');
  expect(attempts).toHaveLength(1);
});
