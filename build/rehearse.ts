/**
 * In: the bundles in dist/. Out: V8's code cache beside each, made by a run of it that does what every
 * start does: a manifest, the endpoint, the clone process, up to a host that refuses the connection.
 */
import { spawn } from 'node:child_process';
import type { ChildProcess, ChildProcessByStdio } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { constants, tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import type { Readable, Writable } from 'node:stream';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import type { CloneJob } from '../agent/clone/clone-job.ts';
import { WORKER_FLAGS } from '../agent/clone/spare-process.ts';
import { TRANSPORT_LIMITS } from '../agent/clone/transport-limits.ts';
import { MESSAGE_FD } from '../agent/job-message.ts';
import { PACK_LIMITS } from '../agent/pack/limits.ts';

const REHEARSAL = fileURLToPath(new URL('rehearsal.ts', import.meta.url));
/** Nobody listens on tcpmux. */
const HOST = 'http://127.0.0.1:1/o/n';
const TOKEN = 'none';

/** @throws when a bundle does not get as far as it should. */
export async function rehearse(dist: string): Promise<void> {
  const directory = await mkdtemp(join(tmpdir(), 'mount-agent-build-'));
  try {
    await rehearseDaemon(dist, directory);
    await rehearseWorker(dist, directory);
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}

async function rehearseDaemon(dist: string, directory: string): Promise<void> {
  const manifest = join(directory, 'manifest.json');
  const resource = { type: 'github_repository', url: HOST, authorization_token: TOKEN };
  await writeFile(manifest, JSON.stringify({ session_id: 'rehearsal', resources: [resource] }));
  const flags = Object.entries({
    manifest,
    'mount-root': join(directory, 'mounts'),
    'run-dir': join(directory, 'run'),
    listen: '127.0.0.1:0',
    'retry-for': '0s',
  }).map(([name, value]) => `--${name}=${value}`);
  const argv = [join(dist, 'main.bundle.js'), 'run', '--allow-http', ...flags];
  const daemon = start([], argv);
  for await (const line of createInterface({ input: daemon.stderr })) {
    const { msg, listen } = JSON.parse(line) as LogLine;
    if (listen?.[0] !== undefined) await probe(listen[0].port);
    if (msg === 'mount failed') daemon.kill('SIGTERM');
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

async function rehearseWorker(dist: string, directory: string): Promise<void> {
  const worktree = join(directory, 'clone');
  await mkdir(worktree);
  const job: CloneJob = {
    url: HOST,
    originUrl: HOST,
    worktree,
    checkout: null,
    token: TOKEN,
    allowHttp: true,
    environment: {},
    limits: { transport: TRANSPORT_LIMITS, pack: PACK_LIMITS },
  };
  const worker = start(WORKER_FLAGS, [join(dist, 'clone-worker.bundle.js')]);
  // Its end would end the worker.
  worker.stdin.write(`${JSON.stringify(job)}\n`);
  const messages = text(worker.stdio[MESSAGE_FD] as Readable);
  await ended(worker, 0);
  const last = await messages;
  if (!last.includes('TRANSPORT_UNREACHABLE')) throw new Error(`the worker did not try: ${last}`);
}

function start(
  flags: readonly string[],
  argv: readonly string[],
): ChildProcessByStdio<Writable, null, Readable> {
  const child = spawn(process.execPath, [...flags, '--import', 'tsx', REHEARSAL, ...argv], {
    stdio: ['pipe', 'ignore', 'pipe', 'pipe'],
  });
  return child as ChildProcessByStdio<Writable, null, Readable>;
}

async function ended(child: ChildProcess, expected: number): Promise<void> {
  if (child.exitCode === null && child.signalCode === null) await once(child, 'exit');
  if (child.exitCode === expected) return;
  throw new Error(`a rehearsal ended with ${child.exitCode ?? child.signalCode ?? 'nothing'}`);
}
