import { copyFileSync, chmodSync, readFileSync, symlinkSync } from 'node:fs';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { LAUNCHER_DIRECTORY } from '../../agent/credentials/environment.ts';
import { RecordingProxy } from './recording-proxy.ts';
import { Session, cleanEnvironment, resourceOf, run } from './session.ts';
import type { RunOutcome } from './session.ts';

const WEB = 'github_pat_canary1Web';
const API = 'github_pat_canary2Api';
const LIB = 'github_pat_canary3Lib';
const NEW_WEB = 'github_pat_canary4WebRotated';
const GHE = 'ghp_canary5Enterprise';
const TENANT = 'ghp_canary6Tenant';

let session: Session;
let proxy: RecordingProxy;
beforeAll(async () => {
  proxy = await RecordingProxy.start();
});
afterAll(async () => {
  await proxy[Symbol.asyncDispose]();
});
/** One session for a group of tests that leave it as it is. */
function sharedSession(...list: readonly Mounted[]): void {
  beforeAll(() => mounted(...list));
  afterAll(() => {
    session.remove();
  });
}

/** A session for one test. */
async function ownSession(...list: readonly Mounted[]): Promise<void> {
  await mounted(...list);
  onTestFinished(() => {
    session.remove();
  });
}

interface Mounted {
  readonly name: string;
  readonly url: string;
  readonly token: string;
}

const mounts = (list: readonly Mounted[]): ReturnType<typeof resourceOf>[] =>
  list.map(({ name, url, token }) =>
    resourceOf({ url, token, mountPath: join(session.root, name) }),
  );

async function mounted(...list: readonly Mounted[]): Promise<void> {
  session = new Session();
  await session.files.write(mounts(list));
  for (const { name, url } of list) await clone(url, name);
}

/** A repository with `url` as its origin, as a clone has it. */
async function clone(url: string, ...names: readonly string[]): Promise<string> {
  const path = await session.repository(...names);
  await run('git', ['-C', path, 'remote', 'add', 'origin', `${url}.git`], {
    env: cleanEnvironment(session.home),
  });
  return path;
}

const web = { name: 'web', url: 'http://github.localhost/acme/web', token: WEB };
const lib = { name: 'lib', url: 'http://github.localhost/acme/lib', token: LIB };
const api = { name: 'api', url: 'http://github.localhost/Acme/API', token: API };

function gh(
  directory: string,
  args: readonly string[],
  env: Readonly<Record<string, string | undefined>> = {},
): Promise<RunOutcome> {
  const cwd = join(session.root, directory);
  return session.run('gh', args, { cwd, env: { ...proxy.environment, ...env } });
}

/** The tokens that reached the host for one gh command. */
async function tokensOf(...call: Parameters<typeof gh>): Promise<(string | null)[]> {
  proxy.takeTokens();
  await gh(...call);
  return proxy.takeTokens();
}

