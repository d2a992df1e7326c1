import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { chmod, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { constants, tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { pino } from 'pino';
import { AgentError } from '../../agent/errors.ts';
import { signalCommand } from '../../agent/entrypoint/process-group.ts';
import { superviseCommand } from '../../agent/entrypoint/supervise.ts';
import type { SuperviseContext, SupervisedCommand } from '../../agent/entrypoint/supervise.ts';

const PATH = process.env['PATH'] ?? '';
let dir: string;
let marker: string;
const started: SupervisedCommand[] = [];

beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'supervise-'));
  marker = join(dir, 'marker');
});

afterEach(async () => {
  for (const command of started.splice(0)) {
    command.forward('SIGKILL');
    await command.exitCode.catch((error: unknown) => {
      expect(error).toBeInstanceOf(AgentError);
    });
  }
  await rm(dir, { recursive: true });
});

function supervise(
  command: readonly string[],
  options: Partial<SuperviseContext> = {},
): SupervisedCommand {
  const supervised = superviseCommand({
    command,
    env: { PATH, MARKER: marker },
    log: pino({ level: 'silent' }),
    graceMs: 5_000,
    ...options,
  });
  started.push(supervised);
  return supervised;
}

/**
 * A program that writes `up` to the marker once its handlers are set, and then waits. No shell:
 * dash and bash lose a signal that comes while they start a program.
 */
function waitingProgram(handlers: string): string[] {
  const script = `
    const say = (text) => require('node:fs').appendFileSync(process.env.MARKER, text + '\\n');
    ${handlers}
    setInterval(() => {}, 1000);
    say('up');`;
  return [process.execPath, '-e', script];
}

function waiting(handlers: string, options: Partial<SuperviseContext> = {}): SupervisedCommand {
  return supervise(waitingProgram(handlers), options);
}

