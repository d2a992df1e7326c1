import { posix } from 'node:path';
import * as fc from 'fast-check';
import { expect, it } from 'vitest';
import { findMountClashes, parseMountPath } from '../../agent/manifest/mount-path.ts';
import { CONTEXT, entry, faultsOf, textOf } from './manifest-fixture.ts';

it.each([
  ['/app/web', '/app/web'],
  ['/app//web/./', '/app/web'],
  ['/data', '/data'],
  ['/home/agent/web', '/home/agent/web'],
  ['/usrlocal', '/usrlocal'],
  ['/srv/mount-agents', '/srv/mount-agents'],
  ['/app/naïve – プロジェクト', '/app/naïve – プロジェクト'],
])('parseMountPath() accepts %s', (text, path) => {
  expect(parseMountPath(text, CONTEXT)).toEqual({ path });
});

it.each([
  '',
  'web',
  './web',
  '../web',
  '~/web',
  '~',
  '$HOME/web',
  'C:\\web',
  '/',
  '//',
  '/.',
  '/app/../etc',
  '/app/..',
  '/app/~',
  '/app/~root/web',
  '/app/a\u0000b',
  '/app/a\nb',
  '/app/\u001b[31m',
  '/app/\u007f',
  '/app/\u0085',
  '/app/\u202ebew',
  '/app/we\u200bb',
  '/app/\ud800',
  '/app/.git/x',
  '/app/.GIT',
  '/app/.mount-agent-0123',
  '/etc',
  '/etc/x',
  '/ETC/x',
  '//etc//x',
  '/proc/1',
  '/sys',
  '/dev/shm/x',
  '/run/x',
  '/usr/local/src/web',
  '/bin/web',
  '/sbin',
  '/lib/web',
  '/lib64/web',
  '/boot/web',
  '/srv/mount-agent',
  '/srv/mount-agent/x',
  '/srv',
  '/home/agent',
  '/home',
  `/app/${'x'.repeat(256)}`,
  `/app${'/x'.repeat(600)}`,
])('parseMountPath() refuses %j', (text) => {
  expect(parseMountPath(text, CONTEXT)).toHaveProperty('reasons');
});

it('an accepted path never resolves to or above a forbidden place, and is its own normal form', () => {
  const forbidden = '/ /etc /proc /sys /dev /run /usr /bin /lib /boot /srv/mount-agent'.split(' ');
  const part = fc.constantFrom(
    ...[
      '',
      '.',
      '..',
      '/',
      'app',
      'etc',
      'srv',
      'mount-agent',
      'home',
      'agent',
      'usr',
      'ETC',
      '~',
      '\n',
    ],
  );
  const text = fc.array(part, { maxLength: 8 }).map((parts) => `/${parts.join('/')}`);
  fc.assert(
    fc.property(text, (input) => {
      const result = parseMountPath(input, CONTEXT);
      if ('reasons' in result) return;
      expect(posix.resolve(input)).toBe(result.path);
      expect(forbidden).not.toContain(result.path);
      for (const place of forbidden.slice(1)) {
        expect(result.path.startsWith(`${place}/`)).toBe(false);
        expect(place.startsWith(`${result.path}/`)).toBe(false);
      }
      expect(`${CONTEXT.home}/`.startsWith(`${result.path}/`)).toBe(false);
    }),
    { numRuns: 3000 },
  );
});

it('an empty HOME forbids nothing', () => {
  const path = process.cwd();
  expect(parseMountPath(path, { ...CONTEXT, home: '' })).toEqual({ path });
});

function clashesOf(...paths: string[]): string[] {
  const mounts = paths.map((path, index) => ({ pointer: `/resources/${index}/mount_path`, path }));
  return findMountClashes(mounts).map(({ pointer }) => pointer);
}

it('findMountClashes() finds equal and nested mounts in either order, in any case and Unicode form', () => {
  const second = ['/resources/1/mount_path'];
  expect(clashesOf('/app/a', '/app/a')).toEqual(second);
  expect(clashesOf('/app/a', '/app/a/b/c')).toEqual(second);
  expect(clashesOf('/app/a/b/c', '/app/a')).toEqual(second);
  expect(clashesOf('/app/Web', '/app/wEB/x')).toEqual(second);
  expect(clashesOf('/app/caf\u00e9', '/app/cafe\u0301')).toEqual(second);
  expect(clashesOf('/app/straße', '/app/STRASSE')).toEqual(second);
  expect(clashesOf('/app/a', '/app/a', '/app/a')).toHaveLength(2);
  expect(clashesOf('/app/a', '/app/ab', '/app/b/a', '/a/app/a')).toEqual([]);
});

it('two resources with one default path are told to choose a mount_path', () => {
  const text = textOf(
    entry(),
    entry({ url: 'https://github.com/other/web', authorization_token: '' }),
  );
  expect(faultsOf(text)).toEqual([
    { pointer: '/resources/1/authorization_token', message: 'must not be empty' },
    {
      pointer: '/resources/1/mount_path',
      message:
        '/app/web is the same place as /app/web of /resources/0/mount_path; choose another mount_path',
    },
  ]);
});

it('a default path under a forbidden mount root is a fault', () => {
  expect(faultsOf(textOf(entry()), { ...CONTEXT, mountRoot: '/etc' })).toEqual([
    {
      pointer: '/resources/0/mount_path',
      message: 'absent, and the default under the mount root must not lie in /etc',
    },
  ]);
});
