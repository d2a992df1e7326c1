import { appendFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { copyFixture } from '../fixtures/cache.ts';
import { smallRepository } from '../fixtures/small-repository.ts';
import { startHost } from '../host/host.ts';
import type { Host } from '../host/host.ts';
import { PUSH, Session, resourceOf } from './session.ts';
import type { RunOutcome } from './session.ts';

const DOTCOM = 'github_pat_twoHostsDotcom_canary_0123456789';
const GHES = 'ghp_twoHostsEnterprise_canary0123456789';

let session: Session;
let host: Host;
/** github.com and an enterprise host, both over https with a CA of their own: acme/web on each. */
beforeEach(async () => {
  session = new Session();
  const fixture = await smallRepository();
  const bare = (name: string): Promise<string> =>
    copyFixture(fixture, join(session.directory('bare'), `${name}.git`));
  const dotcom = { token: DOTCOM, login: 'dora', permissions: 'write' } as const;
  const ghes = { token: GHES, login: 'gus', permissions: 'write' } as const;
  host = await startHost({
    secureNames: ['github.com', 'api.github.com', 'ghes.test', 'github.com.evil'],
    repositories: [
      { owner: 'acme', name: 'web', bareDir: await bare('web'), tokens: [dotcom] },
      { owner: 'corp', name: 'app', bareDir: await bare('app'), tokens: [ghes] },
    ],
  });
  await session.files.write([
    resourceOf({
      url: 'https://github.com/acme/web',
      mountPath: join(session.root, 'web'),
      token: DOTCOM,
    }),
    resourceOf({
      url: 'https://ghes.test/corp/app',
      mountPath: join(session.root, 'app'),
      token: GHES,
    }),
  ]);
  // The mounts' own tokens serve for the clone, as for a user who clones into the place.
  await succeeds('.', 'git', 'clone', '-q', 'https://github.com/acme/web', 'web');
  await succeeds('.', 'git', 'clone', '-q', 'https://ghes.test/corp/app', 'app');
  seen();
});
afterEach(async () => {
  const findings = await session.findTokens([DOTCOM, GHES]);
  await host[Symbol.asyncDispose]();
  session.remove();
  expect(findings).toEqual([]);
});

function inSession(directory: string, program: string, ...args: string[]): Promise<RunOutcome> {
  const cwd = join(session.root, directory);
  return session.run(program, args, { cwd, env: host.environment });
}

async function succeeds(directory: string, program: string, ...args: string[]): Promise<string> {
  const { code, stdout, stderr } = await inSession(directory, program, ...args);
  expect(code, `${program} ${args.join(' ')}: ${stderr}`).toBe(0);
  return stdout;
}

let taken = 0;
/** Since the last call: `HOST TOKEN` of every request, each once. */
function seen(): string[] {
  const labels = host.requests.slice(taken).map(({ host: name, token }) => `${name} ${token}`);
  taken = host.requests.length;
  return [...new Set(labels)].sort();
}

it.each([
  ['web', 'github.com', 'api.github.com', 'dora'],
  ['app', 'ghes.test', 'ghes.test', 'gus'],
])('in %s git pushes to %s and gh asks %s, as %s', async (mount, gitHost, apiHost, login) => {
  await succeeds(mount, 'git', 'switch', '-q', '-c', 'work');
  appendFileSync(join(session.root, mount, 'README.md'), 'more\n');
  await succeeds(mount, 'git', 'commit', '-q', '-a', '-m', 'Change');
  await succeeds(mount, 'git', ...PUSH);
  expect(seen()).toEqual([`${gitHost} ${login}`, `${gitHost} null`]);
  await succeeds(mount, 'gh', 'pr', 'create', '--fill');
  expect(await succeeds(mount, 'gh', 'pr', 'list')).toContain('Change');
  await succeeds(mount, 'gh', 'repo', 'view');
  expect(await succeeds(mount, 'gh', 'api', 'user', '--jq', '.login')).toBe(`${login}\n`);
  expect(seen()).toEqual([`${apiHost} ${login}`]);
  expect(host.pullRequests).toHaveLength(1);
  expect(host.unanswered).toEqual([]);
});

it('every way of naming the other host leads gh there, with its token', async () => {
  const named: [directory: string, args: string[]][] = [
    ['web', ['pr', 'list', '-R', 'ghes.test/corp/app']],
    ['web', ['pr', 'list', '--repo=https://ghes.test/corp/app']],
    ['web', ['repo', 'view', 'https://ghes.test/corp/app']],
    ['web', ['repo', 'clone', 'ghes.test/corp/app', '../other', '--', '-q']],
    ['web', ['api', 'user', '--hostname', 'ghes.test']],
    ['.', ['pr', 'list', '-R', 'corp/app']],
    ['app', ['api', 'graphql', '-f', 'query=query { viewer { login } }']],
  ];
  for (const [directory, args] of named) {
    await succeeds(directory, 'gh', ...args);
    const expected = args[1] === 'clone' ? ['ghes.test gus', 'ghes.test null'] : ['ghes.test gus'];
    expect(seen(), args.join(' ')).toEqual(expected);
  }
  await succeeds('app', 'gh', 'pr', 'list', '-R', 'github.com/acme/web');
  await succeeds('app', 'gh', 'api', 'user', '--hostname', 'github.com');
  await succeeds('.', 'gh', 'api', 'user');
  expect(seen()).toEqual(['api.github.com dora']);
});

it('a host whose name begins like one of the session’s sees no token, from git nor from gh', async () => {
  for (const mount of ['web', 'app', '.']) {
    await inSession(mount, 'git', 'ls-remote', 'https://github.com.evil/acme/web');
    await inSession(mount, 'gh', 'api', 'user', '--hostname', 'github.com.evil');
    await inSession(mount, 'gh', 'pr', 'list', '-R', 'github.com.evil/acme/web');
    await inSession(mount, 'gh', 'repo', 'clone', 'https://github.com.evil/acme/web', 'x');
  }
  expect(seen()).toEqual(['github.com.evil null']);
});

it('a certificate that nobody vouches for ends every program before a token is sent', async () => {
  const env = { ...host.environment, SSL_CERT_FILE: '/dev/null', GIT_SSL_CAINFO: '/dev/null' };
  for (const [program, ...args] of [
    ['git', 'fetch'],
    ['gh', 'api', 'user'],
  ] as const) {
    const cwd = join(session.root, 'app');
    const { code, stderr } = await session.run(program, args, { cwd, env });
    expect(code, stderr).not.toBe(0);
    expect(stderr).toMatch(/certificate/i);
  }
  expect(seen()).toEqual([]);
});
