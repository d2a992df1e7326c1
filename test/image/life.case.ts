/**
 * The runtime image, booted as a platform does: manifest, loopback GitHub, probes, a push and a pull
 * request from inside, the end, and what is found after a restart.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { errnoOf } from '../../agent/errors.ts';
import { searchForTokens } from '../canary.ts';
import { fiftyMegabytes } from '../fixtures/benchmark-repositories.ts';
import { TOKENS } from '../host/host-fixture.ts';
import { buildImage } from './build.ts';
import { Image, eventually } from './container.ts';
import { Platform, stop, untilWorked, work } from './platform.ts';
import { bind, tmpfs } from './runtime-spec.ts';

/** The platform sends SIGKILL then. */
const STOP_WITHIN_MS = 10_000;

let image: Image;
beforeAll(() => {
  image = new Image(buildImage('runtime'));
});
afterAll(() => {
  image[Symbol.dispose]();
});

it('boots with a manifest, answers probes, lets its command push and open a pull request, and ends on SIGTERM', async () => {
  await using platform = await Platform.open(image);
  const { host } = platform.two;
  await using container = platform.start(work('page'));
  await untilWorked(container);
  await container.untilReady();
  for (const path of ['/livez', '/readyz', '/healthz', '/status', '/metrics']) {
    expect((await container.get(path)).code, path).toBe(200);
  }
  expect(container.exec('mount-agent', 'healthcheck').code).toBe(0);
  expect(container.exec('mount-agent', 'status').code).toBe(0);
  expect(host.pullRequests).toMatchObject([{ title: 'Add a page', author: 'walter' }]);
  expect(host.unanswered).toEqual([]);
  const [init = 0] = container.pids;
  expect(readFileSync(`/proc/${init}/comm`, 'utf8')).toBe('tini\n');
  const uids = container.pids.map((pid) => /^Uid:\s+(\d+)/m.exec(statusOf(pid))?.[1]);
  expect(new Set(uids)).toEqual(new Set([String(image.uid)]));
  expect(await stop(container)).toBeLessThan(STOP_WITHIN_MS);
  const { root } = platform.disk;
  expect(
    await searchForTokens(Object.values(TOKENS), {
      directories: ['app', 'home', 'tmp', 'etc', 'opt', 'var', 'run'].map((at) => join(root, at)),
      texts: { output: container.stdout + container.stderr },
      allow: ['env', 'credentials/', 'gh/'].map((at) => `${root}/run/mount-agent/${at}`),
    }),
  ).toEqual([]);
});

it('adopts its clones when the disk was kept, and makes them anew when it is gone', async () => {
  await using platform = await Platform.open(image);
  {
    await using first = platform.start(['run']);
    await first.untilReady();
    expect(first.exec('sh', '-c', 'echo mine >/app/web/mine.txt').code).toBe(0);
    await stop(first);
  }
  const before = platform.fetches;
  {
    await using kept = platform.start(['run']);
    await kept.untilReady();
    expect(kept.log.filter(({ msg }) => msg === 'complete clone adopted')).toHaveLength(2);
    expect(platform.fetches).toBe(before);
    expect(kept.exec('cat', '/app/web/mine.txt').output).toBe('mine');
    const status = kept.exec('mount-agent', 'status', '--json');
    expect(status.code).toBe(3);
    expect(status.output).toContain('mine.txt');
    await stop(kept);
  }
  platform.loseDisk();
  await using gone = platform.start(['run']);
  await gone.untilReady();
  expect(platform.fetches).toBeGreaterThan(before);
  const look = 'cd /app/web && git fsck --full 2>/dev/null && git status --porcelain=v2';
  expect(gone.exec('sh', '-c', look)).toEqual({ code: 0, output: '' });
  await stop(gone);
});

it('works with a read-only root, a tmpfs for the run directory, no capability and no new privileges', async () => {
  await using platform = await Platform.open(image);
  const app = await platform.volume('app', image.uid, 0o755);
  await using container = platform.start(work('hardened'), {
    isReadOnly: true,
    isPowerless: true,
    mounts: [
      tmpfs('/run/mount-agent', 'mode=700', `uid=${image.uid}`, `gid=${image.uid}`),
      bind(app, '/app', 'rw'),
    ],
  });
  await untilWorked(container);
  expect(container.exec('touch', '/home/agent/x').output).toContain('Read-only file system');
  const status = statusOf(container.pids[0]);
  expect(status).toMatch(/^CapBnd:\s+0+$/m);
  expect(status).toMatch(/^NoNewPrivs:\s+1$/m);
  expect(container.exec('mount-agent', 'healthcheck').code).toBe(0);
  await stop(container);
});

it('works in volumes as Kubernetes makes an emptyDir: of root, and everybody writes to them', async () => {
  await using platform = await Platform.open(image);
  await using container = platform.start(work('shared'), {
    isReadOnly: true,
    isPowerless: true,
    mounts: [
      bind(await platform.volume('run', 0, 0o777), '/run', 'rw'),
      bind(await platform.volume('app', 0, 0o777), '/app', 'rw'),
    ],
  });
  await untilWorked(container);
  expect(container.exec('stat', '-c', '%U %a', '/run/mount-agent').output).toBe('agent 700');
  await stop(container);
});

