import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { expect, it } from 'vitest';
import { parseInvocation } from '../agent/cli.ts';
import { CloneProcesses } from '../agent/clone/clone-processes.ts';
import type { Host } from '../agent/host.ts';
import { Session } from '../agent/session.ts';
import { TokenWatch } from '../agent/token-watch.ts';
import { TOKENS, hostWithTwoRepositories } from './host/host-fixture.ts';
import type { TwoRepositories } from './host/host-fixture.ts';

/** A session whose one mount counts as ready, without a clone. */
async function readySession(two: TwoRepositories, root: string): Promise<Session> {
  const manifest = join(root, 'manifest.json');
  const resource = {
    type: 'github_repository',
    url: two.host.url('acme', 'web'),
    mount_path: join(root, 'web'),
    authorization_token: TOKENS.web,
  };
  await writeFile(manifest, JSON.stringify({ resources: [resource] }));
  const flags = ['--manifest', manifest, '--run-dir', join(root, 'run'), '--log-format', 'json'];
  const invocation = parseInvocation(['run', '--allow-http', ...flags], {});
  if (invocation.kind !== 'command') throw new Error('expected a command');
  const host: Host = {
    env: two.host.environment,
    stdin: Readable.from([]),
    stdout: { write: () => true },
    stderr: { write: () => true },
    nodeVersion: process.version,
    pid: process.pid,
    uid: 0,
    owner: null,
    onSignal: () => () => undefined,
    onDefect: () => () => undefined,
  };
  await using clones = new CloneProcesses(host, 1);
  const session = await Session.open(invocation.config, host, clones, 'info');
  await session.begin();
  session.status.update(join(root, 'web'), { phase: 'ready' });
  return session;
}

it('TokenWatch looks again by itself, and sees that a good token has gone bad', async () => {
  await using two = await hostWithTwoRepositories();
  const root = await mkdtemp(join(tmpdir(), 'token-watch-'));
  try {
    const session = await readySession(two, root);
    await using watch = new TokenWatch(session, { intervalMs: 20 });
    for (const resource of session.resources) watch.watch(resource);
    const looks = (): number => two.host.requests.length;
    await expect.poll(looks, { timeout: 10_000 }).toBeGreaterThan(3);
    await expect.poll(() => session.status.mounts[0]?.credential, { timeout: 10_000 }).toBe('ok');
    expect(session.status.mounts[0]?.can_push).toBe(true);
    two.host.revokeToken(TOKENS.web);
    await expect
      .poll(() => session.status.mounts[0]?.credential, { timeout: 10_000 })
      .toBe('rejected');
    expect(session.status.mounts[0]?.error?.code).toBe('TRANSPORT_UNAUTHORIZED');
    // One question a look, and never a write.
    expect(new Set(two.host.requests.map(({ phase }) => phase))).toEqual(
      new Set(['advertisement']),
    );
  } finally {
    await rm(root, { recursive: true });
  }
});

it('TokenWatch asks no oftener than its interval, and less and less while the token is good', async () => {
  await using two = await hostWithTwoRepositories();
  const root = await mkdtemp(join(tmpdir(), 'token-watch-'));
  try {
    const session = await readySession(two, root);
    const startedAt = performance.now();
    await using watch = new TokenWatch(session, { intervalMs: 100 });
    for (const resource of session.resources) watch.watch(resource);
    await expect.poll(() => two.host.requests.length, { timeout: 10_000 }).toBe(4);
    // 1, 2 and 4 intervals after one another.
    expect(performance.now() - startedAt).toBeGreaterThanOrEqual(700);
  } finally {
    await rm(root, { recursive: true });
  }
});