describe('several tokens on one host: gh uses that of', () => {
  sharedSession(web, api, lib);

  it('the mount that it is run in', async () => {
    session.directory('api', 'src', 'deep');
    expect(await tokensOf('web', ['api', 'user'])).toEqual([WEB]);
    expect(await tokensOf('api/src/deep', ['pr', 'list'])).toEqual([API]);
    expect(await tokensOf('api', ['auth', 'status'])).toContain(API);
  });

  it.each([
    [['pr', 'list', '-R', 'acme/api']],
    [['pr', 'list', '-Racme/api']],
    [['pr', 'list', '-R=acme/api']],
    [['pr', 'list', '--repo', 'acme/api']],
    [['pr', 'list', '--repo=acme/api']],
    [['pr', '--repo=acme/api', 'list']],
    [['pr', 'list', '--web=false', '-R', 'ACME/Api']],
    [['pr', 'list', '-L', '3', '-R', 'github.localhost/acme/api']],
    [['issue', 'list', '-R', 'http://github.localhost/acme/api']],
    [['issue', 'list', '-R', 'http://github.localhost/acme/api.git']],
    [['issue', 'list', '-R', 'git@github.localhost:acme/api.git']],
    [['issue', 'list', '-R', 'ssh://git@github.localhost/acme/api']],
    [['pr', 'create', '--title', 'acme/web', '--body', '-R', '-R', 'acme/api', '-H', 'x']],
    [['repo', 'view', 'acme/api']],
    [['repo', 'view', '-b', 'main', 'acme/api']],
    [['repo', 'view', 'http://github.localhost/acme/api']],
    [['repo', 'clone', 'acme/api', 'somewhere', '--', '--depth=1']],
    [['pr', 'view', 'http://github.localhost/acme/api/pull/7']],
    [['issue', 'view', '--comments', 'http://github.localhost/acme/api/issues/7']],
    [['api', 'repos/acme/api/pulls?state=open']],
    [['api', '-X', 'POST', '-f', 'a=repos/acme/web', '/repos/acme/api/issues']],
  ])('the repository that the arguments name: %j', async (args) => {
    expect(await tokensOf('web', args)).toEqual([API]);
  });

  it.each([
    [['pr', 'create', '--title', 'x', '--body', 'http://github.localhost/acme/api/pull/1']],
    [['issue', 'list', '--search', 'http://github.localhost/acme/api/pull/1']],
    [['api', 'user', '-f', 'x=repos/acme/api']],
    [['api', 'repos/{owner}/{repo}/pulls']],
    [['api', 'repos/:owner/:repo/pulls']],
    [['repo', 'view']],
  ])('the mount, when the arguments only mention another repository: %j', async (args) => {
    expect(await tokensOf('web', args)).toEqual([WEB]);
  });

  it('GH_REPO, unless an argument names another', async () => {
    const env = { GH_REPO: 'acme/api' };
    expect(await tokensOf('web', ['pr', 'list'], env)).toEqual([API]);
    expect(await tokensOf('.', ['api', 'user'], env)).toEqual([API]);
    expect(await tokensOf('.', ['pr', 'list', '-R', 'acme/web'], env)).toEqual([WEB]);
    expect(await tokensOf('.', ['repo', 'view', 'acme/web'], env)).toEqual([WEB]);
  });

  it('the origin of a clone that stands outside the mounts', async () => {
    await clone('http://github.localhost/acme/api', 'copy');
    await clone('ssh://git@github.localhost/acme/web', 'ssh-copy');
    expect(await tokensOf('copy', ['api', 'user'])).toEqual([API]);
    expect(await tokensOf('ssh-copy', ['api', 'user'])).toEqual([WEB]);
  });

  it('the mount around it, for a repository that is not of the session', async () => {
    await clone('http://github.localhost/other/thing', 'web', 'vendor');
    expect(await tokensOf('web/vendor', ['pr', 'list'])).toEqual([WEB]);
    expect(await tokensOf('api', ['pr', 'list', '-R', 'other/thing'])).toEqual([API]);
  });

  it('the origin, when an upstream of somebody else was added', async () => {
    const env = cleanEnvironment(session.home);
    const upstream = 'http://github.localhost/acme/api';
    const cwd = join(session.root, 'web');
    await run('git', ['remote', 'add', 'a-upstream', upstream], { cwd, env });
    expect(await tokensOf('web', ['api', 'user'])).toEqual([WEB]);
    await run('git', ['remote', 'remove', 'a-upstream'], { cwd, env });
  });

  it('the mount of a linked worktree elsewhere, whatever its remotes are', async () => {
    const env = cleanEnvironment(session.home);
    const cwd = join(session.root, 'lib');
    await run('git', ['worktree', 'add', '-q', '../linked'], { cwd, env });
    await run('git', ['remote', 'set-url', 'origin', 'http://github.localhost/o/t'], { cwd, env });
    expect(await tokensOf('linked', ['pr', 'list'])).toEqual([LIB]);
  });

  it('the mount around it, when git is not told of the session', async () => {
    session.directory('web', 'src');
    const env = { GIT_CONFIG_SYSTEM: '/dev/null', GH_REPO: 'other/thing' };
    expect(await tokensOf('web/src', ['pr', 'list'], env)).toEqual([WEB]);
  });
});

