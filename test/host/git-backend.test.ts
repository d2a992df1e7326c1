import { buffer } from 'node:stream/consumers';
import { Readable } from 'node:stream';
import { setTimeout as delay } from 'node:timers/promises';
import { expect, it } from 'vitest';
import { smallRepository } from '../fixtures/small-repository.ts';
import { GitBackend } from './git-backend.ts';

it('an answer waits whole for its reader, even when git has ended long before', async () => {
  const { bareDir, headOid } = await smallRepository();
  await using backend = await GitBackend.open();
  const reply = await backend.answer({
    bareDir,
    method: 'GET',
    path: '/info/refs',
    search: '?service=git-upload-pack',
    headers: {},
    body: Readable.from([]),
    login: null,
  });
  // The delay is the case under test: the process must be gone before anybody reads.
  await delay(500);
  const body = await buffer(reply.body as Readable);
  expect(body.toString()).toContain(`${headOid} HEAD`);
  expect(body.toString()).toMatch(/0000$/);
});
