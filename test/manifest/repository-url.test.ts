import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parseRepositoryUrl } from '../../agent/manifest/repository-url.ts';

const HTTPS_ONLY = { allowHttp: false };
const LOOPBACK_HTTP = { allowHttp: true };

describe('parseRepositoryUrl() normalises', () => {
  it.each([
    ['https://github.com/acme/web', 'https://github.com/acme/web'],
    ['https://github.com/acme/web.git', 'https://github.com/acme/web'],
    ['https://github.com/acme/web/', 'https://github.com/acme/web'],
    ['https://github.com/acme/web.git/', 'https://github.com/acme/web'],
    ['HTTPS://GITHUB.COM:443/Acme/Web', 'https://github.com/Acme/Web'],
    ['https://ghe.acme.example:8443/a/b.js', 'https://ghe.acme.example:8443/a/b.js'],
    ['https://xn--bcher-kva.example/a/b', 'https://xn--bcher-kva.example/a/b'],
    ['https://10.0.0.7/a/.github', 'https://10.0.0.7/a/.github'],
    ['https://[2001:db8::1]:8443/a/b', 'https://[2001:db8::1]:8443/a/b'],
  ])('%s', (text, url) => {
    expect(parseRepositoryUrl(text, HTTPS_ONLY)).toMatchObject({ url });
  });

  it.each([
    ['http://127.0.0.1:8080/a/b', '127.0.0.1:8080'],
    ['http://127.9.9.9:80/a/b', '127.9.9.9'],
    ['http://[::1]:1/a/b', '[::1]:1'],
    ['http://localhost/a/b', 'localhost'],
    ['http://github.localhost:8080/a/b', 'github.localhost:8080'],
  ])('%s when plain http is allowed', (text, host) => {
    expect(parseRepositoryUrl(text, LOOPBACK_HTTP)).toMatchObject({ protocol: 'http', host });
    expect(parseRepositoryUrl(text, HTTPS_ONLY)).toHaveProperty('reasons');
  });
});

it.each([
  'https://user@github.com/a/b',
  'https://user:secret@github.com/a/b',
  'https://github.com@evil.example/a/b',
  'https://github.com\\@evil.example/a/b',
  'https:/github.com/a/b',
  'https:github.com/a/b',
  '//github.com/a/b',
  'github.com/a/b',
  'acme/web',
  'git@github.com:acme/web.git',
  'github.com:acme/web',
  'ssh://git@github.com/a/b',
  'git://github.com/a/b',
  'git+https://github.com/a/b',
  'file:///etc/passwd',
  '/srv/git/a.git',
  'ext::sh -c touch% /tmp/x',
  '-uhttps://github.com/a/b',
  '--upload-pack=x',
  'https://github.com/-a/b',
  'https://github.com/a/-b',
  ' https://github.com/a/b',
  'https://github.com/a/b\n',
  'https://github.com/a/b\r\nHost: x',
  'ht\ttps://github.com/a/b',
  'https://github.com/a/b\u0000',
  'https://github.com/a/b%00',
  'https://github.com/a%2fb/c',
  'https://github.com/%2e%2e/b',
  'https://github%2ecom/a/b',
  'https://github.com/a/..',
  'https://github.com/../b',
  'https://github.com/a/.',
  'https://github.com/a/..git',
  'https://github.com/a/b/../c',
  'https://github.com/a/.git',
  'https://github.com/a/b.git.git',
  'https://github.com/a/b?x=1',
  'https://github.com/a/b#x',
  'https://github.com/a/b/tree/main',
  'https://github.com/a',
  'https://github.com/',
  'https://github.com',
  'https://github.com//a/b',
  'https://github.com/a//b',
  'https://github.com/a/b//',
  'https:///a/b',
  'https://github.com:/a/b',
  'https://github.com:0/a/b',
  'https://github.com:65536/a/b',
  'https://github.com:0443/a/b',
  'https://github.com:443:443/a/b',
  'https://github.com:44x/a/b',
  'https://github.com./a/b',
  'https://.github.com/a/b',
  'https://git..hub/a/b',
  'https://git_hub.com/a/b',
  'https://-github.com/a/b',
  'https://127.1/a/b',
  'https://0x7f.0.0.1/a/b',
  'https://2130706433/a/b',
  'https://127.0.0.256/a/b',
  'https://[::1/a/b',
  'https://[::1%25eth0]/a/b',
  'https://[0:0:0:0:0:0:0:1]/a/b',
  'https://gıthub.com/a/b',
  'https://github。com/a/b',
  'https://github.com/a/ｂ',
  'https://github.com/a/\u202eb',
  `https://github.com/a/${'b'.repeat(101)}`,
  `https://github.com/a/${'b'.repeat(5000)}`,
  '',
])('parseRepositoryUrl() refuses %j', (text) => {
  for (const context of [HTTPS_ONLY, LOOPBACK_HTTP]) {
    expect(parseRepositoryUrl(text, context)).toHaveProperty('reasons');
  }
});

it('plain http beyond loopback is refused even when http is allowed', () => {
  for (const host of [
    'github.com',
    '128.0.0.1',
    'localhost.evil.example',
    '[::2]',
    '127.evil.example',
  ]) {
    expect(parseRepositoryUrl(`http://${host}/a/b`, LOOPBACK_HTTP)).toEqual({
      reasons: ['plain http is only for loopback hosts'],
    });
  }
});

it('a reason never quotes the URL', () => {
  const result = parseRepositoryUrl('ftp://canary:canary@canary/canary?canary#canary', HTTPS_ONLY);
  expect(JSON.stringify(result)).not.toContain('canary');
});

it('every accepted URL means the same to the WHATWG parser, and normalising twice changes nothing', () => {
  const part = fc.string({
    unit: fc.constantFrom(
      ...Array.from('ab1.-_/:@%\\?#[]~ \t\u0000éA'),
      '.git',
      '..',
      '127.0.0.1',
      'localhost',
    ),
    maxLength: 8,
  });
  const text = fc
    .tuple(fc.constantFrom('https://', 'http://', 'HTTPS://', ''), part, part, part)
    .map(([scheme, host, owner, name]) => `${scheme}${host}/${owner}/${name}`);
  const near = fc
    .tuple(fc.constantFrom('github.com', 'a.b:8443', '127.0.0.1'), part)
    .map(([host, name]) => `https://${host}/a/b${name}`);
  fc.assert(
    fc.property(fc.oneof(text, near), (input) => {
      const result = parseRepositoryUrl(input, LOOPBACK_HTTP);
      if ('reasons' in result) return;
      const seen = new URL(input);
      expect(seen.host).toBe(result.host);
      expect(seen.username + seen.password + seen.search + seen.hash).toBe('');
      expect(seen.pathname.replace(/\/$/, '').replace(/\.git$/, '')).toBe(
        `/${result.owner}/${result.name}`,
      );
      expect(new URL(result.url).href).toBe(result.url);
      expect(parseRepositoryUrl(result.url, LOOPBACK_HTTP)).toEqual(result);
    }),
    { numRuns: 3000 },
  );
});
