/**
 * argv, environment and signals in, exit code out: the only file that touches process.env,
 * process.on and process.exit. What to do with them stands in boot.ts and commands.ts, which are
 * loaded when they are needed: a health probe must not pay for a clone engine.
 */
import type { ChildProcess } from 'node:child_process';
import { constants } from 'node:os';
import type { Config } from './cli.ts';
import { CloneProcesses } from './clone/clone-processes.ts';
import { EXIT, toAgentError } from './errors.ts';
import type { CommandName } from './flags.ts';
import type { Host } from './host.ts';
import { LogPipe } from './log-pipe.ts';
import { readPlainCommand } from './plain-command.ts';
import { findOwner } from './owner.ts';

/** SIGHUP: read the manifest again. The others end the daemon or go on to its command. */
const SIGNALS: readonly NodeJS.Signals[] = [
  'SIGTERM',
  'SIGINT',
  'SIGHUP',
  'SIGQUIT',
  'SIGUSR1',
  'SIGUSR2',
  'SIGWINCH',
];

/** The clone process that start-main.ts has started, if it has. */
declare const __spare: ChildProcess | null;

/** The platform sends SIGKILL after 10 s: whatever still hangs then must not cost the exit code. */
let endWithinMs = 9500;

function endInTime(exitCode: number): void {
  setTimeout(() => process.exit(exitCode), endWithinMs).unref();
}

function endAfterSigterm(): void {
  endInTime(128 + constants.signals.SIGTERM);
}

/** null where it is no pipe: a terminal, a file. */
const logPipe = LogPipe.open(2);
process.on('exit', () => logPipe?.end());

const host: Host = {
  env: process.env,
  // Most commands read nothing, and opening it takes Node 5 ms.
  get stdin() {
    return process.stdin;
  },
  get stdinIsTerminal() {
    return process.stdin.isTTY;
  },
  stdout: process.stdout,
  stderr: logPipe ?? process.stderr,
  nodeVersion: process.version,
  pid: process.pid,
  uid: process.getuid?.() ?? 0,
  owner: null,
  onSignal(listener) {
    for (const signal of SIGNALS) process.on(signal, listener);
    process.once('SIGTERM', endAfterSigterm);
    return () => {
      process.off('SIGTERM', endAfterSigterm);
      for (const signal of SIGNALS) process.off(signal, listener);
    };
  },
  onDefect(listener) {
    const judge = (error: unknown): void => {
      if (listener(error)) endInTime(EXIT.internal);
    };
    process.on('uncaughtException', judge);
    return () => process.off('uncaughtException', judge);
  },
};

function withOwner({ owner }: Config): Host {
  return owner === null ? host : { ...host, owner: findOwner(owner, host.uid) };
}

function cloneProcesses({ jobs }: Config, { env, owner }: Host): CloneProcesses {
  return new CloneProcesses({ env, owner, started: __spare }, jobs);
}

async function dispatch(name: CommandName, config: Config): Promise<number> {
  switch (name) {
    case 'run': {
      // Whoever asks for rescues gives the time for the last one.
      if (config.rescueDir !== null) endWithinMs += config.rescueTimeoutMs;
      const owning = withOwner(config);
      return (await import('./boot.ts')).run(config, owning, cloneProcesses(config, owning));
    }
    case 'mount':
      return (await import('./mount-once.ts')).mountOnce(config, withOwner(config));
    case 'check':
      return (await import('./commands.ts')).check(config, host);
    case 'status':
      return (await import('./commands.ts')).status(config, host);
    case 'rescue':
      return (await import('./rescue-command.ts')).rescueCommand(config, host);
    case 'restore':
      return (await import('./restore-command.ts')).restoreCommand(config, host);
    case 'rotate':
      return (await import('./commands.ts')).rotate(config, host);
    case 'healthcheck':
      return (await import('./commands.ts')).healthcheck(config, host);
  }
}

async function main(): Promise<number> {
  const argv = process.argv.slice(2);
  const plain = readPlainCommand(argv, process.env);
  if (plain !== null) return dispatch(plain.name, plain.config);
  const invocation = (await import('./cli.ts')).parseInvocation(argv, process.env);
  if (invocation.kind === 'command') return dispatch(invocation.name, invocation.config);
  process.stdout.write(`${invocation.text}\n`);
  return EXIT.ok;
}

/** A reader that went away (`mount-agent status | head`) is its own business, not a crash. */
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code !== 'EPIPE') throw error;
  process.exit(128 + constants.signals.SIGPIPE);
});

/** A log that nobody reads any more: nobody can be told. */
process.stderr.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code !== 'EPIPE') throw error;
});

async function end(): Promise<never> {
  try {
    process.exitCode = await main();
  } catch (error) {
    const { message, remedy, code, exit } = toAgentError(error);
    host.stderr.write(`mount-agent: ${message}\n  ${remedy} (${code})\n`);
    process.exitCode = exit;
  }
  // Nothing that a library left open (a keep-alive socket, a timer) may hold up the end.
  process.exit();
}

void end();
