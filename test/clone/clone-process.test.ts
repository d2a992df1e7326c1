import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { CloneJob, CloneOutcome } from '../../agent/clone/clone-job.ts';
import { cloneInProcess } from '../../agent/clone/clone-process.ts';
import type { CloneProcessContext } from '../../agent/clone/clone-process.ts';
import { SpareProcess } from '../../agent/clone/spare-process.ts';
import { AgentError } from '../../agent/errors.ts';
import { createLog, Redactor } from '../../agent/log.ts';
import { GitServer } from './git-server.ts';
import { makeJob, TOKEN } from './job.ts';
import { git, makeOrigin, Sandbox } from './sandbox.ts';

const WORKER = fileURLToPath(new URL('../../dist/clone-worker.js', import.meta.url));

let sandbox: Sandbox;
beforeEach(() => {
  sandbox = new Sandbox();
});
afterEach(() => {
  sandbox[Symbol.dispose]();
});

const log = createLog({ level: 'silent', destination: { write: () => undefined } }, new Redactor());

function start(job: CloneJob, change: Partial<CloneProcessContext> = {}): Promise<CloneOutcome> {
  return cloneInProcess(job, {
    signal: new AbortController().signal,
    onProgress: () => undefined,
    log,
    env: { ...process.env, GH_TOKEN: TOKEN },
    workerPath: WORKER,
    ...change,
  });
}

async function errorOf(cloning: Promise<unknown>): Promise<AgentError> {
  const error: unknown = await cloning.catch((reason: unknown) => reason);
  if (error instanceof AgentError) return error;
  throw new Error(`expected an AgentError, got ${String(error)}`);
}

/** Live and zombie children of this process. */
function children(): string[] {
  return readFileSync(`/proc/self/task/${process.pid}/children`, 'utf8')
    .trim()
    .split(' ')
    .filter(Boolean);
}

/** The one child that runs the worker, once it is there. */
async function workerPid(before: readonly string[]): Promise<string> {
  return until(() =>
    children().find((pid) => !before.includes(pid) && read(pid, 'cmdline').includes('worker.js')),
  );
}

function read(pid: string, name: string): string {
  const path = `/proc/${pid}/${name}`;
  return existsSync(path) ? readFileSync(path, 'latin1') : '';
}

