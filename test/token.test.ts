import { inspect } from 'node:util';
import { expect, it } from 'vitest';
import { Redactor, createLog } from '../agent/log.ts';
import { Token, tokenForms } from '../agent/token.ts';

const SECRET = 'github_pat_11ABCDE0_canary+/?&=value';

it('Token never shows its value by conversion, JSON or inspection', () => {
  const token = new Token(SECRET);
  for (const shown of [
    String(token),
    JSON.stringify({ token }),
    inspect({ token }, { depth: 9 }),
  ]) {
    expect(shown).not.toContain('canary');
    expect(shown).toContain('[token]');
  }
  expect(token.reveal()).toBe(SECRET);
});

it('tokenForms() finds the token inside base64 whatever stands before and after it', () => {
  const forms = tokenForms(new Token(SECRET));
  for (const lead of ['', 'x', 'xy', 'xyz', 'x-access-token:', 'user:']) {
    for (const tail of ['', 'a', 'ab', 'abc']) {
      for (const encoding of ['base64', 'base64url'] as const) {
        const text = Buffer.from(lead + SECRET + tail).toString(encoding);
        expect(forms.some((form) => text.includes(form))).toBe(true);
      }
    }
  }
});

it('a log line never carries a token, whichever field or encoding it came in', () => {
  const lines: string[] = [];
  const redactor = new Redactor();
  redactor.add(new Token(SECRET));
  const log = createLog(
    { level: 'trace', destination: { write: (line: string) => lines.push(line) } },
    redactor,
  );
  log.info({ url: `https://x-access-token:${SECRET}@github.com/a/b` }, `cloning with ${SECRET}`);
  log.error({ err: new Error(`401 for ${encodeURIComponent(SECRET)}`) }, 'failed');
  log.warn({ header: `basic ${Buffer.from(`x-access-token:${SECRET}`).toString('base64')}` }, 'x');
  expect(lines).toHaveLength(3);
  const text = lines.join('');
  for (const form of tokenForms(new Token(SECRET))) expect(text).not.toContain(form);
  expect(text).toContain('[redacted]');
  for (const line of lines) expect(() => JSON.parse(line) as unknown).not.toThrow();
});
