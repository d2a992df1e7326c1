/**
 * One planted fault → how long it takes to its cause with the commands of docs/operations.md, and
 * nothing else. The daemon runs for real, its log goes to a file, and the commands are run as they
 * stand in the document, one after the other, until one shows the code and the words.
 */
import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, openSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { CLEAN_GIT_ENVIRONMENT } from '../fixtures/cache.ts';
import { TOKENS, hostWithTwoRepositories } from '../host/host-fixture.ts';
import type { Plan, PlantedFault } from './faults.ts';

const ROOT = new URL('../../', import.meta.url);
const PROGRAM = new URL('dist/main.js', ROOT).pathname;
/** A person reads so many words in a minute. */
export const WORDS_PER_MINUTE = 200;
/** By then the daemon has ended, or a mount has failed for the first time. */
const SETTLED_WITHIN_MS = 25_000;
/** In the log: there is something to find out. */
export const SETTLED = /"mount failed|waiting for the manifest"/;

export interface Diagnosis {
  readonly fault: string;
  readonly code: string;
  /** The command that showed the cause, from 1; null: none did. */
  readonly command: number | null;
  /** From the first command's start to that one's end. */
  readonly commandsMs: number;
  /** In what was printed up to there. */
  readonly words: number;
  readonly output: string;
}

/** The lines of the first shell block after the marker. */
export function documentCommands(): string[] {
  const text = readFileSync(new URL('docs/operations.md', ROOT), 'utf8');
  const block = /<!-- three commands -->\s+```sh\n([^`]+)```/.exec(text)?.[1] ?? '';
  return block.split('\n').filter((line) => line.trim() !== '' && !line.startsWith('#'));
}

export async function diagnose(fault: PlantedFault): Promise<Diagnosis> {
  await using two = await hostWithTwoRepositories();
  const directory = join(two.directory, 'session');
  for (const name of ['app', 'home']) mkdirSync(join(directory, name), { recursive: true });
  const plan: Plan = {
    host: two.host,
    place: (path) => path,
    resource: {
      type: 'github_repository',
      url: two.host.url('acme', 'web'),
      mount_path: join(directory, 'app/web'),
      authorization_token: TOKENS.web,
    },
    environment: {
      ...CLEAN_GIT_ENVIRONMENT,
      ...two.host.environment,
      HOME: join(directory, 'home'),
    },
    flags: [],
    diskLimit: null,
    manifest: (resource) => JSON.stringify({ resources: [resource] }),
    cleanUp: [],
  };
  await fault.plant(plan);
  const manifest = join(directory, 'manifest.json');
  if (plan.manifest !== null) {
    writeFileSync(manifest, plan.manifest(plan.resource), { mode: 0o600 });
  }
  await using _daemon = await startDaemon(plan, directory, manifest);
  try {
    const env = environmentOf(plan, directory, manifest);
    return await follow(fault, (command) => shell(command, env, directory));
  } finally {
    for (const cleanUp of plan.cleanUp) cleanUp();
  }
}

/** Resolves when there is something to find out: it ended, or a mount has failed, or it waits. */
async function startDaemon(
  { diskLimit, flags, environment }: Plan,
  directory: string,
  manifest: string,
): Promise<AsyncDisposable> {
  const logPath = join(directory, 'log');
  const usual = ['--manifest', manifest, '--run-dir', join(directory, 'run'), '--allow-http'];
  usual.push('--mount-root', join(directory, 'app'), '--log-format', 'json');
  if (!flags.includes('--listen')) usual.push('--listen', '127.0.0.1:0');
  const app = join(directory, 'app');
  const prefix = diskLimit === null ? [] : onSmallDisk(app, diskLimit);
  const [program = '', ...args] = [...prefix, process.execPath, PROGRAM, 'run', ...usual, ...flags];
  const log = openSync(logPath, 'w');
  const child = spawn(program, args, {
    cwd: directory,
    env: environment,
    stdio: ['ignore', log, log],
  });
  let ended = false;
  const exit = once(child, 'exit').then(() => (ended = true));
  const deadline = Date.now() + SETTLED_WITHIN_MS;
  const isSettled = (): boolean => ended || SETTLED.test(readFileSync(logPath, 'utf8'));
  while (!isSettled() && Date.now() < deadline) {
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  return {
    [Symbol.asyncDispose]: async () => {
      if (!ended) child.kill('SIGKILL');
      await exit;
      rmSync(directory, { recursive: true, force: true });
    },
  };
}

function onSmallDisk(app: string, limit: string): string[] {
  const script = `mount -t tmpfs -o size=${limit} none "$0" && exec "$@"`;
  return ['unshare', '--mount', '--map-root-user', 'sh', '-c', script, app];
}

function environmentOf(
  { environment }: Plan,
  directory: string,
  manifest: string,
): Record<string, string> {
  const shim = `#!/bin/sh\nexec ${process.execPath} ${PROGRAM} "$@"\n`;
  writeFileSync(join(directory, 'mount-agent'), shim, { mode: 0o755 });
  return {
    ...environment,
    PATH: `${directory}:${environment['PATH'] ?? ''}`,
    RUN_DIR: join(directory, 'run'),
    MANIFEST: manifest,
    LOG: join(directory, 'log'),
    // As the daemon has it; the document does not speak of it.
    MOUNT_AGENT_ALLOW_HTTP: 'true',
    MOUNT_AGENT_MOUNT_ROOT: join(directory, 'app'),
  };
}

/** Runs one command after the other, as they stand in the document, until the cause is found. */
export async function follow(
  fault: PlantedFault,
  shell: (command: string, at: number) => Promise<string>,
): Promise<Diagnosis> {
  const began = performance.now();
  let output = '';
  for (const [at, command] of documentCommands().entries()) {
    output += `$ ${command}\n${await shell(command, at)}`;
    // Lines are folded for a terminal.
    const flat = output.replaceAll(/\s+/g, ' ');
    if (!flat.includes(fault.code) || !fault.words.test(flat)) continue;
    const commandsMs = performance.now() - began;
    return { ...finding(fault, output), command: at + 1, commandsMs };
  }
  return { ...finding(fault, output), command: null, commandsMs: performance.now() - began };
}

function finding(fault: PlantedFault, output: string): Omit<Diagnosis, 'command' | 'commandsMs'> {
  const words = output.split(/\s+/).filter(Boolean).length;
  return { fault: fault.name, code: fault.code, words, output };
}

function shell(command: string, env: Record<string, string>, cwd: string): Promise<string> {
  return new Promise((resolve) => {
    execFile('sh', ['-c', command], { env, cwd }, (_error, stdout, stderr) => {
      resolve(stdout + stderr);
    });
  });
}
