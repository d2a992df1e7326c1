import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import {
  LAUNCHER_DIRECTORY,
  commandEnvironment,
  systemGitConfigPath,
} from '../../agent/credentials/environment.ts';
import type { Resource } from '../../agent/resource.ts';
import { Session, resourceOf, run } from './session.ts';

const resource = (host: string, token: string): Resource =>
  resourceOf({ url: `https://${host}/acme/${token}`, mountPath: `/app/${token}`, token });

const context = (...resources: Resource[]) => ({
  runDirectory: '/run/x',
  resources,
  gitConfigIncluded: true,
});

describe('commandEnvironment()', () => {
  const tokenOf = (...resources: Resource[]): string | undefined =>
    commandEnvironment({}, context(...resources))['GH_TOKEN'];

  it('gives the token of the first github.com resource as GH_TOKEN', () => {
    const first = resource('github.com', 'one');
    expect(tokenOf(resource('ghe.example', 'zero'), first, resource('github.com', 'two'))).toBe(
      'one',
    );
    expect(tokenOf(resource('github.localhost', 'local'), first)).toBe('one');
    expect(tokenOf(resource('github.localhost', 'local'))).toBe('local');
  });

  it('gives no other host its token to offer to github.com', () => {
    for (const host of ['ghe.example', 'acme.ghe.com', 'github.com.evil', 'github.com:8443']) {
      expect(tokenOf(resource(host, 'x'))).toBeUndefined();
    }
  });

  it("keeps the base and the user's choices, and replaces what must be the session's", () => {
    const base = {
      ...{ PATH: '/usr/bin:/bin', LANG: 'C', UNSET: undefined, GH_TOKEN: 'before' },
      ...{ GIT_TERMINAL_PROMPT: '1', GH_ENTERPRISE_TOKEN: 'mine', MOUNT_AGENT_RUN_DIR: '/other' },
    };
    expect(commandEnvironment(base, context(resource('github.com', 'one')))).toEqual({
      PATH: `${LAUNCHER_DIRECTORY}:/usr/bin:/bin`,
      LANG: 'C',
      GH_TOKEN: 'one',
      GIT_TERMINAL_PROMPT: '1',
      GCM_INTERACTIVE: '0',
      GH_ENTERPRISE_TOKEN: 'mine',
      MOUNT_AGENT_RUN_DIR: '/run/x',
      GIT_CONFIG_COUNT: '1',
      GIT_CONFIG_KEY_0: 'include.path',
      GIT_CONFIG_VALUE_0: '/run/x/credentials/gitconfig',
    });
  });

  it("adds to the user's list of git settings, once, and leaves one that git refuses", () => {
    const user = { GIT_CONFIG_COUNT: '1', GIT_CONFIG_KEY_0: 'a.b', GIT_CONFIG_VALUE_0: 'c' };
    const added = commandEnvironment(user, context());
    expect(added).toMatchObject({
      ...user,
      GIT_CONFIG_COUNT: '2',
      GIT_CONFIG_KEY_1: 'include.path',
      GIT_CONFIG_VALUE_1: '/run/x/credentials/gitconfig',
    });
    expect(commandEnvironment(added, context())).toEqual(added);
    expect(commandEnvironment({ GIT_CONFIG_COUNT: 'x' }, context())['GIT_CONFIG_COUNT']).toBe('x');
  });

  it('puts the launcher first in PATH once, also within the command of another daemon', () => {
    const path = (base: string | undefined): string | undefined =>
      commandEnvironment({ PATH: base }, context())['PATH'];
    expect(path(`/a:${LAUNCHER_DIRECTORY}:/b`)).toBe(`${LAUNCHER_DIRECTORY}:/a:/b`);
    expect(path('/a::/b')).toBe(`${LAUNCHER_DIRECTORY}:/a::/b`);
    expect(path(undefined)).toMatch(/:\/usr\/bin:/);
  });

  it('points git at the run directory only where the image does not', () => {
    const base = { GIT_CONFIG_NOSYSTEM: '1' };
    expect(commandEnvironment(base, context())).toMatchObject(base);
    const pointed = commandEnvironment(base, { ...context(), gitConfigIncluded: false });
    expect(pointed['GIT_CONFIG_SYSTEM']).toBe('/run/x/system.gitconfig');
    expect(pointed).not.toHaveProperty('GIT_CONFIG_NOSYSTEM');
  });
});

it("systemGitConfigPath() is the user's choice, and never the session's own file", () => {
  expect(systemGitConfigPath({}, '/run/x')).toBe('/etc/gitconfig');
  expect(systemGitConfigPath({ GIT_CONFIG_SYSTEM: '/opt/git' }, '/run/x')).toBe('/opt/git');
  expect(systemGitConfigPath({ GIT_CONFIG_SYSTEM: '/run/x/system.gitconfig' }, '/run/x')).toBe(
    '/etc/gitconfig',
  );
  for (const yes of ['1', 'true', 'yes', 'on']) {
    expect(systemGitConfigPath({ GIT_CONFIG_NOSYSTEM: yes }, '/run/x')).toBeNull();
  }
  expect(systemGitConfigPath({ GIT_CONFIG_NOSYSTEM: '0' }, '/run/x')).toBe('/etc/gitconfig');
});

describe('the file "env"', () => {
  let session: Session;
  afterEach(() => {
    session.remove();
  });

  const ODD = 'tok\'en"with `all` $(that) \\ * a shell knows';

  it.each([['dash'], ['bash', '--norc'], ['busybox', 'sh']])(
    'gives %s %s the same as the command has, sourced once or twice',
    async (shell: string, option = '') => {
      session = new Session({}, null, ["it's a run directory"]);
      await session.files.write([resource('github.com', ODD)]);
      const base = {
        ...{ PATH: process.env['PATH'] ?? '', HOME: session.home },
        ...{ GIT_CONFIG_NOSYSTEM: '1', GCM_INTERACTIVE: 'auto' },
      };
      const file = join(session.runDirectory, 'env');
      const script = '. "$0"; . "$0"; exec env -0';
      const args = [...(option === '' ? [] : [option]), '-euc', script, file];
      const { stdout, stderr, code } = await run(shell, args, { env: base });
      expect(stderr).toBe('');
      expect(code).toBe(0);
      const shellsOwn = /^(_|SHLVL|PWD|OLDPWD)=/;
      const pairs = stdout.split('\0').filter((pair) => pair !== '' && !shellsOwn.test(pair));
      const ofShell = Object.fromEntries(
        pairs.map((pair): [string, string] => {
          const equals = pair.indexOf('=');
          return [pair.slice(0, equals), pair.slice(equals + 1)];
        }),
      );
      expect(ofShell).toEqual(commandEnvironment(base, session.files.commandContext));
    },
  );

  it('has a plain token on a line of its own, as GH_TOKEN=…', async () => {
    session = new Session();
    await session.files.write([resource('github.com', 'github_pat_11AB_cd')]);
    const lines = readFileSync(join(session.runDirectory, 'env'), 'utf8').split('\n');
    expect(lines).toContain('GH_TOKEN=github_pat_11AB_cd');
  });

  it('has no GH_TOKEN when no resource is on github.com', async () => {
    session = new Session();
    await session.files.write([resource('ghe.example', 'canary')]);
    expect(readFileSync(join(session.runDirectory, 'env'), 'utf8')).not.toMatch(/GH_TOKEN|canary/);
  });
});
