import { randomBytes } from 'node:crypto';
import { appendFileSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { mountKey } from '../../agent/mount-key.ts';
import type { Resource } from '../../agent/resource.ts';
import { searchForTokens } from '../canary.ts';
import { copyFixture, git } from '../fixtures/cache.ts';
import { smallRepository } from '../fixtures/small-repository.ts';
import { gitWith } from '../host/host-fixture.ts';
import { startHost } from '../host/host.ts';
import type { Host } from '../host/host.ts';
import { PUSH, Session, resourceOf } from './session.ts';
import type { RunOutcome } from './session.ts';

// Of this file alone: the search at its end looks at every process.
const WEB = 'github_pat_endToEndWeb_canary_0123456789';
const API = 'ghp_endToEndApicanary0123456789';
const READER = 'github_pat_endToEndReader_canary_0123456789';
const NEW_WEB = 'github_pat_endToEndRotated_canary_0123456789';

let session: Session;
let host: Host;
beforeEach(async () => {
  session = new Session();
  host = await hostWithThree();
  await session.files.write(resources(WEB));
  for (const [name, token] of [['web', WEB] as const, ['api', API] as const]) {
    const target = join(session.root, name);
    await gitWith(host, token, ['clone', '-q', host.url('acme', name), target], session.root);
  }
  seen();
});
afterEach(async () => {
  const findings = await session.findTokens([WEB, API, READER, NEW_WEB]);
  await host[Symbol.asyncDispose]();
  session.remove();
  expect(findings).toEqual([]);
});

/** acme/web for walter (and later wanda), acme/api for ada, and acme/lib for walter alone. */
async function hostWithThree(): Promise<Host> {
  const fixture = await smallRepository();
  const bare = (name: string): Promise<string> =>
    copyFixture(fixture, join(session.directory('bare'), `${name}.git`));
  const walter = { token: WEB, login: 'walter', permissions: 'write' } as const;
  const wanda = { token: NEW_WEB, login: 'wanda', permissions: 'write' } as const;
  const rita = { token: READER, login: 'rita', permissions: 'read' } as const;
  const ada = { token: API, login: 'ada', permissions: 'write' } as const;
  return startHost({
    repositories: [
      { owner: 'acme', name: 'web', bareDir: await bare('web'), tokens: [walter, wanda, rita] },
      { owner: 'acme', name: 'api', bareDir: await bare('api'), tokens: [ada] },
      { owner: 'acme', name: 'lib', bareDir: await bare('lib'), tokens: [walter] },
    ],
  });
}

function resources(web: string): Resource[] {
  return [
    resourceOf({ url: host.url('acme', 'web'), mountPath: join(session.root, 'web'), token: web }),
    resourceOf({ url: host.url('acme', 'api'), mountPath: join(session.root, 'api'), token: API }),
  ];
}

/** In a mount, or elsewhere in the session's directory, as its command would run it. */
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
/** Since the last call: whose tokens the host saw, null for git's first question without one. */
function seen(): (string | null)[] {
  const labels = host.requests.slice(taken).map(({ token }) => token);
  taken = host.requests.length;
  return [...new Set(labels)];
}

async function commitOn(branch: string, directory: string): Promise<void> {
  await succeeds(directory, 'git', 'switch', '-q', '-c', branch);
  appendFileSync(join(session.root, directory, 'README.md'), 'more\n');
  await succeeds(directory, 'git', 'commit', '-q', '-a', '-m', `Change ${branch}`);
}

it('in each mount git fetches and pushes, and gh makes and lists pull requests, with its token', async () => {
  for (const [mount, login] of [['web', 'walter'] as const, ['api', 'ada'] as const]) {
    await succeeds(mount, 'git', 'fetch', '-q');
    expect(seen()).toEqual([null, login]);
    await commitOn(`work-${mount}`, mount);
    await succeeds(mount, 'git', ...PUSH);
    expect(seen()).toEqual([null, login]);
    expect(await succeeds(mount, 'gh', 'api', 'user', '--jq', '.login')).toBe(`${login}\n`);
    await succeeds(mount, 'gh', 'pr', 'create', '--fill');
    expect(await succeeds(mount, 'gh', 'pr', 'list')).toContain(`Change work-${mount}`);
    expect(seen()).toEqual([login]);
  }
  expect(host.pullRequests).toHaveLength(2);
  expect(host.unanswered).toEqual([]);
});

it('-R and a URL lead gh to the other mount, with its token', async () => {
  await commitOn('work', 'api');
  await succeeds('api', 'git', ...PUSH);
  seen();
  await succeeds('web', 'gh', 'pr', 'create', '-R', 'acme/api', '-H', 'work', '-t', 'T', '-b', 'B');
  expect(await succeeds('web', 'gh', 'pr', 'list', '--repo', 'acme/api')).toContain('T\twork');
  await succeeds('web', 'gh', 'repo', 'view', host.url('acme', 'api'));
  expect(seen()).toEqual(['ada']);
});

it('an upstream that was added does not draw pull requests away from the mount’s repository', async () => {
  await succeeds('web', 'git', 'remote', 'add', 'upstream', host.url('acme', 'lib'));
  await succeeds('web', 'git', 'fetch', '-q', 'upstream');
  await commitOn('forked', 'web');
  await succeeds('web', 'git', ...PUSH);
  seen();
  await succeeds('web', 'gh', 'pr', 'create', '--fill');
  expect(await succeeds('web', 'gh', 'pr', 'list')).toContain('Change forked');
  expect(seen()).toEqual(['walter']);
  const name = async (): Promise<string> =>
    succeeds('web', 'gh', 'repo', 'view', '--json', 'name', '--jq', '.name');
  expect(await name()).toBe('web\n');
  // Who chooses for himself is followed, and the repository was left as it was.
  const { stdout } = await inSession('web', 'git', 'config', '--local', '--list');
  expect(stdout).not.toContain('gh-resolved');
  await succeeds('web', 'gh', 'repo', 'set-default', 'acme/lib');
  expect(await name()).toBe('lib\n');
  expect(host.pullRequests.map(({ url }) => url)).toEqual([
    expect.stringContaining('/acme/web/pull/') as string,
  ]);
});

it('a private submodule is cloned, fetched and pushed with the token of the mount around it', async () => {
  const web = join(session.root, 'web');
  await git(['switch', '-q', '-c', 'with-submodule'], web);
  await git(
    ['update-index', '--add', '--cacheinfo', `160000,${(await smallRepository()).headOid},sub`],
    web,
  );
  await git(['config', '-f', '.gitmodules', 'submodule.sub.path', 'sub'], web);
  await git(['config', '-f', '.gitmodules', 'submodule.sub.url', '../lib'], web);
  await succeeds('web', 'git', 'submodule', '--quiet', 'update', '--init', '--recursive');
  expect(seen()).toEqual([null, 'walter']);
  await commitOn('in-submodule', 'web/sub');
  await succeeds('web/sub', 'git', ...PUSH);
  expect(seen()).toEqual([null, 'walter']);
  await succeeds('web/sub', 'gh', 'pr', 'create', '--fill');
  expect(seen()).toEqual(['walter']);
});

it('git-lfs uploads and downloads with the token of its mount, and the storage sees none', async () => {
  const attributes = join(session.root, 'api', '.gitattributes');
  const large = join(session.root, 'api', 'large.bin');
  await succeeds('api', 'git', 'lfs', 'install', '--local');
  await succeeds('api', 'git', 'switch', '-q', '-c', 'large');
  appendFileSync(attributes, '*.bin filter=lfs diff=lfs merge=lfs -text\n');
  const content = randomBytes(100_000);
  writeFileSync(large, content);
  await succeeds('api', 'git', 'add', '.');
  await succeeds('api', 'git', 'commit', '-q', '-m', 'Add a large file');
  await succeeds('api', 'git', ...PUSH);
  const lfs = (): string[] =>
    host.requests
      .slice(taken)
      .filter(({ service }) => service === 'git-lfs' || service === 'lfs-storage')
      .map(({ service, method, token }) => `${service} ${method} ${token}`);
  expect(lfs()).toContain('git-lfs POST ada');
  expect(lfs()).toContain('lfs-storage PUT null');
  expect(seen()).toEqual([null, 'ada']);
  rmSync(join(session.root, 'api', '.git/lfs'), { recursive: true });
  rmSync(large);
  await succeeds('api', 'git', 'lfs', 'pull');
  expect(readFileSync(large).equals(content)).toBe(true);
  expect(lfs()).toContain('git-lfs POST ada');
  expect(lfs()).toContain('lfs-storage GET null');
  expect(seen()).toEqual(['ada', null]);
});

it('a linked worktree elsewhere pushes and asks with the token of its mount', async () => {
  await succeeds('api', 'git', 'worktree', 'add', '-q', '-b', 'linked', '../elsewhere');
  await succeeds('elsewhere', 'git', 'commit', '-q', '--allow-empty', '-m', 'Linked');
  await succeeds('elsewhere', 'git', ...PUSH);
  expect(seen()).toEqual([null, 'ada']);
  await succeeds('elsewhere', 'gh', 'pr', 'create', '--fill');
  expect(seen()).toEqual(['ada']);
});

it('outside any mount several tokens are none for git, and one token serves', async () => {
  const url = host.url('acme', 'web');
  const refused = await inSession('.', 'git', 'ls-remote', url);
  expect(refused.code).toBe(128);
  expect(refused.stderr).toContain('terminal prompts disabled');
  expect(seen()).toEqual([null]);
  await session.files.rotate(resources(API));
  await inSession('.', 'git', 'ls-remote', host.url('acme', 'api'));
  expect(seen()).toEqual([null, 'ada']);
});

it('cloning into the place of a mount takes its token', async () => {
  await session.run('rm', ['-rf', 'web']);
  await succeeds('.', 'git', 'clone', '-q', host.url('acme', 'web'), 'web');
  expect(seen()).toEqual([null, 'walter']);
});

it('after a rotation a shell that was started before pushes and asks with the new token', async () => {
  await commitOn('rotated', 'web');
  const shell = spawn('sh', ['-e'], {
    cwd: join(session.root, 'web'),
    env: session.environment(host.environment),
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  shell.stdout.setEncoding('utf8');
  shell.stdin.write('gh api user --jq .login\n');
  expect(await once(shell.stdout, 'data')).toEqual(['walter\n']);
  await session.files.rotate(resources(NEW_WEB));
  host.revokeToken(WEB);
  seen();
  const push = `git ${PUSH.join(' ')}; gh pr create --fill >/dev/null`;
  shell.stdin.end(`gh api user --jq .login; ${push}; exit 0\n`);
  expect(await once(shell.stdout, 'data')).toEqual(['wanda\n']);
  expect(await once(shell, 'close')).toEqual([0, null]);
  expect(seen()).toEqual(['wanda', null]);
  expect(host.pullRequests).toHaveLength(1);
});

it('a refused token is asked for again at the next command, because nothing erases it', async () => {
  host.revokeToken(WEB);
  const { code, stderr } = await inSession('web', 'git', 'fetch');
  expect(code).toBe(128);
  expect(stderr).not.toContain('canary');
  await inSession('web', 'git', 'fetch');
  expect(seen()).toEqual([null, 'walter']);
  await session.files.rotate(resources(NEW_WEB));
  await succeeds('web', 'git', 'fetch', '-q');
  expect(seen()).toEqual([null, 'wanda']);
});

it('a token that can only read fetches and lists, and what refuses the push is the host, in its words', async () => {
  await session.files.rotate(resources(READER));
  await commitOn('read-only', 'web');
  await succeeds('web', 'git', 'fetch', '-q');
  await succeeds('web', 'gh', 'pr', 'list');
  const push = await inSession('web', 'git', ...PUSH);
  expect(push.code).toBe(128);
  expect(push.stderr).toContain('Write access to repository not granted');
  expect((await inSession('web', 'gh', 'pr', 'create', '--fill', '-H', 'x')).code).not.toBe(0);
  expect(seen()).toEqual([null, 'rita']);
});

it('a token that is not authorised for the organisation is sent, and the way out is shown', async () => {
  const url = 'http://github.localhost/orgs/acme/sso?authorization_request=A1';
  const sso = host.fault({ token: 'walter' }, { type: 'sso-required', url });
  const fetched = await inSession('web', 'git', 'fetch');
  expect(fetched.code).toBe(128);
  expect(fetched.stderr).toContain(url);
  const asked = await inSession('web', 'gh', 'api', 'repos/acme/web');
  expect(asked.code).not.toBe(0);
  expect(asked.stderr).toContain('SAML');
  expect(seen()).toEqual([null, 'walter']);
  sso.remove();
  await succeeds('web', 'git', 'fetch', '-q');
});

it.each([
  ...['http://github.localhost.evil', 'http://github.localhost:8081', 'http://evil.example'],
  ...['http://api.github.localhost', 'http://github.localhost@evil.example'],
])('a redirect to %s takes no token there', async (origin) => {
  host.fault({ path: '/acme/web' }, { type: 'redirect', location: `${origin}{path}` });
  expect((await inSession('web', 'git', 'fetch')).code).not.toBe(0);
  expect((await inSession('web', 'git', 'push', 'origin', 'HEAD:refs/heads/x')).code).not.toBe(0);
  const asked = host.requests.slice(taken);
  const there = asked.filter((request) => request.host === new URL(origin).host);
  expect(there.length).toBeGreaterThan(0);
  expect(there.filter(({ token }) => token !== null)).toEqual([]);
});

it('no token stands anywhere but in its own files and in GH_TOKEN, in no encoding', async () => {
  await commitOn('work', 'web');
  await succeeds('web', 'git', ...PUSH);
  await succeeds('web', 'gh', 'pr', 'create', '--fill');
  await succeeds('api', 'git', 'fetch', '-q');
  await session.files.rotate(resources(NEW_WEB));
  await succeeds('web', 'git', 'fetch', '-q');
  // Two that hang with the token in hand, to be looked at.
  const stalls = [
    host.fault({ service: 'git-upload-pack', token: 'ada' }, { type: 'stall', afterBytes: 1 }),
    host.fault({ service: 'rest', token: 'ada' }, { type: 'stall', afterBytes: 1 }),
  ];
  const cwd = join(session.root, 'api');
  const trace = { GIT_TRACE: '1', GIT_TRACE_SETUP: '1', GIT_TRACE_CURL: '1', GH_DEBUG: '1' };
  const env = session.environment({ ...host.environment, ...trace });
  const children = [
    spawn('git', ['fetch'], { cwd, env }),
    spawn('gh', ['api', 'user'], { cwd, env }),
  ];
  let output = '';
  for (const { stdout, stderr } of children) {
    for (const stream of [stdout, stderr]) stream.on('data', (text) => (output += String(text)));
  }
  await expect.poll(() => stalls.map(({ hits }) => hits)).toEqual([1, 1]);
  const credentials = (path: string): string =>
    join(session.runDirectory, 'credentials', mountKey(join(session.root, path)));
  const findings = await searchForTokens([WEB, API, NEW_WEB], {
    directories: [session.root],
    processes: 'all',
    texts: { output },
    allowVariables: ['GH_TOKEN'],
    allow: [join(session.runDirectory, 'env'), credentials('web'), credentials('api')],
  });
  expect(output).toContain('credential-helper.sh');
  expect(findings).toEqual([]);
  for (const child of children) {
    child.kill();
    await once(child, 'exit');
  }
});
