import { expect, it } from 'vitest';
import { messagesInSources } from './setup/log-document.ts';
import { LOG_SECTIONS } from './setup/log-messages.ts';

const explained = Object.values(LOG_SECTIONS).flat();

it('every message that agent/ logs is explained in test/setup/log-messages.ts, and no other', () => {
  const messages = explained.map(({ message }) => message);
  expect(messages.toSorted()).toEqual([...messagesInSources().keys()].sort());
});

it('what a message means is said in whole sentences', () => {
  for (const { meaning } of explained) expect(meaning).toMatch(/^[A-Z].*\.$/);
});
