/**
 * `--on-warn PROGRAM`: one process per event, without a shell and without arguments; the event is JSON
 * on its standard input. It has a time limit for itself and whatever it starts in its process group,
 * and neither the session's tokens nor the daemon's files. What it says goes to the log.
 */
import { spawn } from 'node:child_process';
import type { ChildProcess, ChildProcessByStdio } from 'node:child_process';
import type { Readable, Writable } from 'node:stream';
import { AgentError, errnoOf, toAgentError } from '../errors.ts';
import type { Owner } from '../host.ts';
import { reasonOf } from '../lifetime.ts';
import type { Log } from '../log.ts';
import type { WarningEvent } from './warning-event.ts';

export interface WarnProgramContext {
  /** An absolute path, or a name to be found in PATH. */
  readonly program: string;
  /** The whole environment of the program. */
  readonly env: Readonly<Record<string, string>>;
  /** Who it runs as; whoever runs the daemon unless told. */
  readonly owner?: Owner | undefined;
  /** Where it runs; holds nothing of a user's. */
  readonly cwd: string;
  /** The last line of defence: takes known tokens out of what it is told. */
  readonly redact: (text: string) => string;
  readonly log: Log;
  readonly timeLimitMs?: number;
  /** From SIGTERM to SIGKILL. */
  readonly graceMs?: number;
}

type Program = ChildProcessByStdio<Writable, Readable, Readable>;

const TIME_LIMIT_MS = 30_000;
const GRACE_MS = 5_000;
/** At the end of the session nobody waits for long. */
const LAST_GRACE_MS = 300;
/** What a process that it left running may still say, before nobody listens any more. */
const LISTEN_AFTER_EXIT_MS = 100;
const SHOWN_CHARACTERS = 2_000;

/** @throws AgentError WARNING_UNDELIVERED; the signal's reason. */
export async function runWarnProgram(
  context: WarnProgramContext,
  event: WarningEvent,
  signal: AbortSignal,
): Promise<void> {
  const { program, redact, log } = context;
  const child = start(context);
  const said = collect(child);
  // A program need not read what it is told.
  child.stdin.on('error', (error) => {
    log.debug({ reason: error.message }, 'the warning was not read');
  });
  child.stdin.end(`${redact(JSON.stringify(event))}\n`);
  const ending = await untilEnded(child, context, signal);
  const output = redact(await said.untilQuiet());
  log.debug({ program, pid: child.pid, output, ...ending }, 'on-warn program ended');
  if (signal.aborted) throw reasonOf(signal);
  if (ending.code !== 0) throw failed(program, ending, output);
}

function start({ program, env, owner, cwd }: WarnProgramContext): Program {
  try {
    return spawn(program, [], {
      cwd,
      env: { ...env },
      // A process group of its own: what it starts ends with it.
      detached: true,
      stdio: ['pipe', 'pipe', 'pipe'],
      ...(owner === undefined ? {} : { uid: owner.uid, gid: owner.gid }),
    });
  } catch (error) {
    // Node throws at once for some errors (EPERM) and emits others.
    throw notStarted(program, error);
  }
}

interface Ending {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly isLate: boolean;
}

function untilEnded(
  child: ChildProcess,
  context: WarnProgramContext,
  signal: AbortSignal,
): Promise<Ending> {
  const { program, timeLimitMs = TIME_LIMIT_MS, graceMs = GRACE_MS } = context;
  let isLate = false;
  let kill: NodeJS.Timeout | undefined;
  const terminate = (waitMs: number): void => {
    if (kill !== undefined) return;
    signalGroup(child, 'SIGTERM');
    signalGroup(child, 'SIGCONT');
    kill = setTimeout(() => {
      signalGroup(child, 'SIGKILL');
    }, waitMs);
  };
  const limit = setTimeout(() => {
    isLate = true;
    terminate(graceMs);
  }, timeLimitMs);
  const stop = (): void => {
    terminate(LAST_GRACE_MS);
  };
  return new Promise<Ending>((resolve, reject) => {
    child.once('exit', (code, by) => {
      // What is left of a group that was told to end had its time.
      if (kill !== undefined) signalGroup(child, 'SIGKILL');
      resolve({ code, signal: by, isLate });
    });
    child.once('error', (error) => {
      reject(notStarted(program, error));
    });
    signal.addEventListener('abort', stop, { once: true });
  }).finally(() => {
    clearTimeout(limit);
    clearTimeout(kill);
    signal.removeEventListener('abort', stop);
  });
}

/** Our child is the leader of its group, and not yet waited for or just so: the number is still its. */
function signalGroup({ pid }: ChildProcess, signal: NodeJS.Signals): void {
  if (pid === undefined) return;
  try {
    process.kill(-pid, signal);
  } catch (error) {
    if (errnoOf(error) !== 'ESRCH') throw error;
  }
}

function collect(child: Program): { untilQuiet(): Promise<string> } {
  let text = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (part: string) => {
      if (text.length < SHOWN_CHARACTERS) text += part;
    });
    stream.on('error', (error) => {
      text += error.message;
    });
  }
  const closed = new Promise<void>((resolve) => child.once('close', resolve));
  return {
    async untilQuiet() {
      let timer: NodeJS.Timeout | undefined;
      const late = new Promise<void>((resolve) => {
        timer = setTimeout(resolve, LISTEN_AFTER_EXIT_MS);
      });
      await Promise.race([closed, late]);
      clearTimeout(timer);
      child.stdout.destroy();
      child.stderr.destroy();
      return text.slice(0, SHOWN_CHARACTERS).trim();
    },
  };
}

function notStarted(program: string, error: unknown): AgentError {
  const errno = errnoOf(error);
  if (errno === undefined) return toAgentError(error);
  return new AgentError('WARNING_UNDELIVERED', `--on-warn ${program} cannot be started: ${errno}`, {
    cause: error,
    data: { program, errno },
  });
}

function failed(program: string, { code, signal, isLate }: Ending, output: string): AgentError {
  const why = isLate
    ? 'did not end in time and was stopped'
    : `ended with ${signal ?? `exit code ${code ?? 'unknown'}`}`;
  const words = output === '' ? '' : `: ${output}`;
  return new AgentError('WARNING_UNDELIVERED', `--on-warn ${program} ${why}${words}`, {
    data: { program, code, signal, isLate },
  });
}

/** Variables in which GitHub's tokens stand by convention. */
const TOKEN_VARIABLES = /^(?:GH|GITHUB)(?:_ENTERPRISE)?_TOKEN$/;

/**
 * The daemon's own environment, without anything in which a token stands.
 * @param redact takes known tokens out of a text, in every encoding.
 */
export function warnProgramEnvironment(
  env: Readonly<Record<string, string | undefined>>,
  redact: (text: string) => string,
  forced: Readonly<Record<string, string | undefined>>,
): Record<string, string> {
  const environment = new Map<string, string>();
  for (const [name, value] of Object.entries({ ...env, ...forced })) {
    if (value === undefined || TOKEN_VARIABLES.test(name) || redact(value) !== value) continue;
    environment.set(name, value);
  }
  return Object.fromEntries(environment);
}