describe('two tokens, and none fits', () => {
  sharedSession(web, api);

  it('is an error that names what to do, and nothing is sent', async () => {
    for (const args of [
      ['api', 'user'],
      ['pr', 'list', '-R', 'other/thing'],
      ['repo', 'list'],
    ]) {
      proxy.takeTokens();
      const { code, stdout, stderr } = await gh('.', args);
      expect(code).toBe(4);
      expect(stdout).toBe('');
      expect(stderr).toContain('none of them fits');
      expect(stderr).toContain('-R github.localhost/acme/api');
      expect(stderr).toContain(`cd ${join(session.root, 'web')}`);
      expect(stderr).not.toContain('canary');
      expect(proxy.takeTokens()).toEqual([]);
    }
  });

  it.each([[['--version']], [['help']], [[]], [['completion', '-s', 'bash']], [['alias', 'list']]])(
    'does not matter for %j',
    async (args) => {
      expect((await gh('.', args)).code).toBe(0);
    },
  );

  it('does not matter when the user brought a token', async () => {
    expect(
      await tokensOf('.', ['pr', 'list', '-R', 'github.localhost/o/t'], { GH_TOKEN: 'mine' }),
    ).toEqual(['mine']);
  });
});

describe('a token in the environment', () => {
  sharedSession(web, api);

  it("is kept when it is the user's own, GH_TOKEN before GITHUB_TOKEN as gh has it", async () => {
    expect(await tokensOf('web', ['api', 'user'], { GH_TOKEN: 'mine' })).toEqual(['mine']);
    expect(
      await tokensOf('web', ['api', 'user'], { GH_TOKEN: undefined, GITHUB_TOKEN: 'mine' }),
    ).toEqual(['mine']);
    expect(await tokensOf('web', ['api', 'user'], { GH_TOKEN: '', GITHUB_TOKEN: WEB })).toEqual([
      WEB,
    ]);
    // The command's own GH_TOKEN stands before it, for gh and so for the launcher.
    expect(await tokensOf('web', ['api', 'user'], { GITHUB_TOKEN: 'stray' })).toEqual([WEB]);
  });

  it("does not count when it is the session's, of another mount", async () => {
    expect(await tokensOf('web', ['api', 'user'], { GH_TOKEN: API })).toEqual([WEB]);
  });

  it('is not offered to a host that is not of the session', async () => {
    for (const env of [{}, { GH_TOKEN: API, GITHUB_TOKEN: WEB }]) {
      const args = ['api', '--hostname', 'github.com', 'user'];
      const { stdout, stderr, code } = await gh('web', args, env);
      expect(code).toBe(4);
      expect(stdout + stderr).toContain('gh auth login');
      expect(await tokensOf('web', ['pr', 'list', '-R', 'github.com/acme/web'], env)).toEqual([]);
    }
    // gh itself would have used it there.
    const mine = await gh('web', ['auth', 'token', '--hostname', 'github.com'], { GH_TOKEN: 'me' });
    expect(mine.stdout).toBe('me\n');
  });
});

it('a GH_TOKEN of before a rotation, or of an earlier run of the daemon, does not count', async () => {
  await ownSession(web, api);
  await session.files.rotate(mounts([{ ...web, token: NEW_WEB }, api]));
  expect(await tokensOf('web', ['api', 'user'], { GH_TOKEN: WEB })).toEqual([NEW_WEB]);
  expect(await tokensOf('api', ['api', 'user'], { GH_TOKEN: WEB })).toEqual([API]);
  await session.files.write(mounts([{ ...web, token: LIB }, api]));
  for (const earlier of [WEB, NEW_WEB]) {
    expect(await tokensOf('web', ['api', 'user'], { GH_TOKEN: earlier })).toEqual([LIB]);
  }
});

