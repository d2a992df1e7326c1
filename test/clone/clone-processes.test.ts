import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { constants, getPriority } from 'node:os';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { CloneJob, CloneOutcome } from '../../agent/clone/clone-job.ts';
import { CloneHere } from '../../agent/clone/clone-here.ts';
import { startCloneProcess } from '../../agent/clone/clone-process.ts';
import { CloneProcesses } from '../../agent/clone/clone-processes.ts';
import type { CloneContext } from '../../agent/clone/clone-processes.ts';
import { AgentError } from '../../agent/errors.ts';
import { JobProcess } from '../../agent/job-process.ts';
import { createLog, Redactor } from '../../agent/log.ts';
import { makeRepository } from '../fixtures/cache.ts';
import { randomBlobs } from '../fixtures/memory-repositories.ts';
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

const env = { ...process.env, GH_TOKEN: TOKEN };

function processes(jobs: number, { workerPath = WORKER, cores = 2 } = {}): CloneProcesses {
  return new CloneProcesses({ env, workerPath }, jobs, cores);
}

function cloneWith(
  clones: CloneProcesses,
  job: CloneJob,
  change: Partial<CloneContext> = {},
): Promise<CloneOutcome> {
  const { signal } = new AbortController();
  return clones.clone(job, { signal, onProgress: () => undefined, log, ...change });
}

