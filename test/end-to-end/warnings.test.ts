import { createHmac } from 'node:crypto';
import { once } from 'node:events';
import { chmod, readFile, rm, stat, utimes, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import type { StatusSnapshot } from '../../agent/status.ts';
import type { WarningEvent } from '../../agent/work/warning-event.ts';
import { TOKENS } from '../host/host-fixture.ts';
import { TestSession, eventually, readIfThere } from './session.ts';
import type { RunningProgram } from './session.ts';

const TIMEOUT_MS = 60_000;
const KEY = 'a-key-of-32-characters-for-tests';
/** Every moment of rest is within the first threshold: no test has to wait for it. */
const NEAR = ['--reclaim-after', '10m', '--warn-before', '599s'];

/** The loopback host is everybody's proxy; the hook is asked directly. */
const DIRECT = { NO_PROXY: '127.0.0.1', no_proxy: '127.0.0.1' };

interface Hook extends AsyncDisposable {
  readonly url: string;
  readonly posts: { readonly signature: string; readonly key: string; readonly body: string }[];
  /** Answers to come, before the usual 204. */
  readonly answers: number[];
}

async function startHook(): Promise<Hook> {
  const posts: Hook['posts'] = [];
  const answers: number[] = [];
  const server = createServer((request, response) => {
    let body = '';
    request.setEncoding('utf8').on('data', (part: string) => (body += part));
    request.on('end', () => {
      const { 'mount-agent-signature': signature, 'idempotency-key': key } = request.headers;
      posts.push({ signature: String(signature), key: String(key), body });
      response.writeHead(answers.shift() ?? 204, { 'retry-after': '0' }).end();
    });
  });
  await once(server.listen(0, '127.0.0.1'), 'listening');
  const { port } = server.address() as AddressInfo;
  return {
    ...{ posts, answers, url: `http://127.0.0.1:${port}/T0/secret-path` },
    [Symbol.asyncDispose]: async () => {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

function eventsOf({ posts }: Hook): WarningEvent[] {
  return posts.map(({ body }) => JSON.parse(body) as WarningEvent);
}

function said(events: readonly WarningEvent[]): string[] {
  return events.map(({ event, reason }) => `${event} ${reason}`);
}

async function onWarnProgram(session: TestSession): Promise<string> {
  const path = join(session.directory, 'on-warn');
  const out = join(session.directory, 'told');
  await writeFile(path, `#!/bin/sh\ncat >> ${out}\nenv > ${out}.env\necho "$0 $*" > ${out}.argv\n`);
  await chmod(path, 0o755);
  return path;
}

async function toldTo(session: TestSession): Promise<WarningEvent[]> {
  const text = (await readIfThere(join(session.directory, 'told'))) ?? '';
  const lines = text.split('\n').filter((line) => line !== '');
  return lines.map((line) => JSON.parse(line) as WarningEvent);
}

async function warningsOf(program: RunningProgram): Promise<string[]> {
  const { body } = await program.get('/metrics');
  return body.split('\n').filter((line) => /^mount_agent_warnings_total.* [1-9]/.test(line));
}

it(
  'a warning and its withdrawal reach the program and the URL, signed, and no token goes with them',
  async () => {
    await using session = await TestSession.open();
    await using hook = await startHook();
    const keyFile = join(session.directory, 'key');
    await writeFile(keyFile, `${KEY}\n`);
    await session.dropManifest([session.resource('web', TOKENS.web)]);
    session.moreEnvironment = { ...DIRECT, GH_TOKEN: TOKENS.web, TEAM: 'web' };
    const flags = ['--on-warn', await onWarnProgram(session), '--warn-key-file', keyFile];
    const program = session.start('run', ...NEAR, ...flags, '--warn-url', hook.url);
    await program.untilReady();
    expect((await program.get('/')).body).toContain('<title>mount-agent</title>');
    hook.answers.push(503);
    await writeFile(join(session.mountPath('web'), 'unsaved.txt'), 'x');
    await eventually('the post that is taken', () => hook.posts.length === 2);
    await eventually('the program', async () => (await toldTo(session)).length === 1);

    const [first, second] = hook.posts;
    expect(first).toEqual(second);
    const expected = createHmac('sha256', KEY).update(first?.body ?? '');
    expect(first?.signature).toBe(`sha256=${expected.digest('hex')}`);
    const [event] = eventsOf(hook);
    expect(first?.key).toBe(event?.id);
    expect(await toldTo(session)).toEqual([event]);
    expect(event).toMatchObject({
      event: 'warning',
      reason: 'deadline',
      session_id: 'sess_test',
      threshold_seconds: 599,
      notice: join(session.runDir, 'AT_RISK.md'),
      mounts: [{ mount_path: session.mountPath('web'), at_risk: { untracked: 1 } }],
    });
    const environment = await readFile(join(session.directory, 'told.env'), 'utf8');
    expect(environment).toContain('TEAM=web');
    expect(environment).not.toContain('GH_TOKEN');
    expect(await readFile(join(session.directory, 'told.argv'), 'utf8')).toMatch(/^\S+ \n$/);

    await rm(join(session.mountPath('web'), 'unsaved.txt'));
    await eventually('the withdrawal', () => hook.posts.length === 3);
    await eventually('the program again', async () => (await toldTo(session)).length === 2);
    expect(said(await toldTo(session))).toEqual(['warning deadline', 'withdrawn saved']);
    const [log, notice] = await eventually('all to be counted', async () => {
      const [toProgram, toUrl, ...others] = await warningsOf(program);
      return toProgram?.endsWith(' 2') === true && toUrl?.endsWith(' 2') === true ? others : false;
    });
    expect(log).toBe('mount_agent_warnings_total{channel="log",result="delivered"} 2');
    expect(notice).toBe('mount_agent_warnings_total{channel="notice",result="delivered"} 1');
    expect(program.stderr).not.toContain('secret-path');
    expect(program.stderr).not.toContain(KEY);
  },
  TIMEOUT_MS,
);

it(
  'far from the deadline a token that is refused is reason to warn; a failing program is counted',
  async () => {
    await using session = await TestSession.open();
    await session.dropManifest([session.resource('web', TOKENS.web)]);
    const program = session.start('run', '--on-warn', 'false');
    await program.untilReady();
    await writeFile(join(session.mountPath('web'), 'unsaved.txt'), 'x');
    await eventually('it at risk', async () => (await session.status()).mounts[0]?.at_risk);
    expect(await readIfThere(join(session.runDir, 'AT_RISK.md'))).toBeUndefined();
    session.two.host.revokeToken(TOKENS.web);
    program.signal('SIGHUP');
    await program.logged('cannot be pushed until its token is rotated');
    const notice = await readFile(join(session.runDir, 'AT_RISK.md'), 'utf8');
    expect(notice).toContain(`mount-agent rescue --out /tmp ${session.mountPath('web')}\n`);
    expect(JSON.parse((await program.get('/healthz')).body)).toMatchObject({ status: 'warn' });
    await program.logged('warning not delivered');
    expect(await warningsOf(program)).toContain(
      'mount_agent_warnings_total{channel="program",result="failed"} 1',
    );
  },
  TIMEOUT_MS,
);

it(
  'killed and started again it warns no second time, and withdraws what it warned of before',
  async () => {
    await using session = await TestSession.open();
    await using hook = await startHook();
    await session.dropManifest([session.resource('web', TOKENS.web)]);
    session.moreEnvironment = DIRECT;
    const flags = ['--warn-before', '4h,1h', '--warn-url', hook.url];
    const first = session.start('run', ...flags);
    await first.untilReady();
    const unsaved = join(session.mountPath('web'), 'unsaved.txt');
    await writeFile(unsaved, 'x');
    await eventually('it at risk', async () => (await session.status()).mounts[0]?.at_risk);
    await first.end();

    const rest = async (hours: number): Promise<void> => {
      const at = Date.now() / 1000 - hours * 3600;
      const activity = join(session.runDir, 'activity');
      const [before, warned] = [await stat(activity), join(session.runDir, 'warned')];
      // The memory of the warning belongs to the same period of rest.
      await utimes(activity, at, at);
      if ((await readIfThere(warned)) !== undefined) {
        expect((await stat(warned)).mtimeMs).toBeCloseTo(before.mtimeMs, 0);
        await utimes(warned, at, at);
      }
    };
    await rest(21);
    const second = session.start('run', ...flags);
    await eventually('the warning', () => hook.posts.length === 1);
    expect(eventsOf(hook)[0]).toMatchObject({ threshold_seconds: 14_400 });
    await second.end();

    const third = session.start('run', ...flags);
    await third.logged('mount ready');
    await eventually('the notice', async () =>
      (await readIfThere(join(session.runDir, 'AT_RISK.md')))?.includes('unsaved.txt'),
    );
    await eventually('it at risk', async () => (await session.status()).mounts[0]?.at_risk);
    await third.end();

    await rest(23.5);
    const fourth = session.start('run', ...flags);
    await eventually('the next threshold', () => hook.posts.length === 2);
    await fourth.end();
    await rm(unsaved);
    session.start('run', ...flags);
    await eventually('the withdrawal', () => hook.posts.length === 3);
    const told = eventsOf(hook).map(({ event, reason, threshold_seconds }) => [
      ...[event, reason, threshold_seconds],
    ]);
    expect(told).toEqual([
      ['warning', 'deadline', 14_400],
      ['warning', 'deadline', 3_600],
      ['withdrawn', 'saved', null],
    ]);
  },
  TIMEOUT_MS,
);

it(
  'at the end the last ledger is in log, status.json and AT_RISK.md, a change of the last moment too',
  async () => {
    await using session = await TestSession.open();
    await session.dropManifest([session.resource('web', TOKENS.web)]);
    const file = join(session.mountPath('web'), 'last.txt');
    const script = `process.on('SIGTERM', () => {
      require('fs').writeFileSync(${JSON.stringify(file)}, 'x');
      process.exit(0);
    }); setInterval(() => {}, 1000); console.log('up');`;
    const program = session.start('run', '--', process.execPath, '-e', script);
    await eventually('the command', () => program.stdout.includes('up'));
    program.signal('SIGTERM');
    expect(await program.exitCode).toBe(0);
    expect(program.log.at(-1)).toMatchObject({
      msg: 'ending with work at risk',
      atRisk: { untracked: 1, paths: ['last.txt'] },
    });
    const notice = await readFile(join(session.runDir, 'AT_RISK.md'), 'utf8');
    expect(notice).toContain('the session was told to stop');
    expect(notice).toContain('`last.txt`');
    const text = await readFile(join(session.runDir, 'status.json'), 'utf8');
    expect((JSON.parse(text) as StatusSnapshot).mounts[0]?.at_risk?.paths).toEqual(['last.txt']);
  },
  TIMEOUT_MS,
);

it('a key that cannot be read, or is too short, ends the start with 77', async () => {
  await using session = await TestSession.open();
  const short = join(session.directory, 'short');
  await writeFile(short, 'short');
  for (const path of [short, join(session.directory, 'nowhere')]) {
    expect(await session.call('run', '--warn-key-file', path)).toMatchObject({
      code: 77,
      stderr: expect.stringContaining('WARNING_KEY_UNREADABLE') as string,
    });
  }
});
