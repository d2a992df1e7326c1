/**
 * The command after `--`. In: argv, its environment, signals handed on by main.ts; out: its exit
 * code, 128+n when signal n ended it. It never outlives the grace that a first SIGTERM starts.
 *
 * It stays in our process group: only setsid could give it its own from Node, and that would take
 * the terminal away from it (no job control, no Ctrl-C, no window size in an interactive shell).
 */
import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { readFileSync, statSync } from 'node:fs';
import { constants } from 'node:os';
import { AgentError, errnoOf, toAgentError } from '../errors.ts';
import type { Log } from '../log.ts';

export interface SuperviseContext {
  /** Program and arguments, at least the program. */
  readonly command: readonly string[];
  /** The whole environment: nothing is inherited beside it. PATH in it finds the program. */
  readonly env: Readonly<Record<string, string>>;
  readonly cwd?: string | undefined;
  readonly log: Log;
  /** Aborted: as if SIGTERM had been forwarded. */
  readonly signal?: AbortSignal | undefined;
  /** From the first SIGTERM to SIGKILL. */
  readonly graceMs: number;
}

export interface SupervisedCommand extends AsyncDisposable {
  readonly pid: number | undefined;
  /** Rejects with COMMAND_NOT_FOUND or COMMAND_NOT_EXECUTABLE when it could not be started. */
  readonly exitCode: Promise<number>;
  /**
   * Hands a signal of ours on. A first SIGTERM starts the grace, a second ends it. SIGHUP is not
   * for here: it tells the daemon to read its manifest again.
   */
  forward(signal: NodeJS.Signals): void;
}

/** The kernel sends these to the whole foreground process group of a terminal. */
const TERMINAL_SIGNALS: ReadonlySet<NodeJS.Signals> = new Set(['SIGINT', 'SIGQUIT', 'SIGWINCH']);

export function superviseCommand(context: SuperviseContext): SupervisedCommand {
  return new Supervisor(context);
}

class Supervisor implements SupervisedCommand {
  readonly exitCode: Promise<number>;
  readonly #context: SuperviseContext;
  readonly #child: ChildProcess | null;
  readonly #stop = (): void => {
    this.forward('SIGTERM');
  };
  #grace: NodeJS.Timeout | null = null;
  #ended = false;

  constructor(context: SuperviseContext) {
    this.#context = context;
    const [program = '', ...args] = context.command;
    try {
      this.#child = spawn(program, args, {
        stdio: 'inherit',
        env: { ...context.env },
        ...(context.cwd === undefined ? {} : { cwd: context.cwd }),
      });
      this.exitCode = this.#waitFor(this.#child, program);
    } catch (error) {
      // Node throws at once for some errors (E2BIG) and emits others.
      this.#child = null;
      this.#ended = true;
      this.exitCode = Promise.reject(startError(program, context.cwd, error));
      return;
    }
    if (context.signal?.aborted === true) this.#stop();
    else context.signal?.addEventListener('abort', this.#stop, { once: true });
  }

  get pid(): number | undefined {
    return this.#child?.pid;
  }

  forward(signal: NodeJS.Signals): void {
    if (this.#ended) return;
    // The terminal has sent it to the command already; twice would be the "really quit" of many programs.
    if (TERMINAL_SIGNALS.has(signal) && inForeground()) return;
    if (signal === 'SIGTERM') this.#terminate();
    else this.#send(signal);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#ended) return;
    if (this.#grace === null) this.#terminate();
    await this.exitCode;
  }

  #terminate(): void {
    const { log, graceMs } = this.#context;
    if (this.#grace !== null) {
      this.#send('SIGKILL');
      return;
    }
    this.#grace = setTimeout(() => {
      log.warn({ pid: this.pid, graceMs }, 'command did not end in time: killed');
      this.#send('SIGKILL');
    }, graceMs);
    this.#send('SIGTERM');
    // A stopped process would see SIGTERM only when it goes on.
    this.#send('SIGCONT');
  }

  #send(signal: NodeJS.Signals): void {
    this.#child?.kill(signal);
  }

  #waitFor(child: ChildProcess, program: string): Promise<number> {
    const { log, cwd } = this.#context;
    return new Promise((resolve, reject) => {
      child.once('spawn', () => {
        log.info({ pid: child.pid, command: program }, 'command started');
      });
      child.on('error', (error) => {
        // A signal that could not be sent is an error event too, and no end.
        if (child.pid !== undefined) {
          log.warn({ err: error, pid: child.pid }, 'signal not sent');
          return;
        }
        this.#end();
        reject(startError(program, cwd, error));
      });
      child.once('exit', (code, signal) => {
        this.#end();
        log.info({ pid: child.pid, command: program, code, signal }, 'command ended');
        resolve(signal === null ? (code ?? 0) : 128 + constants.signals[signal]);
      });
    });
  }

  #end(): void {
    this.#ended = true;
    if (this.#grace !== null) clearTimeout(this.#grace);
    this.#context.signal?.removeEventListener('abort', this.#stop);
  }
}

function startError(program: string, cwd: string | undefined, error: unknown): AgentError {
  const errno = errnoOf(error);
  if (errno === undefined) return toAgentError(error);
  const options = { cause: error, data: { command: program, errno } };
  if (errno === 'ENOENT' || errno === 'ENOTDIR') {
    // Node reports a missing working directory with the same words.
    const isCwd = cwd !== undefined && statSync(cwd, { throwIfNoEntry: false }) === undefined;
    const what = isCwd ? `working directory ${cwd}` : `command ${program}`;
    return new AgentError('COMMAND_NOT_FOUND', `${what} not found`, options);
  }
  return new AgentError(
    'COMMAND_NOT_EXECUTABLE',
    `command ${program} cannot be started: ${errno}`,
    options,
  );
}

/** True when our process group is the one that the controlling terminal's keys go to (proc(5), stat). */
function inForeground(): boolean {
  let stat: string;
  try {
    stat = readFileSync('/proc/self/stat', 'utf8');
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return false;
    throw error;
  }
  // After the name, which may hold anything: state ppid pgrp session tty_nr tpgid.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return fields[2] === fields[5];
}
