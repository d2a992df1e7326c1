import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import type { MountStatus } from '../../agent/status.ts';
import { TOKENS } from '../host/host-fixture.ts';
import { TestSession, eventually } from './session.ts';

const TIMEOUT_MS = 90_000;
/** Whoever commits has to come from the session's configuration. */
const NOBODY = 'unset GIT_AUTHOR_NAME GIT_AUTHOR_EMAIL GIT_COMMITTER_NAME GIT_COMMITTER_EMAIL';
/** Instead of git's guess from the machine's name. */
const NO_GUESS = 'git config --global user.useConfigOnly true';
const WHO = 'git commit -q --allow-empty -m x && git log -1 --format="%an <%ae> %cn <%ce>"';

/** Runs a script as the session's command, with a home of its own. */
async function runScript(
  session: TestSession,
  script: string,
  ...flags: string[]
): Promise<{ readonly stdout: string; readonly stderr: string; readonly messages: string }> {
  const prelude = `set -e; ${NOBODY}; unset GIT_CONFIG_GLOBAL; ${NO_GUESS}`;
  const program = session.start('run', ...flags, '--', 'sh', '-c', `${prelude}\n${script}`);
  await program.exitCode;
  const messages = program.log.map(({ msg }) => String(msg)).join('\n');
  return { stdout: program.stdout, stderr: program.stderr, messages };
}

it(
  'each mount commits as the user of its token, and who set a name is left alone',
  async () => {
    await using session = await TestSession.open();
    await session.dropManifest(session.bothResources);
    const { stdout } = await runScript(
      session,
      `cd ${session.mountPath('web')}; ${WHO}
       cd ${session.mountPath('api')}; ${WHO}
       git config --global user.name Own; git config --global user.email own@example.com; ${WHO}
       git init -q ../other; cd ../other; ${WHO}`,
    );
    const walter = 'walter <1+walter@users.noreply.github.localhost>';
    const ada = 'ada <1+ada@users.noreply.github.localhost>';
    const own = 'Own <own@example.com>';
    expect(stdout.trim().split('\n')).toEqual(
      [walter, ada, own, own].map((who) => `${who} ${who}`),
    );
  },
  TIMEOUT_MS,
);

it(
  'github.com and an enterprise host over https: clone, commit, push, pull request, each as its own',
  async () => {
    const secureNames = ['github.com', 'api.github.com', 'ghes.test'];
    await using session = await TestSession.open({ secureNames });
    const { host } = session.two;
    await session.dropManifest([
      { ...session.resource('web', TOKENS.web), url: 'https://github.com/acme/web' },
      { ...session.resource('api', TOKENS.api), url: 'https://ghes.test/acme/api' },
    ]);
    const job = (name: string): string => `
      cd ${session.mountPath(name)}; git switch -q -c work-${name}
      ${WHO}; git push -q -u origin HEAD; gh pr create --fill >/dev/null; gh api user --jq .login`;
    const { stdout, stderr } = await runScript(session, job('web') + job('api'));
    const walter = 'walter <1+walter@users.noreply.github.com>';
    const ada = 'ada <1+ada@users.noreply.ghes.test>';
    expect(stdout, stderr).toBe(`${walter} ${walter}\nwalter\n${ada} ${ada}\nada\n`);
    expect(host.pullRequests.map(({ author }) => author)).toEqual(['walter', 'ada']);
    const pairs = host.requests.map(({ host: name, token }) => `${name} ${token}`);
    expect(new Set(pairs)).toEqual(
      new Set([
        ...['github.com walter', 'github.com null', 'api.github.com walter'],
        ...['ghes.test ada', 'ghes.test null'],
      ]),
    );
  },
  TIMEOUT_MS,
);

