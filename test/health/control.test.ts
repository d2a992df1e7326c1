import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, mkdtemp, readdir, rm, stat, symlink, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import type { Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { AgentError, ManifestError } from '../../agent/errors.ts';
import { fetchStatus, requestControl } from '../../agent/health/control-client.ts';
import { serveControl } from '../../agent/health/control-server.ts';
import type {
  ControlActions,
  ControlContext,
  ControlServer,
} from '../../agent/health/control-server.ts';
import { sleep } from '../../agent/lifetime.ts';
import { StatusTable } from '../../agent/status.ts';
import { SECRET, recordLog, tableOfTwo } from './fixtures.ts';

let runDir: string;
const open: AsyncDisposable[] = [];

beforeEach(async () => {
  runDir = await mkdtemp(join(tmpdir(), 'control-'));
});

afterEach(async () => {
  for (const item of open.splice(0)) await item[Symbol.asyncDispose]();
  await rm(runDir, { recursive: true });
});

async function serve(
  options: Partial<ControlContext & ControlActions> = {},
): Promise<ControlServer> {
  const { log, redactor } = recordLog();
  const server = await serveControl({
    runDir,
    status: tableOfTwo(),
    redact: (text) => redactor.redact(text),
    log,
    ...options,
  });
  open.push(server);
  server.admit({
    rotate: () => Promise.resolve(),
    rescue: () => Promise.resolve([]),
    activity: () => undefined,
    ...options,
  });
  return server;
}

/** Something else that accepts connections there: `greet` decides what happens to each. */
async function otherListener(path: string, greet: (socket: Socket) => void): Promise<void> {
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on('error', () => socket.destroy());
    greet(socket);
  });
  server.listen(path);
  await once(server, 'listening');
  open.push({
    async [Symbol.asyncDispose]() {
      server.close();
      for (const socket of sockets) socket.destroy();
      await once(server, 'close');
    },
  });
}