it('a shell that was started before a rotation uses the new token for its next command', async () => {
  await ownSession(web);
  const shell = spawn('sh', [], {
    cwd: join(session.root, 'web'),
    env: session.environment(proxy.environment),
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  shell.stdout.setEncoding('utf8');
  const ask = async (): Promise<string> => {
    shell.stdin.write('gh auth token\n');
    const [text] = (await once(shell.stdout, 'data')) as [string];
    return text;
  };
  expect(await ask()).toBe(`${WEB}\n`);
  await session.files.rotate(mounts([{ ...web, token: NEW_WEB }]));
  expect(await ask()).toBe(`${NEW_WEB}\n`);
  shell.stdin.end();
  await once(shell, 'exit');
});

it('the git that gh runs is given the same token by gh itself', async () => {
  const github = (name: string): string => `https://github.com/acme/${name}`;
  await ownSession({ ...web, url: github('web') }, { ...api, url: github('api') });
  // What `gh repo clone` and others put in the place of every configured helper.
  const password = async (directory: string, env = {}): Promise<string | undefined> => {
    const { stdout } = await session.run('gh', ['auth', 'git-credential', 'get'], {
      cwd: join(session.root, directory),
      stdin: 'protocol=https\nhost=github.com\n\n',
      env,
    });
    return /^password=(.*)$/m.exec(stdout)?.[1];
  };
  expect(await password('web')).toBe(WEB);
  expect(await password('api')).toBe(API);
  expect(await password('web', { GH_REPO: 'acme/api' })).toBe(API);
});

it('one token serves everywhere', async () => {
  await ownSession(web);
  await clone('http://github.localhost/other/thing', 'elsewhere');
  for (const directory of ['.', 'web', 'elsewhere']) {
    expect(await tokensOf(directory, ['api', 'user'])).toEqual([WEB]);
  }
});

describe('hosts for which gh takes no GH_TOKEN', () => {
  const dotcom = { name: 'web', url: 'https://github.com/acme/web', token: WEB };
  const ghe = { name: 'ghe', url: 'https://ghe.example/acme/web', token: GHE };
  const tenant = { name: 'tenant', url: 'https://acme.ghe.com/acme/x', token: TENANT };
  sharedSession(dotcom, ghe, tenant);

  const tokenFor = async (directory: string, host: string, env = {}): Promise<string> =>
    (await gh(directory, ['auth', 'token', '--hostname', host], env)).stdout.trim();

  it('get their token and host for the one invocation, by directory and by name', async () => {
    const configured = async (directory: string, host: string, env = {}): Promise<string> =>
      (await gh(directory, ['config', 'get', '-h', host, 'oauth_token'], env)).stdout.trim();
    expect(await configured('ghe', 'ghe.example')).toBe(GHE);
    expect(await configured('tenant', 'acme.ghe.com')).toBe(TENANT);
    expect(await configured('web', 'acme.ghe.com', { GH_HOST: 'acme.ghe.com' })).toBe(TENANT);
    expect(await configured('web', 'ghe.example')).toBe('');
    expect(await tokenFor('web', 'ghe.example')).toBe(GHE);
    expect((await gh('web', ['auth', 'token'])).stdout).toBe(`${WEB}\n`);
    expect((await gh('.', ['auth', 'token'])).stdout).toBe(`${WEB}\n`);
  });

  it('are the ones that gh asks', async () => {
    const asked = async (...call: Parameters<typeof gh>): Promise<string[]> => {
      proxy.requests.splice(0);
      await gh(...call);
      return [...new Set(proxy.requests.splice(0).map(({ url }) => url))];
    };
    expect(await asked('ghe', ['api', 'user'])).toEqual(['ghe.example:443']);
    expect(await asked('tenant', ['pr', 'list'])).toEqual(['acme.ghe.com:443']);
    expect(await asked('web', ['pr', 'list', '-R', 'ghe.example/acme/web'])).toEqual([
      'ghe.example:443',
    ]);
    expect(await asked('web', ['api', 'user'])).toEqual(['api.github.com:443']);
    expect(await asked('ghe', ['auth', 'status'])).toEqual(['ghe.example:443']);
  });

  it('do not see the token of another host', async () => {
    for (const directory of ['ghe', 'tenant', 'web', '.']) {
      expect(await tokenFor(directory, 'evil.example')).toBe('');
      expect(await tokenFor(directory, 'evil.ghe.com')).toBe('');
    }
    for (const directory of ['ghe', 'tenant']) {
      const { stdout } = await session.run('gh', ['auth', 'git-credential', 'get'], {
        cwd: join(session.root, directory),
        stdin: 'protocol=https\nhost=evil.example\n\n',
      });
      expect(stdout).toBe('');
    }
  });

  it("leave the user's own token in place", async () => {
    expect(await tokenFor('ghe', 'ghe.example', { GH_ENTERPRISE_TOKEN: 'mine' })).toBe('mine');
    expect(await tokenFor('ghe', 'ghe.example', { GH_ENTERPRISE_TOKEN: WEB })).toBe(GHE);
  });
});

describe('the launcher', () => {
  sharedSession(web);

  it('ends as the real gh does: exit code, and the signal that killed it', async () => {
    expect((await gh('web', ['api', 'user'])).code).toBe(1);
    expect((await gh('web', ['nonsense'])).code).toBe(1);
    const child = spawn('gh', ['api', 'user', '--input', '-'], {
      cwd: join(session.root, 'web'),
      env: session.environment(proxy.environment),
      stdio: ['pipe', 'ignore', 'ignore'],
    });
    // Reading its input is what the real gh does: the launcher has become it.
    await expect.poll(() => readFileSync(`/proc/${child.pid}/comm`, 'utf8')).toBe('gh\n');
    await expect
      .poll(() => readFileSync(`/proc/${child.pid}/cmdline`, 'utf8').split('\0')[0])
      .not.toContain('sh');
    child.kill('SIGTERM');
    const [code, signal] = (await once(child, 'exit')) as [number | null, string | null];
    expect([code, signal]).toEqual([null, 'SIGTERM']);
  });

  it('hands arguments on as they are', async () => {
    const args = ['alias', 'set', 'odd', 'api -f "a b" * $HOME'];
    expect((await gh('web', args)).code).toBe(0);
    expect((await gh('web', ['alias', 'list'])).stdout).toContain('api -f "a b" * $HOME');
  });

  it('finds the real gh behind itself, however often it stands in PATH', async () => {
    const copy = session.directory('copy');
    copyFileSync(join(LAUNCHER_DIRECTORY, 'gh'), join(copy, 'gh'));
    chmodSync(join(copy, 'gh'), 0o755);
    const link = session.directory('link');
    symlinkSync(join(LAUNCHER_DIRECTORY, 'gh'), join(link, 'gh'));
    const path = session.environment()['PATH'] ?? '';
    for (const before of [[LAUNCHER_DIRECTORY], [link], [copy, link], [link, copy, '', '.']]) {
      const PATH = [...before, path].join(':');
      expect((await gh('web', ['auth', 'token'], { PATH })).stdout).toBe(`${WEB}\n`);
    }
  });

  it('says so when there is no other gh', async () => {
    const tools = session.directory('tools');
    symlinkSync('/bin/sh', join(tools, 'sh'));
    const { code, stderr } = await gh('web', ['api', 'user'], {
      PATH: `${LAUNCHER_DIRECTORY}:${tools}`,
    });
    expect(code).toBe(127);
    expect(stderr).toBe('mount-agent: gh is not installed: no other gh in PATH\n');
  });

  it('is the plain gh where there is no session', async () => {
    const env = { MOUNT_AGENT_RUN_DIR: join(session.root, 'nowhere'), GH_TOKEN: 'mine' };
    expect((await gh('web', ['auth', 'token'], env)).stdout).toBe('mine\n');
  });

  it('keeps git on the tokens of the mounts: gh auth setup-git changes nothing', async () => {
    const { code, stderr } = await gh('web', ['auth', 'setup-git']);
    expect(code).toBe(0);
    expect(stderr).toContain('already');
  });
});

it.each([['dash'], ['busybox', 'sh'], ['bash', '--posix']])(
  'the launcher works under %s %s',
  async (shell: string, option = '') => {
    await ownSession(web, api);
    const launcher = join(LAUNCHER_DIRECTORY, 'gh');
    const args = [...(option === '' ? [] : [option]), launcher, 'auth', 'token'];
    const token = async (env = {}): Promise<string> =>
      (await session.run(shell, args, { cwd: join(session.root, 'api'), env })).stdout;
    expect(await token()).toBe(`${API}\n`);
    expect(await token({ GH_REPO: 'Acme/Web' })).toBe(`${WEB}\n`);
    expect(await token({ GH_TOKEN: 'mine' })).toBe('mine\n');
    expect(await token({ GH_TOKEN: WEB })).toBe(`${API}\n`);
  },
);