/** One clone by itself. */
async function start(
  job: CloneJob,
  { workerPath = WORKER, ...change }: Partial<CloneContext> & { workerPath?: string } = {},
): Promise<CloneOutcome> {
  await using clones = processes(1, { workerPath });
  return await cloneWith(clones, job, change);
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

/** Its size in bytes, now or at its peak: proc_pid_status(5). */
function addressesOf(pid: string, field: 'VmSize' | 'VmPeak'): number {
  const [, kilobytes] = new RegExp(`^${field}:\\s+(\\d+) kB`, 'm').exec(read(pid, 'status')) ?? [];
  return Number(kilobytes) * 1024;
}

/** Of its main thread, from which later ones inherit it; see proc_pid_stat(5). */
function nicenessOf(pid: string): number {
  const stat = read(pid, 'stat');
  return Number(stat.slice(stat.lastIndexOf(')')).split(' ')[17]);
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

/** Pids of the workers among the children. */
function workers(): string[] {
  return children().filter((pid) => read(pid, 'cmdline').includes('worker.js'));
}

/** Repositories under way at a host that says nothing of those called `silent…`. */
async function hostOfBoth(): Promise<GitServer> {
  makeOrigin(sandbox, 'plain');
  return GitServer.start({
    root: sandbox.directory,
    intercept: ({ url }) => url?.startsWith('/silent') === true,
  });
}

function jobFor(server: GitServer, name: string): CloneJob {
  return makeJob(`${server.origin}/${name}.git`, sandbox.path(`clone of ${name}`));
}

describe('CloneProcesses', () => {
  it('starts one process ahead, which takes the clones one after the other', async () => {
    makeOrigin(sandbox, 'plain');
    await using server = await GitServer.start({ root: sandbox.directory });
    await using clones = processes(2);
    const [pid = ''] = await until(() => (workers().length === 1 ? workers() : undefined));
    expect(read(pid, 'environ')).not.toContain(TOKEN);
    // The daemon's answers come first, also where it stands back itself.
    expect(nicenessOf(pid)).toBe(Math.min(getPriority() + 5, constants.priority.PRIORITY_LOW));
    // What one read of a socket takes is given back at once.
    const [, threshold] = /(?:^|\0)MALLOC_MMAP_THRESHOLD_=(\d+)\0/.exec(read(pid, 'environ')) ?? [];
    expect(Number(threshold)).toBeLessThanOrEqual(2 ** 16);
    for (const name of ['first', 'second']) {
      const job = makeJob(`${server.origin}/plain.git`, sandbox.path(name));
      expect((await cloneWith(clones, job)).files).toBe(3);
      expect(git(sandbox.path(name), 'status', '--porcelain=v2')).toBe('');
      expect(workers()).toEqual([pid]);
    }
    await clones.endIdle();
    expect(workers()).toEqual([]);
  });

  it('starts none ahead where it is not to, and none at all while this one clones, until it has failed', async () => {
    await using server = await hostOfBoth();
    await using clones = new CloneProcesses({ env, workerPath: WORKER, isAhead: false }, 1);
    const here = new CloneHere();
    clones.use(here);
    expect((await cloneWith(clones, jobFor(server, 'plain'))).files).toBe(3);
    expect(here.isOpen).toBe(true);
    expect(workers()).toEqual([]);

    const error = await errorOf(cloneWith(clones, jobFor(server, 'absent')));
    expect(error.code).toBe('TRANSPORT_NOT_FOUND');
    expect(here).toMatchObject({ isOpen: false, jobCount: 0 });
    const again = cloneWith(clones, makeJob(`${server.origin}/plain.git`, sandbox.path('again')));
    expect(workers()).toHaveLength(1);
    expect((await again).files).toBe(3);
  });

  it('a clone in this process ends with the reason that it was aborted for', async () => {
    await using server = await silentHost();
    await using clones = new CloneProcesses({ env, workerPath: WORKER, isAhead: false }, 1);
    clones.use(new CloneHere());
    const abort = new AbortController();
    const cloning = cloneWith(clones, jobFor(server, 'silent'), { signal: abort.signal });
    await asked(server);
    abort.abort(new Error('enough'));
    await expect(cloning).rejects.toThrow('enough');
    expect(workers()).toEqual([]);
  });

  it('ends a process that has had nothing to do for a while', async () => {
    makeOrigin(sandbox, 'plain');
    await using server = await GitServer.start({ root: sandbox.directory });
    await using clones = processes(1);
    const jobInto = (name: string): CloneJob =>
      makeJob(`${server.origin}/plain.git`, sandbox.path(name));
    await cloneWith(clones, jobInto('first'));
    await until(() => (workers().length === 0 ? true : undefined));
    expect((await cloneWith(clones, jobInto('second'))).files).toBe(3);
  });

  it('ends a process with its last clone when no more is expected, and waits until it is gone', async () => {
    makeOrigin(sandbox, 'plain');
    await using server = await GitServer.start({ root: sandbox.directory });
    await using clones = processes(1);
    clones.expectNoMore();
    await cloneWith(clones, makeJob(`${server.origin}/plain.git`, sandbox.path('first')));
    await clones.endIdle();
    expect(workers()).toEqual([]);
    const again = makeJob(`${server.origin}/plain.git`, sandbox.path('again'));
    expect((await cloneWith(clones, again)).files).toBe(3);
  });

  it('has as many processes as cores, and in each as many clones as --jobs asks for', async () => {
    await using server = await silentHost();
    await using clones = processes(4, { cores: 2 });
    const abort = new AbortController();
    const under = ['a', 'b', 'c', 'd'].map((name) =>
      cloneWith(clones, jobFor(server, name), { signal: abort.signal }),
    );
    const ended = Promise.allSettled(under);
    await until(() => (server.seen.length === 4 ? true : undefined));
    expect(workers()).toHaveLength(2);
    abort.abort(new Error('seen enough'));
    expect((await ended).every(({ status }) => status === 'rejected')).toBe(true);
    expect(workers()).toEqual([]);
  });

  it('takes the process that was started ahead for it, unless that has ended', async () => {
    await using server = await hostOfBoth();
    const context = { env, workerPath: WORKER };
    const [running, killed] = [startCloneProcess(context), startCloneProcess(context)];
    killed.kill('SIGKILL');
    await once(killed, 'close');
    for (const started of [running, killed]) {
      await using clones = new CloneProcesses({ ...context, started }, 1);
      expect(workers().includes(String(running.pid))).toBe(started === running);
      expect(workers()).toHaveLength(1);
      const job = makeJob(`${server.origin}/plain.git`, sandbox.path(`of ${started.pid}`));
      expect((await cloneWith(clones, job)).files).toBe(3);
    }
    expect(workers()).toEqual([]);
  });

  it('an aborted clone leaves the one beside it alone, and its process takes no other', async () => {
    await using server = await hostOfBoth();
    await using clones = processes(3, { cores: 1 });
    const abort = new AbortController();
    const [aborted, other] = ['silent', 'silent-too'].map((name) =>
      cloneWith(clones, jobFor(server, name), name === 'silent' ? { signal: abort.signal } : {}),
    );
    const otherError = errorOf(other!);
    await until(() => (server.seen.length === 2 ? true : undefined));
    const [pid = ''] = workers();
    abort.abort(new Error('enough'));
    await expect(aborted).rejects.toThrow('enough');
    expect(workers()).toEqual([pid]);
    expect((await cloneWith(clones, jobFor(server, 'plain'))).files).toBe(3);
    expect(workers()).toHaveLength(2);
    process.kill(Number(pid), 'SIGKILL');
    expect((await otherError).code).toBe('CLONE_WORKER_DIED');
  });

  it('a process killed with two clones fails both, and each can be begun again', async () => {
    await using server = await hostOfBoth();
    await using clones = processes(2, { cores: 1 });
    const errors = ['silent', 'silent-too'].map((name) =>
      errorOf(cloneWith(clones, jobFor(server, name))),
    );
    await until(() => (server.seen.length === 2 ? true : undefined));
    const [pid = ''] = workers();
    process.kill(Number(pid), 'SIGKILL');
    for (const error of await Promise.all(errors)) {
      expect(error).toMatchObject({ code: 'CLONE_WORKER_DIED', transient: true });
    }
    expect((await cloneWith(clones, jobFor(server, 'plain'))).files).toBe(3);
  });

  it('a clone that is to be alone has a process of its own, which ends with it', async () => {
    await using server = await hostOfBoth();
    await using clones = processes(4, { cores: 1 });
    const abort = new AbortController();
    const beside = cloneWith(clones, jobFor(server, 'silent'), { signal: abort.signal });
    beside.catch(() => undefined);
    await asked(server);
    const [pid] = workers();
    const pids = new Set<string>();
    await cloneWith(clones, jobFor(server, 'plain'), {
      alone: true,
      onProgress: () => {
        for (const worker of workers()) pids.add(worker);
      },
    });
    expect(pids.size).toBe(2);
    expect(workers()).toEqual([pid]);
    abort.abort(new Error('enough'));
    await expect(beside).rejects.toThrow('enough');
  });
});

describe('a clone in a process', () => {
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

  it('the process collects what sockets gave, and all that its clone left, the memory of the pack too', async () => {
    await makeRepository(randomBlobs('large', 1, 24e6), sandbox.path('large.git'));
    await using server = await GitServer.start({ root: sandbox.directory });
    const stdio = ['pipe', 'pipe', 'pipe', 'pipe'] as const;
    const child = spawn(process.execPath, ['--trace-gc', WORKER], { stdio: [...stdio], env: {} });
    let said = '';
    child.stdout.on('data', (text) => (said += String(text)));
    const pid = String(child.pid);
    const worker = new JobProcess(child);
    await worker.run(makeJob(`${server.origin}/large.git`, sandbox.path('ours')), {
      signal: new AbortController().signal,
      onProgress: () => undefined,
      log,
      name: 'the process',
      diedCode: 'CLONE_WORKER_DIED',
    });
    // V8 reserves 8 to 10 GiB of addresses for it.
    expect(addressesOf(pid, 'VmPeak')).toBeGreaterThan(7 * 2 ** 30);
    // "testing" is what V8 calls a collection that was asked for.
    await until(() => (/Mark-Compact .* testing/.test(said) ? true : undefined));
    expect(said).toMatch(/Scavenge .* testing/);
    await until(() => (addressesOf(pid, 'VmSize') < 7 * 2 ** 30 ? true : undefined));
    await worker.end();
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
    const job = makeJob(`${server.origin}/a/b`, sandbox.path('ours'));
    worker.stdin.write(`${JSON.stringify({ type: 'job', id: 1, job })}\n`);
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
