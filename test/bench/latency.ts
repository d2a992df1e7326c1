/**
 * `mount-agent run` while it clones: /livez and /status are asked every 10 ms, whether earlier
 * questions were answered or not, until every mount is ready; and its memory when the clones are done.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir } from 'node:fs/promises';
import { Agent, get } from 'node:http';
import { createServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { text } from 'node:stream/consumers';
import { setTimeout as sleep } from 'node:timers/promises';
import type { HostProcess } from '../host/host-process.ts';
import { OWNER, TOKEN, baseEnvironment, writeManifest } from './contestants.ts';
import { percentile } from './percentile.ts';
import { pssOfTree } from './process-memory.ts';
import type { Work } from './subjects.ts';
import { verify } from './verify.ts';

const EVERY_MS = 10;
/** What the daemon may take to come to rest before its memory is looked at. */
const REST_MS = 5000;

export interface Place {
  readonly host: HostProcess;
  readonly directory: string;
  /** Where `dist/main.js` is. */
  readonly root: string;
}

/** Of `/status`. */
interface MountFacts {
  readonly phase: string;
  readonly error: unknown;
}

export interface Latency {
  /** From the first answer to the last mount's being ready. */
  readonly wallMs: number;
  readonly answersMs: Readonly<Record<'/livez' | '/status', readonly number[]>>;
  /** How late the questions themselves were at the 99th percentile: what is not the daemon's. */
  readonly ownLateMs: number;
  readonly restBytes: number;
}

/** Throws when a clone is wrong, or the daemon ends. */
export async function measureLatency(place: Place, work: Work): Promise<Latency> {
  const { host, root } = place;
  const directory = join(place.directory, `${work.name}-latency`);
  await mkdir(directory);
  const tokens = [{ token: TOKEN, login: 'bench', permissions: 'read' as const }];
  for (const { name, bareDir } of work.subjects) {
    await host.addRepository({ owner: OWNER, name, bareDir, tokens });
  }
  const { worktrees, flags } = await writeManifest(host, work.subjects, directory);
  const port = await freePort();
  const listen = ['--listen', `127.0.0.1:${port}`];
  const argv = [join(root, 'dist', 'main.js'), 'run', ...flags, ...listen];
  const env = baseEnvironment(host, directory);
  const child = spawn(process.execPath, argv, { stdio: 'ignore', cwd: directory, env });
  const ended = once(child, 'exit');
  try {
    const probed = await probe(port, () => child.exitCode);
    await sleep(REST_MS);
    const restBytes = pssOfTree(child.pid!);
    for (const [at, subject] of work.subjects.entries()) {
      const wrong = await verify(subject, worktrees[at]!);
      if (wrong !== null) throw new Error(`${subject.name}: ${wrong}`);
    }
    return { ...probed, restBytes };
  } finally {
    child.kill('SIGTERM');
    await ended;
  }
}

async function probe(
  port: number,
  exitCode: () => number | null,
): Promise<Omit<Latency, 'restBytes'>> {
  const answersMs: Latency['answersMs'] & Record<string, number[]> = {
    '/livez': [],
    '/status': [],
  };
  // A connection for each question under way: none waits for the one before it.
  const agent = new Agent({ keepAlive: true });
  const seen = { mounts: [] as readonly MountFacts[] };
  while ((await ask(agent, port, '/livez')) === null) {
    if (exitCode() !== null) throw new Error(`the daemon ended with ${exitCode()}`);
    await sleep(1);
  }
  const beginMs = performance.now();
  const lateness = monitorEventLoopDelay({ resolution: 1 });
  lateness.enable();
  const timer = setInterval(() => {
    for (const path of ['/livez', '/status']) {
      const askedMs = performance.now();
      void ask(agent, port, path).then((answer) => {
        answersMs[path]!.push(performance.now() - askedMs);
        if (path !== '/status' || answer === null) return;
        seen.mounts = (JSON.parse(answer) as { mounts: MountFacts[] }).mounts;
      });
    }
  }, EVERY_MS);
  try {
    while (!allReady(seen.mounts)) {
      if (exitCode() !== null) throw new Error(`the daemon ended with ${exitCode()}`);
      await sleep(EVERY_MS);
    }
    const ownLateMs = lateness.percentile(99) / 1e6;
    return { wallMs: performance.now() - beginMs, answersMs, ownLateMs };
  } finally {
    clearInterval(timer);
    agent.destroy();
  }
}

/** Throws when a mount has failed. */
function allReady(mounts: readonly MountFacts[]): boolean {
  const failed = mounts.find(({ phase }) => phase === 'failed');
  if (failed !== undefined) throw new Error(`a mount failed: ${JSON.stringify(failed.error)}`);
  return mounts.length > 0 && mounts.every(({ phase }) => phase === 'ready');
}

/** The body, or null while nobody listens. */
function ask(agent: Agent, port: number, path: string): Promise<string | null> {
  return new Promise((resolve) => {
    const request = get({ host: '127.0.0.1', port, path, agent }, (answer) => {
      void text(answer).then(resolve);
    });
    request.once('error', () => {
      resolve(null);
    });
  });
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return port;
}

export function latencyLines({ name }: Work, measured: Latency): string {
  const { wallMs, answersMs, ownLateMs, restBytes } = measured;
  const lines = Object.entries(answersMs).map(([path, values]) => {
    const [half, most, all] = [0.5, 0.99, 1].map((share) => percentile(values, share).toFixed(1));
    return `${path}: ${values.length} answers, median ${half} ms, p99 ${most} ms, longest ${all} ms`;
  });
  return [
    `**${name}**: ready after ${(wallMs / 1000).toFixed(2)} s`,
    ...lines,
    `the questions were late by ${ownLateMs.toFixed(1)} ms themselves (p99)`,
    `daemon ${REST_MS / 1000} s later: ${Math.round(restBytes / 1e6)} MB (PSS)`,
  ].join('\n');
}