/** A socket file whose process was killed. */
async function leaveStaleSocket(path: string): Promise<void> {
  const script = `require('net').createServer().listen(process.argv[1], () => console.log('up'))`;
  const child = spawn(process.execPath, ['-e', script, path], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  await once(child.stdout, 'data');
  child.kill('SIGKILL');
  await once(child, 'exit');
}

async function failureOf(promise: Promise<unknown>): Promise<AgentError> {
  const failure = await promise.then(
    () => null,
    (error: unknown) => error,
  );
  expect(failure).toBeInstanceOf(AgentError);
  return failure as AgentError;
}

it('the socket is for its owner only, and gone after closing', async () => {
  const server = await serve();
  const stats = await stat(join(runDir, 'agent.sock'));
  expect(stats.isSocket()).toBe(true);
  expect((stats.mode & 0o777).toString(8)).toBe('600');
  await server[Symbol.asyncDispose]();
  expect(await readdir(runDir)).toEqual([]);
});

it.runIf(process.getuid?.() === 0)('run by root, the socket belongs to the owner', async () => {
  await serve({ owner: { uid: 1234, gid: 5678 } });
  const { uid, gid } = await stat(join(runDir, 'agent.sock'));
  expect([uid, gid]).toEqual([1234, 5678]);
});

it('GET /status gives the table', async () => {
  const status = tableOfTwo();
  await serve({ status });
  expect(await fetchStatus(runDir)).toEqual(status.snapshot());
});

it('POST /activity and POST /rotate call what they are named after', async () => {
  const calls: string[] = [];
  await serve({
    activity: () => void calls.push('activity'),
    rotate: () => Promise.resolve(void calls.push('rotate')),
  });
  expect(await requestControl(runDir, 'POST', '/activity')).toEqual({ done: true });
  expect(await requestControl(runDir, 'POST', '/rotate')).toEqual({ done: true });
  expect(calls).toEqual(['activity', 'rotate']);
});

it('before and after the session is at work it tells its status and takes nothing else', async () => {
  const { log } = recordLog();
  const status = new StatusTable({ version: '1', startedAt: new Date(), reclaimAfterMs: 1000 });
  const server = await serveControl({ runDir, status, redact: (text) => text, log });
  open.push(server);
  const refused = { code: 'DAEMON_UNREACHABLE', exit: 69 };
  for (const path of ['/rotate', '/rescue', '/activity']) {
    const error = await failureOf(requestControl(runDir, 'POST', path));
    expect(error).toMatchObject(refused);
    expect(error.message).toContain('it waits for its manifest');
  }
  status.begin(null, []);
  let calls = 0;
  const activity = (): void => {
    calls += 1;
  };
  const actions = { activity, rotate: () => Promise.resolve(), rescue: () => Promise.resolve([]) };
  {
    using _admitted = server.admit(actions);
    await requestControl(runDir, 'POST', '/activity');
  }
  const late = await failureOf(requestControl(runDir, 'POST', '/activity'));
  expect(late.message).toContain('it is ending');
  expect(calls).toBe(1);
  expect(await fetchStatus(runDir)).toEqual(status.snapshot());
});

it('an AgentError of rotate arrives with code, message, remedy, data and exit code', async () => {
  const original = new ManifestError('MANIFEST_IMMUTABLE', '/resources/0/url: expected the old', {
    data: { pointer: '/resources/0/url' },
    remedy: 'Do this instead.',
  });
  await serve({ rotate: () => Promise.reject(original) });
  const error = await failureOf(requestControl(runDir, 'POST', '/rotate'));
  expect(error.toJSON()).toEqual(original.toJSON());
  expect(error.exit).toBe(65);
});

it('a token in such an error is taken out on the way', async () => {
  await serve({
    rotate: () => Promise.reject(new AgentError('MANIFEST_INVALID', `got ${SECRET}`)),
  });
  const error = await failureOf(requestControl(runDir, 'POST', '/rotate'));
  expect(error.message).toBe('got [redacted]');
});

it('a defect in rotate is INTERNAL without its inner words', async () => {
  await serve({ rotate: () => Promise.reject(new Error('inner words')) });
  const error = await failureOf(requestControl(runDir, 'POST', '/rotate'));
  expect(error.code).toBe('INTERNAL');
  expect(error.message).not.toContain('inner words');
});

it('an unknown path, a wrong method and a query are refused', async () => {
  await serve();
  const rejected = (method: 'GET' | 'POST', path: string) =>
    failureOf(requestControl(runDir, method, path)).then(({ message }) => message);
  expect(await rejected('GET', '/nothing')).toBe('There is nothing at this path.');
  expect(await rejected('GET', '/rotate')).toBe('Expected POST.');
  expect(await rejected('POST', '/status')).toBe('Expected GET.');
});

it('without a daemon it is DAEMON_UNREACHABLE: no run directory, no socket, a stale one', async () => {
  for (const dir of [join(runDir, 'none'), runDir]) {
    const error = await failureOf(requestControl(dir, 'GET', '/status'));
    expect([error.code, error.exit]).toEqual(['DAEMON_UNREACHABLE', 69]);
    expect(error.message).toContain('ENOENT');
  }
  await leaveStaleSocket(join(runDir, 'agent.sock'));
  const stale = await failureOf(requestControl(runDir, 'GET', '/status'));
  expect(stale.code).toBe('DAEMON_UNREACHABLE');
  expect(stale.message).toContain('ECONNREFUSED');
});

it('a stale socket is replaced', async () => {
  await leaveStaleSocket(join(runDir, 'agent.sock'));
  await serve();
  expect((await fetchStatus(runDir)).version).toBe('1.2.3');
});

it('a live daemon keeps its socket: the second is LISTEN_FAILED', async () => {
  await serve();
  const error = await failureOf(serve());
  expect(error.code).toBe('LISTEN_FAILED');
  expect(error.remedy).toContain('--run-dir');
  expect((await fetchStatus(runDir)).version).toBe('1.2.3');
});

it('what is no socket is left alone', async () => {
  const path = join(runDir, 'agent.sock');
  const plant = [
    () => writeFile(path, 'mine'),
    () => mkdir(path),
    () => symlink('/dev/null', path),
  ];
  for (const put of plant) {
    await put();
    expect((await failureOf(serve())).code).toBe('RUN_DIR_UNUSABLE');
    expect(await readdir(runDir)).toEqual(['agent.sock']);
    await rm(path, { recursive: true });
  }
});

it('a path that no socket can have, or a missing directory, is RUN_DIR_UNUSABLE', async () => {
  const long = join(runDir, 'x'.repeat(100));
  for (const dir of [long, join(runDir, 'none')]) {
    expect((await failureOf(serve({ runDir: dir }))).code).toBe('RUN_DIR_UNUSABLE');
  }
  expect((await failureOf(requestControl(long, 'GET', '/status'))).code).toBe('RUN_DIR_UNUSABLE');
});

it('a daemon that does not answer is given up after the timeout; an abort rethrows its reason', async () => {
  await otherListener(join(runDir, 'agent.sock'), (socket) => socket.resume());
  const late = await failureOf(requestControl(runDir, 'GET', '/status', { timeoutMs: 50 }));
  expect(late.code).toBe('DAEMON_UNREACHABLE');
  expect(late.message).toContain('50 ms');

  const abort = new AbortController();
  const reason = new Error('enough');
  const asked = requestControl(runDir, 'GET', '/status', { signal: abort.signal });
  abort.abort(reason);
  await expect(asked).rejects.toBe(reason);
  await expect(requestControl(runDir, 'GET', '/status', { signal: abort.signal })).rejects.toBe(
    reason,
  );
});

it('something else that listens there is told apart from a daemon', async () => {
  const answers = ['HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi', ''];
  await otherListener(join(runDir, 'agent.sock'), (socket) => {
    socket.once('data', () => socket.end(answers.shift() ?? ''));
  });
  expect((await failureOf(requestControl(runDir, 'GET', '/status'))).code).toBe('INTERNAL');
  const cut = await failureOf(requestControl(runDir, 'GET', '/status'));
  expect(cut.code).toBe('DAEMON_UNREACHABLE');
});

it('a rotation that takes longer than idle sockets are kept is answered', async () => {
  await serve({ rotate: () => sleep(5_600) });
  expect(await requestControl(runDir, 'POST', '/rotate')).toEqual({ done: true });
});