async function marked(text: string): Promise<void> {
  const end = Date.now() + 10_000;
  while (!(existsSync(marker) && (await readFile(marker, 'utf8')).includes(text))) {
    if (Date.now() > end) throw new Error(`marker never said ${text}`);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

async function failureOf(command: readonly string[], cwd?: string): Promise<AgentError> {
  const error = await supervise(command, { cwd }).exitCode.catch((cause: unknown) => cause);
  expect(error).toBeInstanceOf(AgentError);
  return error as AgentError;
}

it('ends with the exit code of the command', async () => {
  for (const code of [0, 1, 3, 255]) {
    expect(await supervise(['sh', '-c', `exit ${code}`]).exitCode).toBe(code);
  }
});

it('ends with 128+n when signal n ended the command', async () => {
  expect(await supervise(['sh', '-c', 'kill -TERM $$']).exitCode).toBe(143);
  expect(await supervise(['sh', '-c', 'kill -KILL $$']).exitCode).toBe(137);
  expect(await supervise(['sh', '-c', 'kill -HUP $$']).exitCode).toBe(129);
});

it('gives the command its arguments, its directory and its environment, and nothing beside it', async () => {
  const script = 'printf "%s|" "$@" "$PWD" > "$MARKER"; env | sort >> "$MARKER"';
  const env = { PATH, MARKER: marker, GH_TOKEN: 'token one' };
  const command = supervise(['sh', '-c', script, 'sh', 'a b', '', '$x'], { env, cwd: dir });
  expect(await command.exitCode).toBe(0);
  const [first, ...rest] = (await readFile(marker, 'utf8')).split('\n');
  expect(first).toBe(`a b||$x|${dir}|GH_TOKEN=token one`);
  const names = rest.filter((line) => line !== '').map((line) => line.split('=', 1)[0]);
  // What sh sets by itself.
  expect(names.filter((name) => !['PWD', 'OLDPWD', 'SHLVL', '_'].includes(name ?? ''))).toEqual([
    'MARKER',
    'PATH',
  ]);
});

it('a command that is not there is 127, one that cannot be executed 126', async () => {
  const plain = join(dir, 'plain');
  await writeFile(plain, '#!/bin/sh\n');
  await chmod(plain, 0o644);
  for (const name of ['no-such-command-here', join(dir, 'none'), join(plain, 'below')]) {
    const error = await failureOf([name]);
    expect([error.code, error.exit]).toEqual(['COMMAND_NOT_FOUND', 127]);
    expect(error.message).toContain(name);
  }
  for (const name of [plain, dir]) {
    const error = await failureOf([name]);
    expect([error.code, error.exit]).toEqual(['COMMAND_NOT_EXECUTABLE', 126]);
  }
  const huge = await failureOf(['true', 'x'.repeat(4 << 20)]);
  expect(huge.code).toBe('COMMAND_NOT_EXECUTABLE');
  expect(huge.message).toContain('E2BIG');
  expect(huge.message.length).toBeLessThan(200);
});

it('a missing working directory is named, not the command', async () => {
  const error = await failureOf(['sh', '-c', 'exit 0'], join(dir, 'gone'));
  expect(error.message).toBe(`working directory ${join(dir, 'gone')} not found`);
});

it.each(['SIGINT', 'SIGQUIT', 'SIGUSR1', 'SIGUSR2', 'SIGWINCH', 'SIGTERM'] as const)(
  'hands %s on',
  async (signal) => {
    const command = waiting(`process.on('${signal}', () => { say('got'); process.exit(7); });`);
    await marked('up');
    command.forward(signal);
    expect(await command.exitCode).toBe(7);
    expect(await readFile(marker, 'utf8')).toBe('up\ngot\n');
  },
);

it.each(['SIGTERM', 'SIGUSR1', 'SIGUSR2'] as const)(
  'ends with 128+n when a shell and what it waits for leave %s alone',
  async (signal) => {
    const command = supervise(['sh', '-c', 'echo up >"$MARKER"; sleep 60; exit 3']);
    await marked('up');
    command.forward(signal);
    expect(await command.exitCode).toBe(128 + constants.signals[signal]);
  },
);

it('a command may live on after SIGINT for as long as it likes', async () => {
  const command = waiting(`process.on('SIGINT', () => say('got'));`);
  await marked('up');
  command.forward('SIGINT');
  await marked('got');
  command.forward('SIGTERM');
  expect(await command.exitCode).toBe(143);
});

it('a command that ignores SIGTERM is killed when the grace is over', async () => {
  const command = waiting(`process.on('SIGTERM', () => {});`, { graceMs: 200 });
  await marked('up');
  const begun = Date.now();
  command.forward('SIGTERM');
  expect(await command.exitCode).toBe(137);
  expect(Date.now() - begun).toBeGreaterThanOrEqual(190);
  expect(Date.now() - begun).toBeLessThan(3_000);
});

it('a second SIGTERM kills at once', async () => {
  const command = waiting(`process.on('SIGTERM', () => {});`);
  await marked('up');
  const begun = Date.now();
  command.forward('SIGTERM');
  command.forward('SIGTERM');
  expect(await command.exitCode).toBe(137);
  expect(Date.now() - begun).toBeLessThan(3_000);
});

it('a stopped command still ends on SIGTERM', async () => {
  const command = waiting('');
  await marked('up');
  process.kill(command.pid!, 'SIGSTOP');
  command.forward('SIGTERM');
  expect(await command.exitCode).toBe(143);
});

it('an abort counts as SIGTERM, before the start and later', async () => {
  const abort = new AbortController();
  const command = supervise(['sleep', '60'], { signal: abort.signal });
  abort.abort();
  expect(await command.exitCode).toBe(143);
  expect(await supervise(['sleep', '60'], { signal: abort.signal }).exitCode).toBe(143);
});

it('disposing ends the command and waits for it', async () => {
  const command = waiting(`process.on('SIGTERM', () => process.exit(0));`);
  await marked('up');
  await command[Symbol.asyncDispose]();
  expect(existsSync(`/proc/${command.pid!}`)).toBe(false);
});

it('a signal reaches the whole process group: a child that the command waits for ends it', async () => {
  // It ignores the signal itself.
  const command = waiting(`
    process.on('SIGUSR1', () => {});
    const child = require('node:child_process').spawn('sleep', ['60']);
    child.once('spawn', () => say('child'));
    child.once('exit', (code, signal) => process.exit(signal === 'SIGUSR1' ? 3 : 4));`);
  await marked('up');
  await marked('child');
  command.forward('SIGUSR1');
  expect(await command.exitCode).toBe(3);
});

it('what a command left in its group has the same grace, and does not outlive it', async () => {
  const child = (handlers: string): string =>
    `require('node:child_process').spawn(process.execPath, ['-e', ${JSON.stringify(handlers)}]);`;
  const slow = `
    const { appendFileSync } = require('node:fs');
    process.on('SIGTERM', () => setTimeout(() => {
      appendFileSync(process.env.MARKER, 'saved');
      process.exit();
    }, 100));
    setInterval(() => {}, 1000);
    appendFileSync(process.env.MARKER, 'child up');`;
  const patient = waiting(child(slow));
  await marked('child up');
  patient.forward('SIGTERM');
  expect(await patient.exitCode).toBe(143);
  expect(await readFile(marker, 'utf8')).toContain('saved');

  await rm(marker);
  const deaf = `
    const { appendFileSync } = require('node:fs');
    process.on('SIGTERM', () => {});
    setInterval(() => {}, 1000);
    appendFileSync(process.env.MARKER, 'deaf ' + process.pid + ';');`;
  const stuck = waiting(child(deaf), { graceMs: 300 });
  await marked(';');
  stuck.forward('SIGTERM');
  expect(await stuck.exitCode).toBe(143);
  const pid = /deaf (\d+);/.exec(await readFile(marker, 'utf8'))?.[1] ?? '';
  expect(isAlive(Number(pid))).toBe(false);
});

it('where the command has no group of its own, SIGKILL reaches all that it started', async () => {
  const shell = spawn('sh', ['-c', '(sleep 60 & echo $!; wait) & echo $!; wait'], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const ended = once(shell, 'exit');
  let said = '';
  shell.stdout.setEncoding('utf8').on('data', (text: string) => (said += text));
  while (said.split('\n').length < 3) await new Promise((resolve) => setTimeout(resolve, 5));
  signalCommand(shell.pid!, false, 'SIGKILL');
  await ended;
  for (const pid of said.trim().split('\n').map(Number)) {
    expect(pid).toBeGreaterThan(1);
    while (isAlive(pid)) await new Promise((resolve) => setTimeout(resolve, 5));
  }
});

it('the command starts with no signal ignored or blocked', async () => {
  const script = 'grep -E "^Sig(Ign|Blk):" /proc/self/status >"$MARKER"';
  expect(await supervise(['sh', '-c', script]).exitCode).toBe(0);
  const masks = (await readFile(marker, 'utf8')).trim().split('\n');
  expect(masks.map((line) => line.split(/\s+/)[1])).toEqual([
    '0000000000000000',
    '0000000000000000',
  ]);
});

/** Zombies that nobody has waited for yet are not. */
function isAlive(pid: number): boolean {
  const found = spawnSync('cat', [`/proc/${pid}/stat`], { encoding: 'utf8' }).stdout;
  const state = found.slice(found.lastIndexOf(')') + 2).charAt(0);
  return state !== '' && state !== 'Z';
}

it('leaves no zombie, and a signal after the end goes nowhere', async () => {
  const command = supervise(['true']);
  expect(await command.exitCode).toBe(0);
  expect(existsSync(`/proc/${command.pid!}`)).toBe(false);
  command.forward('SIGTERM');
  command.forward('SIGKILL');
});

/** util-linux's script(1) gives it a terminal of its own; what is typed there comes from stdin. */
function inTerminal(command: readonly string[]) {
  const fixture = new URL('supervise-in-terminal.ts', import.meta.url).pathname;
  const argv = [process.execPath, '--import', 'tsx', fixture, ...command];
  const line = `exec ${argv.map((word) => `'${word.replaceAll("'", `'\\''`)}'`).join(' ')}`;
  const terminal = spawn('script', ['-qec', line, '/dev/null'], {
    stdio: ['pipe', 'pipe', 'inherit'],
    env: { ...process.env, MARKER: marker },
    cwd: new URL('../..', import.meta.url),
  });
  let shown = '';
  terminal.stdout.setEncoding('utf8').on('data', (chunk) => (shown += String(chunk)));
  return { terminal, ended: once(terminal, 'close'), shown: () => shown };
}

it('on a terminal Ctrl-C reaches the command once, not twice', async () => {
  const { terminal, ended } = inTerminal(
    waitingProgram(`
      process.on('SIGINT', () => say('int'));
      process.on('SIGQUIT', () => { say('quit'); process.exit(5); });`),
  );
  await marked('up');
  terminal.stdin.write('\x03');
  await marked('int');
  // A second SIGINT, handed on by the supervisor, would come before the end of these round trips.
  terminal.stdin.write('\x03');
  await marked('int\nint\n');
  terminal.stdin.write('\x1c');
  const [code] = (await ended) as [number];
  expect(code).toBe(5);
  expect(await readFile(marker, 'utf8')).toBe('up\nint\nint\nquit\n');
});

it('on a terminal the command has the terminal, with job control', async () => {
  const { ended, shown } = inTerminal([
    'bash',
    '-c',
    'set -m; test -t 0 && test -t 1 && echo "terminal yes"; sleep 0.1 & fg; exit 0',
  ]);
  const [code] = (await ended) as [number];
  expect(code).toBe(0);
  expect(shown()).toContain('terminal yes');
  expect(shown()).not.toContain('job control');
});
