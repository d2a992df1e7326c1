import { existsSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { includesFile } from '../../agent/credentials/git-config.ts';
import { Session, cleanEnvironment, resourceOf, run } from './session.ts';

const WEB = 'github_pat_canary1Web';
const API = 'github_pat_canary2Api';
const GHE = 'ghp_canary3Enterprise';
const URL_OF = 'https://github.com/acme/web.git';

const EVIL_URLS = [
  ...['http://github.com/', 'https://github.com:8443/', 'https://github.com.evil/'],
  ...['https://api.github.com/', 'https://evil/', 'https://evil/github.com', 'https://github.co/'],
  ...['https://github.com@evil/', 'https://evil?https://github.com/', 'https://ghe.example/'],
  ...['http://ghe.example:8443/', 'https://ghe.example:443/', 'ftp://github.com/'],
];

let session: Session;
afterEach(() => {
  session.remove();
});

/** Two repositories of one host with two tokens, a third on another host and port. */
async function twoHosts(): Promise<void> {
  session = new Session();
  await session.files.write([
    resourceOf({
      url: 'https://github.com/acme/web',
      mountPath: join(session.root, 'web'),
      token: WEB,
    }),
    resourceOf({
      url: 'https://github.com/acme/api',
      mountPath: join(session.root, 'api'),
      token: API,
    }),
    resourceOf({
      url: 'https://ghe.example:8443/acme/web',
      mountPath: join(session.root, 'ghe'),
      token: GHE,
    }),
  ]);
  for (const name of ['web', 'api', 'ghe', 'elsewhere']) await session.repository(name);
}

describe('with several tokens', () => {
  it('git finds the token of the mount that it is run in, and only for its host', async () => {
    await twoHosts();
    const { root } = session;
    expect(await session.passwordFor(URL_OF, join(root, 'web'))).toBe(WEB);
    expect(await session.passwordFor(URL_OF, join(root, 'api'))).toBe(API);
    expect(await session.passwordFor('https://ghe.example:8443/a/b', join(root, 'ghe'))).toBe(GHE);
    expect(await session.passwordFor(URL_OF, join(root, 'elsewhere'))).toBeNull();
    // Outside any mount the one token of the other host serves, in every directory.
    expect(await session.passwordFor('https://ghe.example:8443/a/b', join(root, 'web'))).toBe(GHE);
    expect(await session.passwordFor('https://ghe.example:8443/a/b', root)).toBe(GHE);
  });

  it('the same holds where only the system configuration tells git of the session', async () => {
    await twoHosts();
    const env = { GIT_CONFIG_COUNT: undefined };
    for (const [name, token] of [['web', WEB] as const, ['api', API] as const]) {
      const cwd = join(session.root, name);
      const stdin = `url=${URL_OF}\n\n`;
      const { stdout } = await session.run('git', ['credential', 'fill'], { cwd, env, stdin });
      expect(stdout).toContain(`password=${token}\n`);
    }
  });

  it('directories below, nested repositories, submodules and linked worktrees are covered', async () => {
    await twoHosts();
    const web = join(session.root, 'web');
    const env = cleanEnvironment(session.home);
    const below = session.directory('web', 'src', 'deep');
    const nested = await session.repository('web', 'vendor', 'other');
    const linked = join(session.root, 'linked');
    await run('git', ['-C', web, 'worktree', 'add', '-q', linked], { env });
    await run(
      'git',
      [
        ...['-C', web, '-c', 'protocol.file.allow=always', 'submodule', '--quiet', 'add'],
        ...[join(session.root, 'elsewhere'), 'sub'],
      ],
      { env },
    );
    expect(existsSync(join(web, '.git/modules/sub/HEAD'))).toBe(true);
    for (const cwd of [below, nested, linked, join(web, 'sub')]) {
      expect(await session.passwordFor(URL_OF, cwd)).toBe(WEB);
    }
  });

  it('no other scheme, host or port gets anything', async () => {
    await twoHosts();
    const web = join(session.root, 'web');
    for (const url of EVIL_URLS) expect(await session.passwordFor(url, web), url).toBeNull();
    expect(await session.passwordFor(URL_OF, web)).toBe(WEB);
  });
});

describe('with one token', () => {
  const setUp = async (systemText: (() => string) | null = null): Promise<void> => {
    session = new Session({}, systemText);
    const mounts = ['web', 'api'].map((name) =>
      resourceOf({
        url: `https://github.com/acme/${name}`,
        mountPath: join(session.root, name),
        token: WEB,
      }),
    );
    await session.files.write(mounts);
  };

  it('it serves outside any mount too, for its host only', async () => {
    await setUp();
    expect(await session.passwordFor(URL_OF, session.root)).toBe(WEB);
    expect(await session.passwordFor('https://evil/', session.root)).toBeNull();
  });

  it("drops the image's helpers for its host, and for no other", async () => {
    const helper = '!printf "username=x\\npassword=of the image\\n";:';
    await setUp(() => `[credential]\n\thelper = ${JSON.stringify(helper)}\n`);
    expect(await session.passwordFor(URL_OF, session.root)).toBe(WEB);
    expect(await session.passwordFor('https://other.example/', session.root)).toBe('of the image');
  });

  it("a helper of the user's own is neither asked for the session's hosts nor told the token", async () => {
    await setUp();
    const told = join(session.home, 'told');
    const global = join(session.home, '.gitconfig');
    const helper = `!f() { echo "$1" >>${told}; cat >>${told}; echo username=x; echo password=own; }; f`;
    const section = (name: string): string =>
      `[credential${name}]\n\thelper =\n\thelper = ${JSON.stringify(helper)}\n`;
    writeFileSync(global, section('') + section(' "https://github.com"'));
    const env = { GIT_CONFIG_GLOBAL: global };
    const git = async (operation: string, stdin: string): Promise<string> =>
      (await session.run('git', ['credential', operation], { env, stdin })).stdout;
    const filled = await git('fill', 'url=https://github.com/a/b\n\n');
    expect(filled).toContain(`password=${WEB}\n`);
    await git('approve', filled);
    expect(existsSync(told)).toBe(false);
    expect(await git('fill', 'url=https://other.example/\n\n')).toContain('password=own\n');
    // What is said for one command still counts.
    const own = ['-c', 'credential.helper=', '-c', `credential.helper=${helper}`];
    const args = [...own, 'credential', 'fill'];
    const stdin = 'url=https://github.com/a/b\n\n';
    expect((await session.run('git', args, { env, stdin })).stdout).toContain('password=own\n');
  });

  it('push works for a branch without upstream, and the token stands in no file of git', async () => {
    await setUp();
    const { stdout } = await session.run('git', ['config', '--list', '--show-origin']);
    expect(stdout).toContain('push.default=simple');
    expect(stdout).toContain('push.autosetupremote=true');
    expect(stdout).not.toContain(WEB);
    for (const name of ['gitconfig', 'credentials/gitconfig', 'gh/table', 'gh/known-tokens']) {
      expect(readFileSync(join(session.runDirectory, name), 'utf8')).not.toContain(WEB);
    }
  });

  it('a command line that git runs never has it', async () => {
    await setUp();
    const { stderr, stdout } = await session.run('git', ['credential', 'fill'], {
      stdin: `url=${URL_OF}\n\n`,
      env: { GIT_TRACE: '1', GIT_TRACE2_EVENT: '2' },
    });
    expect(stdout).toContain(`password=${WEB}`);
    expect(stderr).toContain('credential-helper.sh');
    expect(stderr).not.toContain(WEB);
  });
});

/** Each is a directory name that means more than itself to git, to a shell or to a glob. */
const ODD_NAMES = [
  ...['with space', "it's", 'quo"ted', 'back\\slash', 'semi;colon', '#hash', '$HOME', '`id`'],
  ...['st*r', 'qu?stion', '[brackets]', '**', '{a,b}', '~', 'ünïcödé', '-dash', '!bang', 'a%b'],
];

it.each(ODD_NAMES)('a mount path and a run directory with %j in it work', async (odd) => {
  session = new Session({}, null, ['runs', odd]);
  const mountPath = await session.repository(odd, odd);
  const other = { url: 'https://github.com/acme/api', mountPath: '/nowhere', token: API };
  await session.files.write([
    resourceOf({ url: 'https://github.com/acme/web', mountPath, token: WEB }),
    resourceOf(other),
  ]);
  expect(await session.passwordFor(URL_OF, mountPath)).toBe(WEB);
  expect(await session.passwordFor(URL_OF, session.root)).toBeNull();
});

it('a glob in a mount path covers that directory and none that it would match', async () => {
  session = new Session();
  const resources = ['w*b', 'w[e]b', 'w?b', 'w\\eb'].map((name, n) =>
    resourceOf({
      url: `https://github.com/acme/${n}`,
      mountPath: join(session.root, name),
      token: `${WEB}${n}`,
    }),
  );
  await session.files.write(resources);
  for (const { mountPath, token } of resources) {
    await session.repository(mountPath.slice(session.root.length + 1));
    expect(await session.passwordFor(URL_OF, mountPath)).toBe(token.reveal());
  }
  for (const name of ['web', 'wb', 'wxxb', 'WEB']) {
    expect(await session.passwordFor(URL_OF, await session.repository(name))).toBeNull();
  }
});

it('a directory beside the mount with a longer name, or in other case, is not the mount', async () => {
  await twoHosts();
  for (const name of ['web2', 'web.git', 'Web', 'we']) {
    expect(await session.passwordFor(URL_OF, await session.repository(name))).toBeNull();
  }
});

it('a mount below a symbolic link is found by both of its paths', async () => {
  session = new Session();
  const real = session.directory('data', 'app');
  symlinkSync(real, join(session.root, 'app'));
  const mountPath = join(session.root, 'app', 'web');
  const other = { url: 'https://github.com/acme/api', mountPath: '/nowhere', token: API };
  await session.files.write([
    resourceOf({ url: 'https://github.com/acme/web', mountPath, token: WEB }),
    resourceOf(other),
  ]);
  await session.repository('data', 'app', 'web');
  expect(await session.passwordFor(URL_OF, mountPath)).toBe(WEB);
  expect(await session.passwordFor(URL_OF, join(real, 'web'))).toBe(WEB);
  const { stdout } = await session.run('git', ['credential', 'fill'], {
    stdin: `url=${URL_OF}\n\n`,
    env: { GIT_DIR: join(mountPath, '.git') },
  });
  expect(stdout).toContain(WEB);
});

describe("the image's /etc/gitconfig", () => {
  it('is read before ours when it does not include ours, and the user has the last word', async () => {
    session = new Session({}, () => '[image]\n\tkey = kept\n[push]\n\tdefault = matching\n');
    await session.files.write([]);
    const config = async (key: string, env = {}): Promise<string> =>
      (await session.run('git', ['config', key], { env })).stdout.trim();
    expect(session.environment()['GIT_CONFIG_SYSTEM']).toBe(
      join(session.runDirectory, 'system.gitconfig'),
    );
    expect(await config('image.key')).toBe('kept');
    expect(await config('push.default')).toBe('simple');
    const global = join(session.home, 'gitconfig');
    writeFileSync(global, '[push]\n\tdefault = upstream\n');
    expect(await config('push.default', { GIT_CONFIG_GLOBAL: global })).toBe('upstream');
  });

  it('is left to itself when it includes ours already', async () => {
    const text = (of: Session): string =>
      `[user]\n\tx = y\n[include]\n\tpath = ${of.root}/run/gitconfig\n`;
    session = new Session({}, text);
    await session.files.write([]);
    expect(session.environment()).not.toHaveProperty('GIT_CONFIG_SYSTEM');
  });

  it.each([
    ['[include]\n\tpath = /run/x/gitconfig\n', true],
    ['[Include]\r\n  PATH="/run/x/gitconfig"  \r\n', true],
    ['[include]\n\tpath = /other\n\tpath = /run/x/gitconfig', true],
    ['[include]\n\tpath = /run/x/gitconfig2\n', false],
    ['# [include]\n\tpath = /run/x/gitconfig\n', false],
    ['[include]\n\t# path = /run/x/gitconfig\n', false],
    ['[includeIf "gitdir:/a/"]\n\tpath = /run/x/gitconfig\n', false],
    ['[include]\n\tpath = /y\n[core]\n\tpath = /run/x/gitconfig\n', false],
    ['', false],
  ])('includesFile() reads %j as %s', (config, expected) => {
    expect(includesFile(config, '/run/x/gitconfig')).toBe(expected);
  });
});

describe('safe.directory', () => {
  const uid = process.getuid?.() ?? 0;
  const mount = { url: 'https://github.com/acme/web', mountPath: '/srv/app/web', token: WEB };
  const safe = async (changes: ConstructorParameters<typeof Session>[0]): Promise<string[]> => {
    session = new Session(changes);
    await session.files.write([resourceOf(mount)]);
    const { stdout } = await session.run('git', ['config', '--get-all', 'safe.directory']);
    return stdout.split('\n').filter((line) => line !== '');
  };

  it('is not set when the owner of the clones is who runs git', async () => {
    expect(await safe({ owner: null })).toEqual([]);
    expect(await safe({ owner: { uid, gid: process.getgid?.() ?? 0 } })).toEqual([]);
  });

  it('names the mounts when the command runs git in clones of another owner', async () => {
    const owner = { uid, gid: process.getgid?.() ?? 0 };
    expect(await safe({ owner, readerUid: uid + 1 })).toEqual(['/srv/app/web', '/srv/app/web/*']);
  });
});
