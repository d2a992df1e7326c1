/**
 * In: the bundles in dist/. Out: V8's code cache beside each, made by a run of it that does what every
 * start does: a manifest, the endpoint, a clone of a small repository, with its threads; and a rescue
 * of another one.
 */
import { spawn } from 'node:child_process';
import type { ChildProcess, ChildProcessByStdio } from 'node:child_process';
import { once } from 'node:events';
import fs from 'node:fs';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { constants, tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import type { Readable, Writable } from 'node:stream';
import { fileURLToPath } from 'node:url';
import * as git from 'isomorphic-git';
import type { CloneJob } from '../agent/clone/clone-job.ts';
import { TRANSPORT_LIMITS } from '../agent/clone/transport-limits.ts';
import { MESSAGE_FD } from '../agent/job-message.ts';
import type { JobOrder } from '../agent/job-message.ts';
import { PACK_LIMITS } from '../agent/pack/limits.ts';
import type { CaptureJob } from '../agent/rescue/rescue-job.ts';
import { RehearsalHost } from './rehearsal-host.ts';
import { makeRehearsalPack } from './rehearsal-pack.ts';

const REHEARSAL = fileURLToPath(new URL('rehearsal.ts', import.meta.url));
const TOKEN = 'none';

export interface Rehearsal {
  /** Puts what writes the threads' cache in place of what starts them. */
  readonly beforeThreads: () => Promise<void>;
}

/** @throws when a bundle does not get as far as it should. */
export async function rehearse(dist: string, { beforeThreads }: Rehearsal): Promise<void> {
  const directory = await mkdtemp(join(tmpdir(), 'mount-agent-build-'));
  try {
    await using host = await RehearsalHost.start(makeRehearsalPack());
    await rehearseDaemon(dist, directory, host.url);
    await rehearseMount(dist, directory, host.url);
    await rehearseRescue(dist, directory, host.url);
    await beforeThreads();
    await rehearseWorker(dist, directory, host.url);
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}

async function rehearseDaemon(dist: string, directory: string, url: string): Promise<void> {
  const flags = await writeSession(join(directory, 'daemon'), url);
  const argv = [join(dist, 'main.bundle.js'), 'run', '--listen=127.0.0.1:0', ...flags];
  const daemon = start(argv);
  for await (const line of createInterface({ input: daemon.stderr })) {
    const { msg, listen } = JSON.parse(line) as LogLine;
    if (listen?.[0] !== undefined) await probe(listen[0].port);
    // What it does with a mount that is ready comes after it.
    if (msg === 'the token is good for a push') daemon.kill('SIGTERM');
    if (msg === 'mount failed') throw new Error(`the daemon did not mount: ${line}`);
  }
  await ended(daemon, 128 + constants.signals.SIGTERM);
}

interface LogLine {
  readonly msg: string;
  readonly listen?: readonly { readonly port: number }[];
}

async function probe(port: number): Promise<void> {
  for (const path of ['/livez', '/readyz', '/healthz', '/status']) {
    await (await fetch(`http://127.0.0.1:${port}${path}`)).text();
  }
}

async function rehearseMount(dist: string, directory: string, url: string): Promise<void> {
  const flags = await writeSession(join(directory, 'mount'), url);
  await ended(start([join(dist, 'main-mount.bundle.js'), 'mount', ...flags]), 0);
}

/** A manifest and the places for its mounts. @returns the flags that say so. */
async function writeSession(directory: string, url: string): Promise<string[]> {
  await mkdir(directory);
  const manifest = join(directory, 'manifest.json');
  const resource = { type: 'github_repository', url, authorization_token: TOKEN };
  await writeFile(manifest, JSON.stringify({ session_id: 'rehearsal', resources: [resource] }));
  const flags = Object.entries({
    manifest,
    'mount-root': join(directory, 'mounts'),
    'run-dir': join(directory, 'run'),
    'retry-for': '0s',
  });
  return ['--allow-http', ...flags.map(([name, value]) => `--${name}=${value}`)];
}

async function rehearseWorker(dist: string, directory: string, url: string): Promise<void> {
  const worktree = join(directory, 'clone');
  await mkdir(worktree);
  const job: CloneJob = {
    url,
    originUrl: url,
    worktree,
    checkout: null,
    token: TOKEN,
    allowHttp: true,
    environment: {},
    limits: { transport: TRANSPORT_LIMITS, pack: PACK_LIMITS },
  };
  const worker = start([join(dist, 'clone-worker.bundle.js')]);
  const last = await doneBy(worker, job);
  if (!last.includes('"outcome"')) throw new Error(`the worker made no clone: ${last}`);
}

async function rehearseRescue(dist: string, directory: string, url: string): Promise<void> {
  const mount = join(directory, 'rescued');
  await makeRepository(mount, url);
  const out = join(directory, 'rescues');
  const argv = [join(dist, 'main-rescue.bundle.js'), 'rescue', '--out', out, mount];
  await ended(start(argv), 0);
  const job: CaptureJob = {
    kind: 'capture',
    ...{ mount, mountPath: mount, url, sessionId: null, out, remoteRefs: null },
    ...{ includeIgnored: false, selfContained: false },
  };
  const worker = start([join(dist, 'rescue-worker.bundle.js')]);
  const last = await doneBy(worker, job);
  if (!last.includes('risksCovered')) throw new Error(`the worker saved nothing: ${last}`);
}

/** @returns what the worker says last of the job; it has ended then. */
async function doneBy(worker: ReturnType<typeof start>, job: unknown): Promise<string> {
  const order: JobOrder = { type: 'job', id: 1, job };
  worker.stdin.write(`${JSON.stringify(order)}\n`);
  let last = '';
  for await (const line of createInterface({ input: worker.stdio[MESSAGE_FD] as Readable })) {
    last = line;
    // The end of its input ends a worker, whatever it is at.
    if (!line.includes('"progress"')) worker.stdin.end();
  }
  await ended(worker, 0);
  return last;
}

/** A commit that the remote has, one that it has not, a changed file and an untracked one. */
async function makeRepository(dir: string, url: string): Promise<void> {
  const author = { name: 'rehearsal', email: 'rehearsal@example.com' };
  await git.init({ fs, dir });
  await git.addRemote({ fs, dir, remote: 'origin', url });
  for (const message of ['one', 'two']) {
    await writeFile(join(dir, '.gitignore'), `*.log\n${message}\n`);
    await writeFile(join(dir, 'file'), `${message}\n`.repeat(20));
    await git.add({ fs, dir, filepath: ['.gitignore', 'file'] });
    const value = await git.commit({ fs, dir, message, author });
    const ref = 'refs/remotes/origin/main';
    if (message === 'one') await git.writeRef({ fs, dir, ref, value });
  }
  await writeFile(join(dir, 'file'), 'three\n'.repeat(20));
  await writeFile(join(dir, 'untracked'), 'four\n');
}

function start(argv: readonly string[]): ChildProcessByStdio<Writable, null, Readable> {
  const child = spawn(process.execPath, ['--import', 'tsx', REHEARSAL, ...argv], {
    stdio: ['pipe', 'ignore', 'pipe', 'pipe'],
  });
  return child as ChildProcessByStdio<Writable, null, Readable>;
}

async function ended(child: ChildProcess, expected: number): Promise<void> {
  if (child.exitCode === null && child.signalCode === null) await once(child, 'exit');
  if (child.exitCode === expected) return;
  throw new Error(`a rehearsal ended with ${child.exitCode ?? child.signalCode ?? 'nothing'}`);
}