it('works as root, and leaves its clones to --owner', async () => {
  await using platform = await Platform.open(image);
  await using container = platform.start(['run', '--owner', 'agent'], { user: 0 });
  await container.untilReady();
  const owners = container.exec('stat', '-c', '%U %a', '/app/web', '/run/mount-agent').output;
  expect(owners).toBe('agent 755\nagent 700');
  await stop(container);
});

it('works under umask 077', async () => {
  await using platform = await Platform.open(image);
  await using container = platform.start(work('private'), { umask: 0o077 });
  await untilWorked(container);
  const paths = ['/app/web', '/app/web/page.txt', '/app/web/bin/tool.sh'];
  expect(container.exec('stat', '-c', '%a', ...paths).output).toBe('700\n600\n700');
  await stop(container);
});

it('clones 50 MB with 256 MB of memory for the whole tree', async () => {
  await using platform = await Platform.open(image);
  const { bareDir } = await fiftyMegabytes();
  const tokens = [{ token: TOKENS.web, login: 'walter', permissions: 'write' }] as const;
  platform.two.host.addRepository({ owner: 'acme', name: 'large', bareDir, tokens });
  await platform.dropManifest(platform.resource('large', TOKENS.web));
  await using container = platform.start(['run'], { memoryBytes: 256 << 20 });
  let peak = 0;
  await container.logged('serving');
  await eventually('the clone', async () => {
    container.expectRunning();
    peak = Math.max(peak, rssOf(container.memory('memory.stat')));
    return (await container.get('/readyz')).code === 200;
  });
  const idle = rssOf(container.memory('memory.stat'));
  console.log(
    `memory of the tree: peak ${megabytes(peak)} while cloning, ${megabytes(idle)} after`,
  );
  expect(container.memory('memory.oom_control')).toContain('oom_kill 0');
  const status = container.exec('git', '-C', '/app/large', 'status', '--porcelain=v2');
  expect(status).toEqual({ code: 0, output: '' });
  await stop(container);
});

it('ends within 10 s with a clone under way and a command that ignores SIGTERM', async () => {
  await using platform = await Platform.open(image);
  platform.two.host.fault({ name: 'api', phase: 'exchange' }, { type: 'stall', afterBytes: 600 });
  const stubborn = 'trap "" TERM; echo up; while :; do sleep 1; done';
  await using container = platform.start(['run', '--wait', 'none', '--', 'sh', '-c', stubborn]);
  await container.logged('clone published');
  await eventually('the command', () => container.stdout.includes('up'));
  expect(await stop(container, 137)).toBeLessThan(STOP_WITHIN_MS);
});

it('as PID 1, without tini before it, leaves no zombie, and hands signals on', async () => {
  await using platform = await Platform.open(image);
  const leave =
    'trap "exit 7" TERM; (sleep 0.1 & sleep 0.2 &); echo left; while :; do sleep 1; done';
  await using container = platform.start(['run', '--', 'sh', '-c', leave], {
    entrypoint: ['mount-agent'],
  });
  await eventually('the command', () => container.stdout.includes('left'));
  expect(readFileSync(`/proc/${container.pids[0] ?? 0}/cmdline`, 'utf8')).toContain('mount-agent');
  const states = (): string[] =>
    container.pids.map((pid) => /^State:\s+(\w)/m.exec(statusOf(pid))?.[1] ?? 'gone');
  // The daemon, its shell that watches, tini, the command, its sleep.
  await eventually('the orphans to be gone', () => {
    return states().length <= 5 && !states().includes('Z');
  });
  expect(container.log.some(({ msg }) => String(msg).includes('without tini'))).toBe(false);
  await stop(container, 7);
});

it('--on-crash end: the container ends when the daemon’s process is killed, with 137', async () => {
  await using platform = await Platform.open(image);
  await using container = platform.start(['run', '--', 'sleep', '600']);
  await container.logged('command started');
  const daemon = container.pids.find((pid) =>
    commandLineOf(pid).startsWith('node /usr/local/bin/'),
  );
  expect(daemon).toBeGreaterThan(1);
  process.kill(daemon!, 'SIGKILL');
  expect(await container.exitCode).toBe(137);
});

function statusOf(pid = 0): string {
  return readOf(pid, 'status');
}

function commandLineOf(pid: number): string {
  return readOf(pid, 'cmdline').replaceAll('\0', ' ');
}

/** Nothing, of a process that is gone. */
function readOf(pid: number, name: string): string {
  try {
    return readFileSync(`/proc/${pid}/${name}`, 'utf8');
  } catch (error) {
    const errno = errnoOf(error);
    if (errno !== 'ENOENT' && errno !== 'ESRCH') throw error;
    return '';
  }
}

/** Of processes alone: the page cache of a clone fills whatever there is. */
function rssOf(memoryStat: string): number {
  return Number(/^total_rss (\d+)/m.exec(memoryStat)?.[1]);
}

function megabytes(bytes: number): string {
  return `${(bytes / 1e6).toFixed(0)} MB`;
}