async function until<T>(look: () => T | undefined): Promise<T> {
  const deadline = performance.now() + 10_000;
  for (;;) {
    const found = look();
    if (found !== undefined) return found;
    if (performance.now() > deadline) throw new Error('it never came');
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

/** A host that takes requests and says nothing. */
function silentHost(): Promise<GitServer> {
  return GitServer.start({ root: sandbox.directory, intercept: () => true });
}

/** Resolves once the host was asked for something. */
async function asked(server: GitServer): Promise<void> {
  await until(() => server.seen[0]);
}

describe('SpareProcess', () => {
  const env = { ...process.env, GH_TOKEN: TOKEN };

  it('is used for the first clone, and leaves the next one to start its own', async () => {
    makeOrigin(sandbox, 'plain');
    await using server = await GitServer.start({ root: sandbox.directory });
    using spare = new SpareProcess({ env, workerPath: WORKER });
    const waiting = children();
    // Any other process than the spare one could not be started.
    const workerPath = '/nonexistent/worker.js';
    await start(makeJob(`${server.origin}/plain.git`, sandbox.path('ours')), { spare, workerPath });
    expect(spare.take()).toBeNull();
    expect(children().length).toBeLessThan(waiting.length);
    const second = start(makeJob(`${server.origin}/plain.git`, sandbox.path('next')), {
      spare,
      workerPath,
    });
    expect((await errorOf(second)).code).toBe('CLONE_WORKER_DIED');
  });

  it('ends when nobody took it, and a dead one is not handed out', async () => {
    const unused = new SpareProcess({ env, workerPath: WORKER });
    const [pid = ''] = children().filter((child) => read(child, 'cmdline').includes('worker.js'));
    expect(read(pid, 'environ')).not.toContain(TOKEN);
    unused[Symbol.dispose]();
    await until(() => !children().includes(pid) || undefined);
    const dead = new SpareProcess({ env, workerPath: '/nonexistent' });
    await until(() => dead.take() === null || undefined);
  });
});

describe('cloneInProcess()', () => {
  it('clones in a process of its own and hands progress and outcome over', async () => {
    const bare = makeOrigin(sandbox, 'plain');
    await using server = await GitServer.start({ root: sandbox.directory });
    const phases = new Set<string>();
    const job = makeJob(`${server.origin}/plain.git`, sandbox.path('ours'));
    const outcome = await start(job, { onProgress: ({ phase }) => phases.add(phase) });
    const oid = git(bare, 'rev-parse', 'main').trim();
    expect(outcome).toMatchObject({
      head: { ref: 'refs/heads/main', oid },
      files: 3,
      credential: 'ok',
    });
    expect([...phases]).toEqual(['connecting', 'receiving', 'indexing', 'checking_out']);
    expect(git(sandbox.path('ours'), 'status', '--porcelain=v2')).toBe('');
  });

  it('shows the token neither in the arguments nor in the environment of the process', async () => {
    const before = children();
    await using server = await silentHost();
    const abort = new AbortController();
    const job = makeJob(`${server.origin}/a/b`, sandbox.path('ours'));
    const cloning = start(job, { signal: abort.signal });
    cloning.catch(() => undefined);
    const pid = await workerPid(before);
    await asked(server);
    const basic = Buffer.from(`x-access-token:${TOKEN}`).toString('base64');
    for (const name of ['cmdline', 'environ']) {
      expect(read(pid, name)).not.toContain(TOKEN);
      expect(read(pid, name)).not.toContain(basic);
    }
    expect(read(pid, 'environ')).not.toMatch(/(^|\0)(PATH|HOME|GH_TOKEN)=/);
    abort.abort(new Error('seen enough'));
    await expect(cloning).rejects.toThrow('seen enough');
  });

  it('rebuilds the error of the process, without the token that the host echoed', async () => {
    await using server = await GitServer.start({
      root: sandbox.directory,
      intercept: (request, response) => {
        response.writeHead(403, { 'content-type': 'text/plain', 'retry-after': '60' });
        response.end(`no: ${TOKEN} ${String(request.headers.authorization)}`);
        return true;
      },
    });
    const error = await errorOf(start(makeJob(`${server.origin}/a/b`, sandbox.path('ours'))));
    expect(error).toMatchObject({ code: 'TRANSPORT_RATE_LIMITED', transient: true });
    expect(error.retryAtMs).toBeGreaterThan(Date.now());
    expect(error.message).toContain('[redacted]');
    expect(JSON.stringify(error)).not.toContain(TOKEN);
    const basic = Buffer.from(`x-access-token:${TOKEN}`).toString('base64');
    expect(JSON.stringify(error)).not.toContain(basic.slice(24, 60));
  });

  it('calls a killed process by its name, and by its signal', async () => {
    const before = children();
    await using server = await silentHost();
    const cloning = errorOf(start(makeJob(`${server.origin}/a/b`, sandbox.path('ours'))));
    const pid = await workerPid(before);
    await asked(server);
    process.kill(Number(pid), 'SIGKILL');
    expect(await cloning).toMatchObject({
      code: 'CLONE_WORKER_DIED',
      transient: true,
      data: { signalCode: 'SIGKILL' },
    });
  });

  it('calls a process that ends without a word by its exit code', async () => {
    sandbox.write('silent.mjs', 'process.stdin.once("data", () => process.exit(3));');
    const job = makeJob('http://host/a/b', sandbox.path('ours'));
    const error = await errorOf(start(job, { workerPath: sandbox.path('silent.mjs') }));
    expect(error).toMatchObject({ code: 'CLONE_WORKER_DIED', data: { exitCode: 3 } });
  });

  it('does not wait for a process that cannot even start', async () => {
    const job = makeJob('http://host/a/b', sandbox.path('ours'));
    const error = await errorOf(start(job, { workerPath: sandbox.path('absent.mjs') }));
    expect(error).toMatchObject({ code: 'CLONE_WORKER_DIED', data: { exitCode: 1 } });
    expect(String(error.cause)).toContain('absent.mjs');
  });

  it('ends the process when aborted, and leaves no child and no descriptor', async () => {
    const before = children();
    await using server = await silentHost();
    const abort = new AbortController();
    const descriptors = readdirSync('/proc/self/fd').length;
    const cloning = start(makeJob(`${server.origin}/a/b`, sandbox.path('ours')), {
      signal: abort.signal,
    });
    cloning.catch(() => undefined);
    await asked(server);
    abort.abort(new Error('enough'));
    await expect(cloning).rejects.toThrow('enough');
    expect(children()).toEqual(before);
    // The server's end of the connection closes a moment later.
    await until(() => (readdirSync('/proc/self/fd').length <= descriptors ? true : undefined));
  });

  it('kills a process that ignores the abort', async () => {
    sandbox.write(
      'stubborn.mjs',
      'process.on("SIGTERM", () => {}); process.stdin.resume(); process.stdin.once("data", () => process.stderr.write("ready"));',
    );
    const abort = new AbortController();
    const before = children();
    const job = makeJob('http://host/a/b', sandbox.path('ours'));
    const cloning = start(job, { signal: abort.signal, workerPath: sandbox.path('stubborn.mjs') });
    cloning.catch(() => undefined);
    const pid = await until(() => children().find((child) => !before.includes(child)));
    // Bit 14 of SigCgt: it catches SIGTERM by now.
    await until(() => (catches(pid, 15) ? true : undefined));
    abort.abort(new Error('enough'));
    await expect(cloning).rejects.toThrow('enough');
    expect(children()).toEqual(before);
  });

  it('the process ends when its standard input does, as when the daemon died', async () => {
    await using server = await silentHost();
    const worker = spawn(process.execPath, [WORKER], {
      stdio: ['pipe', 'pipe', 'pipe', 'pipe'],
      env: {},
    });
    let said = '';
    for (const stream of [worker.stdout, worker.stderr])
      stream.on('data', (text) => (said += String(text)));
    worker.stdin.write(
      `${JSON.stringify(makeJob(`${server.origin}/a/b`, sandbox.path('ours')))}\n`,
    );
    await asked(server);
    worker.stdin.end();
    const [exitCode] = (await once(worker, 'close')) as [number];
    expect(exitCode).toBe(69);
    expect(said).toBe('');
  });
});

function catches(pid: string, signal: number): boolean {
  const mask = /^SigCgt:\s*([0-9a-f]+)$/m.exec(read(pid, 'status'))?.[1];
  return mask !== undefined && ((BigInt(`0x${mask}`) >> BigInt(signal - 1)) & 1n) === 1n;
}
