/**
 * The command after `--`. In: argv, its environment, signals handed on by main.ts; out: its exit
 * code, 128+n when signal n ended it. Neither it nor its process group outlives the grace that a first
 * SIGTERM starts. Whose group that is stands in process-group.ts.
 */
import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { statSync } from 'node:fs';
import { constants } from 'node:os';
import { AgentError, errnoOf, toAgentError } from '../errors.ts';
import { sleep } from '../lifetime.ts';
import type { Log } from '../log.ts';
import { DeathWatch } from './death-watch.ts';
import type { OnCrash } from './death-watch.ts';
import { isGroupAlive, readOwnStat, signalCommand } from './process-group.ts';

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
  /** What becomes of the command when this process dies; nobody watches unless told. */
  readonly onCrash?: OnCrash;
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

const GROUP_POLL_MS = 50;

export function superviseCommand(context: SuperviseContext): SupervisedCommand {
  return new Supervisor(context);
}

class Supervisor implements SupervisedCommand {
  readonly exitCode: Promise<number>;
  readonly #context: SuperviseContext;
  readonly #child: ChildProcess | null;
  readonly #leadsGroup = !readOwnStat().hasTerminal;
  #deathWatch: DeathWatch | null = null;
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
        detached: this.#leadsGroup,
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
    if (TERMINAL_SIGNALS.has(signal) && readOwnStat().isInForeground) return;
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
    const pid = this.#child?.pid;
    if (pid === undefined) return;
    try {
      signalCommand(pid, this.#leadsGroup, signal);
    } catch (error) {
      // A command that became another user.
      if (errnoOf(error) !== 'EPERM') throw error;
      this.#context.log.warn({ err: error, pid, signal }, 'signal not sent');
    }
  }

  #waitFor(child: ChildProcess, program: string): Promise<number> {
    const { log, cwd } = this.#context;
    return new Promise((resolve, reject) => {
      child.once('spawn', () => {
        log.info({ pid: child.pid, command: program }, 'command started');
        this.#watchOverUs(child.pid ?? 0);
      });
      child.on('error', (error) => {
        this.#end();
        reject(startError(program, cwd, error));
      });
      child.once('exit', (code, signal) => {
        log.info({ pid: child.pid, command: program, code, signal }, 'command ended');
        void this.#untilGroupIsGone().then(() => {
          this.#end();
          resolve(signal === null ? (code ?? 0) : 128 + constants.signals[signal]);
        });
      });
    });
  }

  /** Told to stop, a shell is often gone before what it started: that has the same grace. */
  async #untilGroupIsGone(): Promise<void> {
    const pid = this.#child?.pid;
    if (this.#grace === null || pid === undefined || !this.#leadsGroup) return;
    while (isGroupAlive(pid)) await sleep(GROUP_POLL_MS);
  }

  #watchOverUs(pid: number): void {
    const { onCrash, graceMs, log } = this.#context;
    if (onCrash === undefined || this.#ended) return;
    this.#deathWatch = new DeathWatch({ pid, leadsGroup: this.#leadsGroup, onCrash, graceMs, log });
  }

  #end(): void {
    this.#ended = true;
    this.#deathWatch?.[Symbol.dispose]();
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
