import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, it } from 'vitest';
import { findOwner } from '../agent/owner.ts';

const root = mkdtempSync(join(tmpdir(), 'owner-'));
const accounts = { passwd: join(root, 'passwd'), group: join(root, 'group') };
writeFileSync(
  accounts.passwd,
  'root:x:0:0:root:/root:/bin/sh\nagent:x:1000:1001:,,,:/home/agent:/bin/sh\n',
);
writeFileSync(accounts.group, 'root:x:0:\nagent:x:1001:\nstaff:x:50:agent\n');
afterAll(() => {
  rmSync(root, { recursive: true });
});

it.each([
  ['agent', { uid: 1000, gid: 1001 }],
  ['1000', { uid: 1000, gid: 1001 }],
  ['54321', { uid: 54_321, gid: 54_321 }],
  ['agent:staff', { uid: 1000, gid: 50 }],
  ['54321:54322', { uid: 54_321, gid: 54_322 }],
  ['root', null],
  ['0', null],
  ['root:staff', { uid: 0, gid: 50 }],
])('--owner %s, run by root, is %j', (text, owner) => {
  expect(findOwner(text, 0, accounts)).toEqual(owner);
});

it('works by numbers in an image without accounts', () => {
  const none = { passwd: join(root, 'none'), group: join(root, 'none') };
  expect(findOwner('5:6', 0, none)).toEqual({ uid: 5, gid: 6 });
});

it.each(['', ':', 'agent:', ':staff', 'a:b:c', 'nobody-here', 'agent:nobody-here', '4294967295'])(
  '--owner "%s" is a usage error',
  (text) => {
    expect(() => findOwner(text, 0, accounts)).toThrow(
      expect.objectContaining({ code: 'USAGE_INVALID' }) as Error,
    );
  },
);

it('a user may name itself, and only root another', () => {
  expect(findOwner('agent', 1000, accounts)).toBeNull();
  for (const text of ['root', '54321', 'agent:staff']) {
    expect(() => findOwner(text, 1000, accounts)).toThrow(
      expect.objectContaining({ code: 'OWNER_NOT_PERMITTED', exit: 77 }) as Error,
    );
  }
});
