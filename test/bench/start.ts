/**
 * `npm run bench:start`: how long until `mount-agent run` answers its first probe, against the barest
 * server that Node can be; what a process costs that only prints its version; and the daemon's memory
 * while it has nothing to do. Alternating runs, medians.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync, readdirSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { get } from 'node:http';
import { createServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { measure } from './measure.ts';

const { values: options } = parseArgs({
  options: {
    rounds: { type: 'string', default: '20' },
    // Another build to measure.
    main: {
      type: 'string',
      default: fileURLToPath(new URL('../../dist/main.js', import.meta.url)),
    },
  },
});

const BARE = `require('node:http').createServer((request, response) => response.end('ok')).listen(+process.argv[1], '127.0.0.1')`;
const IDLE_AFTER_MS = 5000;

interface Figures {
  readonly wallMs: number;
  readonly cpuMs: number;
}

interface Serving {
  readonly figures: Figures;
  readonly idlePssBytes: number;
}

const directory = await mkdtemp(join(tmpdir(), 'mount-agent-bench-start-'));
const manifest = join(directory, 'manifest.json');
try {
  await writeFile(manifest, '{ "resources": [] }');
  const node: Figures[] = [];
  const version: Figures[] = [];
  const bare: Figures[] = [];
  const daemon: Figures[] = [];
  for (let round = 0; round < Number(options.rounds); round++) {
    node.push(await untilEnd(['-e', '0']));
    version.push(await untilEnd([options.main, '--version']));
    bare.push((await serve(bareServer, 0)).figures);
    daemon.push((await serve(daemonAt, 0)).figures);
  }
  report('node -e 0', node);
  report('mount-agent --version', version);
  report('bare server, first answer', bare);
  report('mount-agent run, /livez', daemon);
  const ratio = median(daemon, 'wallMs') / median(bare, 'wallMs');
  console.log(`/livez against the bare server: ${ratio.toFixed(2)}`);
  const { idlePssBytes } = await serve(daemonAt, IDLE_AFTER_MS);
  console.log(`daemon, idle for ${IDLE_AFTER_MS} ms: ${(idlePssBytes / 1e6).toFixed(1)} MB (PSS)`);
} finally {
  await rm(directory, { recursive: true, force: true });
}

function bareServer(port: number): string[] {
  return ['-e', BARE, String(port)];
}

function daemonAt(port: number): string[] {
  const places = ['--mount-root', join(directory, 'mounts'), '--run-dir', join(directory, 'run')];
  return [options.main, 'run', '--manifest', manifest, '--listen', `127.0.0.1:${port}`, ...places];
}

function untilEnd(argv: readonly string[]): Promise<Figures> {
  const env = { PATH: process.env['PATH'] ?? '' };
  return measure({ argv: [process.execPath, ...argv], cwd: directory, env }, 'time');
}

/** From the start of the process to its first answer; then it idles, and is killed. */
async function serve(argvAt: (port: number) => string[], idleMs: number): Promise<Serving> {
  const port = await freePort();
  const begin = performance.now();
  const child = spawn(process.execPath, argvAt(port), { stdio: 'ignore', env: {} });
  const ended = once(child, 'exit');
  while (!(await answers(port))) {
    if (child.exitCode !== null) throw new Error(`the server ended with ${child.exitCode}`);
    await sleep(1);
  }
  const figures = { wallMs: performance.now() - begin, cpuMs: cpuMsOf(child.pid!) };
  await sleep(idleMs);
  const idlePssBytes = pssOf(child.pid!);
  child.kill('SIGKILL');
  await ended;
  return { figures, idlePssBytes };
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return port;
}

function answers(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const request = get({ host: '127.0.0.1', port, path: '/livez', agent: false }, (answer) => {
      answer.resume().once('end', () => {
        resolve(true);
      });
    });
    // Nobody listens yet.
    request.once('error', () => {
      resolve(false);
    });
  });
}

/** Of all threads (proc(5), schedstat: nanoseconds on a CPU first). */
function cpuMsOf(pid: number): number {
  const nanoseconds = readdirSync(`/proc/${pid}/task`).map((task) =>
    Number(readFileSync(`/proc/${pid}/task/${task}/schedstat`, 'utf8').split(' ')[0]),
  );
  return nanoseconds.reduce((sum, each) => sum + each, 0) / 1e6;
}

function pssOf(pid: number): number {
  const [, kilobytes] =
    /^Pss:\s+(\d+) kB/m.exec(readFileSync(`/proc/${pid}/smaps_rollup`, 'utf8')) ?? [];
  return Number(kilobytes) * 1024;
}

function median(runs: readonly Figures[], field: keyof Figures): number {
  const sorted = runs.map((run) => run[field]).sort((a, b) => a - b);
  return sorted[sorted.length >> 1] ?? NaN;
}

function report(what: string, runs: readonly Figures[]): void {
  const [wall, cpu] = [median(runs, 'wallMs'), median(runs, 'cpuMs')];
  console.log(`${what.padEnd(26)} ${wall.toFixed(0).padStart(4)} ms, CPU ${cpu.toFixed(0)} ms`);
}
