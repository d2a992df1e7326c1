import { rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { TOKENS } from '../host/host-fixture.ts';
import { TestSession, eventually, readIfThere } from './session.ts';

const TIMEOUT_MS = 90_000;

it(
  'run clones with two tokens, watches, and lets its command push and open a pull request',
  async () => {
    await using session = await TestSession.open();
    await session.dropManifest(session.bothResources);
    const web = session.mountPath('web');
    const script = `
      set -e
      test "$GH_TOKEN" = "$(cat "$MOUNT_AGENT_RUN_DIR"/credentials/* | grep web_canary)"
      cd ${web}
      test -z "$(git status --porcelain=v2)"
      git config user.name 'A U Thor' && git config user.email author@example.com
      git checkout -q -b new-page
      echo page > page.txt
      while ! test -e ${session.directory}/commit; do sleep 0.05; done
      git add page.txt && git commit -q -m 'Add a page'
      while ! test -e ${session.directory}/push; do sleep 0.05; done
      git push -q -u origin new-page
      gh pr create --fill
      cd ../api && git fetch -q && gh repo view >/dev/null
      while ! test -e ${session.directory}/end; do sleep 0.05; done
      exit 7`;
    const program = session.start('run', '--', 'sh', '-c', script);
    await program.untilReady();
    expect(JSON.parse((await program.get('/readyz')).body)).toMatchObject({ status: 'pass' });

    await session.expectNoTokenInProcesses();

    // Work at risk, step by step, as the platform and the person see it.
    const atRisk = async () => (await session.status()).mounts[0]?.at_risk;
    await eventually('the untracked file', async () => (await atRisk())?.untracked === 1);
    expect(await session.call('status')).toMatchObject({
      code: 3,
      stdout: expect.stringContaining('page.txt') as string,
    });
    await writeFile(join(session.directory, 'commit'), '');
    await eventually('the commit', async () => (await atRisk())?.unpushed_commits === 1);
    expect((await atRisk())?.branches).toEqual([{ ref: 'refs/heads/new-page', unpushed: 1 }]);
    await writeFile(join(session.directory, 'push'), '');
    await eventually('the push', async () => (await atRisk()) === null);
    expect(await session.call('status')).toMatchObject({ code: 0 });

    await eventually('the pull request', () => session.two.host.pullRequests.length === 1);
    expect(session.two.host.pullRequests[0]).toMatchObject({
      title: 'Add a page',
      author: 'walter',
    });
    for (const path of ['/livez', '/readyz', '/healthz', '/status', '/metrics']) {
      const { code, body } = await program.get(path);
      expect(code).toBe(200);
      session.keep(path, body);
    }
    expect(await session.call('healthcheck')).toMatchObject({ code: 0, stdout: 'pass\n' });

    await writeFile(join(session.directory, 'end'), '');
    expect(await program.exitCode).toBe(7);
    // Each repository saw its own token and no other.
    for (const { token, path } of session.two.host.requests) {
      if (token !== null && path.includes('acme/')) {
        expect(token).toBe(path.includes('/web') ? 'walter' : 'ada');
      }
    }
    expect(session.two.host.unanswered).toEqual([]);
  },
  TIMEOUT_MS,
);

it(
  'a mount that fails is reported with its remedy and holds up no other',
  async () => {
    await using session = await TestSession.open();
    const { host } = session.two;
    host.fault(
      { name: 'api' },
      { type: 'sso-required', url: 'http://github.localhost/orgs/acme/sso?a=1' },
    );
    await session.dropManifest(session.bothResources);
    const program = session.start('run', '--wait', 'any', '--', 'sleep', '60');
    await program.logged('command started');
    await eventually('the failure', async () => (await program.get('/healthz')).code === 503);
    const { mounts, status } = await session.status();
    expect(status).toBe('fail');
    expect(mounts[0]).toMatchObject({ phase: 'ready', error: null, credential: 'ok' });
    expect(mounts[1]).toMatchObject({
      phase: 'failed',
      credential: 'sso_required',
      error: { code: 'TRANSPORT_SSO_REQUIRED', transient: false, next_attempt_at: null },
    });
    expect(mounts[1]?.error?.remedy).toContain('http://github.localhost/orgs/acme/sso?a=1');
    const { code, body } = await program.get('/readyz');
    expect(code).toBe(503);
    expect(body).toContain(session.mountPath('api'));
    expect(await session.call('healthcheck')).toMatchObject({ code: 1 });
    expect(await readIfThere(session.mountPath('api'))).toBeUndefined();

    program.signal('SIGTERM');
    expect(await program.exitCode).toBe(143);
  },
  TIMEOUT_MS,
);

it(
  'a passing failure is tried again, visibly, and progress is shown while bytes arrive',
  async () => {
    await using session = await TestSession.open();
    const { host } = session.two;
    host.fault({ name: 'web' }, { type: 'status', status: 503 }, { times: 1 });
    await session.dropManifest([session.resource('web', TOKENS.web)]);
    const program = session.start('run');
    await program.logged('it is tried again');
    await program.untilReady();
    expect((await session.status()).mounts[0]).toMatchObject({ attempts: 2, error: null });
    program.signal('SIGINT');
    expect(await program.exitCode).toBe(130);
  },
  TIMEOUT_MS,
);

it(
  'a restart adopts complete clones without network, keeps changes, and sweeps what is unfinished',
  async () => {
    await using session = await TestSession.open();
    const { host } = session.two;
    await session.dropManifest(session.bothResources);
    const stalled = host.fault(
      { name: 'api', phase: 'exchange' },
      { type: 'stall', afterBytes: 600 },
    );
    const first = session.start('run');
    await eventually('web to be ready and api to receive', async () => {
      const { mounts } = await session.status().catch(() => ({ mounts: [] }));
      return mounts[0]?.phase === 'ready' && stalled.hits > 0;
    });
    await writeFile(join(session.mountPath('web'), 'kept.txt'), 'kept');
    first.signal('SIGKILL');
    await first.exitCode;
    stalled.remove();

    const requestsBefore = host.requests.length;
    const second = session.start('run');
    await second.untilReady();
    expect(second.log.filter(({ msg }) => msg === 'complete clone adopted')).toHaveLength(1);
    // The look at each token is not part of it.
    const requested = host.requests
      .slice(requestsBefore)
      .filter(({ service }) => service === 'git-upload-pack');
    expect(requested.every(({ path }) => path.includes('/api'))).toBe(true);
    expect(await readIfThere(join(session.mountPath('web'), 'kept.txt'))).toBe('kept');
    await eventually(
      'the kept file at risk',
      async () => (await session.status()).mounts[0]?.at_risk?.untracked === 1,
    );
    expect((await session.git('api', 'fsck', '--full')).code).toBe(0);
    expect((await session.git('api', 'status', '--porcelain=v2')).stdout).toBe('');
    second.signal('SIGTERM');
    expect(await second.exitCode).toBe(143);
    expect(second.log.at(-1)).toMatchObject({ msg: 'ending with work at risk' });
  },
  TIMEOUT_MS,
);

it(
  'mount mounts everything once with plain lines, and ends with 69 when something failed',
  async () => {
    await using session = await TestSession.open();
    await session.dropManifest(session.bothResources);
    const good = await session.call('mount');
    expect(good).toMatchObject({ code: 0, stderr: '' });
    expect(good.stdout).toContain('web');
    expect((await session.git('web', 'status', '--porcelain=v2')).stdout).toBe('');
    expect((await session.git('web', 'push', '--dry-run')).code).toBe(0);

    await rm(session.mountPath('api'), { recursive: true });
    await writeFile(session.mountPath('api'), 'somebody else');
    const refused = await session.call('mount');
    expect(refused.code).toBe(69);
    expect(refused.stderr).toContain('MOUNT_PATH_OCCUPIED');
    expect(await readIfThere(session.mountPath('api'))).toBe('somebody else');
  },
  TIMEOUT_MS,
);

it(
  'run and check end with 65 and a pointer per fault when the manifest is bad',
  async () => {
    await using session = await TestSession.open();
    await session.dropManifest([
      { ...session.resource('web', TOKENS.web), url: 'ssh://git@github.com/acme/web' },
      { ...session.resource('api', TOKENS.api), mount_path: '/etc/api' },
    ]);
    for (const command of ['run', 'check']) {
      const { code, stderr } = await session.call(command);
      expect(code).toBe(65);
      expect(stderr).toContain('/resources/0/url');
      expect(stderr).toContain('/resources/1/mount_path');
    }
    await session.dropManifest([...session.bothResources, { type: 'file' }]);
    const checked = await session.call('check');
    expect(checked.code).toBe(0);
    expect(JSON.parse(checked.stdout)).toMatchObject({
      session_id: 'sess_test',
      resources: [
        { mount_path: session.mountPath('web') },
        { mount_path: session.mountPath('api') },
      ],
      skipped: [{ pointer: '/resources/2', type: 'file' }],
    });
  },
  TIMEOUT_MS,
);

it(
  'the daemon waits for its manifest, and says that it does',
  async () => {
    await using session = await TestSession.open();
    const program = session.start('run');
    await program.logged('waiting for the manifest');
    expect((await program.get('/livez')).code).toBe(200);
    expect((await program.get('/readyz')).code).toBe(503);
    const { stdout, code } = await session.call('status');
    expect(code).toBe(0);
    expect(stdout.replaceAll(/\s+/g, ' ')).toContain(
      `The daemon waits for a whole manifest at ${session.manifestPath}: for `,
    );
    expect(stdout).toContain('MANIFEST_MISSING');
    expect((await session.call('rotate')).code).toBe(69);
    await session.dropManifest([session.resource('web', TOKENS.web)]);
    await program.untilReady();

    const late = await session.call(
      'mount',
      '--manifest',
      '/nonexistent',
      '--manifest-timeout',
      '0',
    );
    expect(late.code).toBe(65);
    expect(late.stderr).toContain('MANIFEST_MISSING');
  },
  TIMEOUT_MS,
);

it(
  'a token is rotated by a replaced manifest, and mends a mount that it failed',
  async () => {
    await using session = await TestSession.open();
    await session.dropManifest([session.resource('web', TOKENS.api)]);
    const program = session.start('run');
    await program.logged('mount failed');
    await session.dropManifest([session.resource('web', TOKENS.web)]);
    await program.untilReady();
    expect((await session.git('web', 'push', '--dry-run')).code).toBe(0);

    // What may not change is refused, and everything goes on.
    await session.dropManifest([
      { ...session.resource('web', TOKENS.web), url: session.two.host.url('acme', 'api') },
    ]);
    await program.logged('new manifest refused');
    expect(await session.call('rotate')).toMatchObject({
      code: 65,
      stderr: expect.stringContaining('MANIFEST_IMMUTABLE') as string,
    });
    expect((await program.get('/readyz')).code).toBe(200);

    await session.dropManifest([session.resource('web', TOKENS.reader)]);
    expect(await session.call('rotate')).toMatchObject({ code: 0 });
    const fetched = session.two.host.requests.length;
    await session.git('web', 'fetch');
    expect(session.two.host.requests.slice(fetched).map(({ token }) => token)).toContain('rita');
  },
  TIMEOUT_MS,
);

it(
  'work at risk near the deadline is warned of in log, health and AT_RISK.md, until it is safe',
  async () => {
    await using session = await TestSession.open();
    await session.dropManifest([session.resource('web', TOKENS.web)]);
    // Every moment is within the first threshold, so that the test needs no waiting.
    const program = session.start('run', '--reclaim-after', '10m', '--warn-before', '599s');
    await program.untilReady();
    const notice = join(session.runDir, 'AT_RISK.md');
    expect(await readIfThere(notice)).toBeUndefined();
    await writeFile(join(session.mountPath('web'), 'unsaved.txt'), 'x');
    await program.logged('work will be lost in');
    expect(JSON.parse((await program.get('/healthz')).body)).toMatchObject({ status: 'warn' });
    expect(await readIfThere(notice)).toContain('unsaved.txt');
    expect((await stat(notice)).mode & 0o777).toBe(0o600);
    await rm(join(session.mountPath('web'), 'unsaved.txt'));
    await eventually('the notice to go', async () => (await readIfThere(notice)) === undefined);
  },
  TIMEOUT_MS,
);

it(
  'SIGTERM ends clones under way and the command within 10 s',
  async () => {
    await using session = await TestSession.open();
    session.two.host.fault({ name: 'api', phase: 'exchange' }, { type: 'stall', afterBytes: 600 });
    await session.dropManifest(session.bothResources);
    // A shell can lose a signal while it starts a program; node cannot.
    const script = 'process.on("SIGTERM", () => process.exit(9)); setInterval(() => {}, 1000);';
    const program = session.start('run', '--wait', 'none', '--', process.execPath, '-e', script);
    await program.logged('command started');
    await program.logged('clone published');
    const startedAt = performance.now();
    program.signal('SIGTERM');
    expect(await program.exitCode).toBe(9);
    expect(performance.now() - startedAt).toBeLessThan(10_000);
    expect(await readIfThere(session.mountPath('api'))).toBeUndefined();
  },
  TIMEOUT_MS,
);

it('status, rotate and healthcheck say so when there is no daemon', async () => {
  await using session = await TestSession.open();
  for (const command of ['status', 'rotate']) {
    expect(await session.call(command)).toMatchObject({
      code: 69,
      stderr: expect.stringContaining('DAEMON_UNREACHABLE') as string,
    });
  }
  expect(await session.call('healthcheck')).toMatchObject({ code: 1 });
  expect(await session.call('run', '--bogus')).toMatchObject({ code: 64 });
});