it(
  'a name in the manifest counts before one on the command line, and asks nobody',
  async () => {
    await using session = await TestSession.open();
    const flag = ['--git-user', 'Flag <flag@example.com>'];
    await session.dropManifest([session.resource('web', TOKENS.web)]);
    const script = `cd ${session.mountPath('web')}; ${WHO}`;
    const flagged = await runScript(session, script, ...flag);
    expect(flagged.stdout).toContain('Flag <flag@example.com> Flag');
    const gitUser = { name: 'Ada "A" Lovelace; x', email: 'ada@example.com' };
    await session.dropManifest([session.resource('web', TOKENS.web)], { git_user: gitUser });
    const told = await runScript(session, script, ...flag);
    expect(told.stdout).toContain('Ada "A" Lovelace; x <ada@example.com>');
    expect(session.two.host.requests.filter(({ path }) => path === '/user')).toEqual([]);

    for (const wrong of [{ name: 'x' }, { name: 'a\nb', email: 'a@b' }, { name: 'a', email: '' }]) {
      await session.dropManifest([session.resource('web', TOKENS.web)], { git_user: wrong });
      expect((await session.call('check')).stderr).toContain('/git_user/');
    }
  },
  TIMEOUT_MS,
);

it(
  'a host that does not say who commits leaves it to the user, with a hint in the log',
  async () => {
    await using session = await TestSession.open();
    session.two.host.fault({ path: '/user' }, { type: 'forbidden' });
    await session.dropManifest([session.resource('web', TOKENS.web)]);
    const { stdout, stderr, messages } = await runScript(
      session,
      `cd ${session.mountPath('web')}; ${WHO} || echo refused`,
    );
    expect(stdout).toBe('refused\n');
    expect(stderr).toContain('auto-detection is disabled');
    expect(messages).toContain('git config user.name');
  },
  TIMEOUT_MS,
);

it(
  'a token is known to be good for a push, for reading only, or refused, before anybody pushes',
  async () => {
    await using session = await TestSession.open();
    const { host } = session.two;
    await session.dropManifest([session.resource('web', TOKENS.reader)]);
    const program = session.start('run');
    await program.untilReady();
    const mount = async (): Promise<MountStatus | undefined> => (await session.status()).mounts[0];
    const becomes = (credential: string, canPush: boolean): Promise<unknown> =>
      eventually(`${credential} ${canPush}`, async () => {
        const row = await mount();
        return row?.credential === credential && row.can_push === canPush;
      });
    await becomes('ok', false);
    await program.logged('can read but not push');
    expect((await session.call('status')).stdout).toContain('ready, no push');

    // The new one is tried at once.
    await session.dropManifest([session.resource('web', TOKENS.web)]);
    await becomes('ok', true);
    expect((await mount())?.error).toBeNull();

    // Refused from now on: seen on demand, with the remedy, and a reason to warn of work at risk.
    await writeFile(join(session.mountPath('web'), 'unsaved.txt'), 'x');
    await eventually('the work at risk', async () => (await mount())?.at_risk !== null);
    host.revokeToken(TOKENS.web);
    expect(await session.call('rotate')).toMatchObject({ code: 0 });
    await becomes('rejected', false);
    expect((await mount())?.error).toMatchObject({
      code: 'TRANSPORT_UNAUTHORIZED',
      remedy: expect.stringContaining('Rotate it') as string,
    });
    await program.logged('cannot be pushed until its token is rotated');
    const healthz = await program.get('/healthz');
    expect(healthz).toMatchObject({ code: 200, body: expect.stringContaining('warn') as string });
    expect(healthz.body).toContain('token that the host refuses');
    expect((await session.call('status')).stdout).toContain('ready, token refused');
    expect((await program.get('/readyz')).code).toBe(200);

    // A host that is down says nothing about the token.
    const down = host.fault({ name: 'web' }, { type: 'status', status: 503 });
    await session.call('rotate');
    await eventually('the look', () => down.hits > 0);
    expect((await mount())?.credential).toBe('rejected');
    down.remove();

    const url = 'http://github.localhost/orgs/acme/sso?a=1';
    const sso = host.fault({ name: 'web' }, { type: 'sso-required', url });
    await session.call('rotate');
    await becomes('sso_required', false);
    expect((await mount())?.error?.remedy).toContain(url);
    sso.remove();

    await session.dropManifest([session.resource('web', TOKENS.reader)]);
    await becomes('ok', false);
    expect((await mount())?.error).toBeNull();
    // Nothing was written to find that out.
    const services = host.requests.map(({ service, phase }) => `${service} ${phase ?? ''}`);
    expect(services).toContain('git-receive-pack advertisement');
    expect(services).not.toContain('git-receive-pack exchange');
    session.keep('status.json', await readFile(join(session.runDir, 'status.json'), 'utf8'));
  },
  TIMEOUT_MS,
);
