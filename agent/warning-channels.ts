/**
 * Where warnings go besides log, health and AT_RISK.md: the program of --on-warn, the URL of
 * --warn-url, the command's terminal. Enters: the configuration. Leaves: one outbox for each that is
 * there, and the counts of what came of each event.
 */
import { createHmac } from 'node:crypto';
import { fstatSync } from 'node:fs';
import { pickCloneEnvironment } from './clone/clone-job.ts';
import { postJson } from './clone/post-json.ts';
import { withRetry } from './clone/retry.ts';
import { errnoOf } from './errors.ts';
import { sleep } from './lifetime.ts';
import { accountOfUid } from './owner.ts';
import type { Session } from './session.ts';
import { noticeOnTerminal } from './terminal/command-terminal.ts';
import type { Token } from './token.ts';
import { VERSION } from './version.ts';
import { runWarnProgram, warnProgramEnvironment } from './work/warn-program.ts';
import type { WarningEvent } from './work/warning-event.ts';
import { WarningOutbox } from './work/warning-outbox.ts';
import type { Delivery, OutboxContext } from './work/warning-outbox.ts';

const POST_TIMEOUT_MS = 10_000;
/** Shorter than any useful threshold: later nobody needs this warning, but the next. */
const POST_RETRY_FOR_MS = 600_000;

type Deliver = OutboxContext['deliver'];

export class WarningChannels implements AsyncDisposable {
  readonly #outboxes: readonly WarningOutbox[];

  /** @param key of --warn-key-file. */
  constructor(session: Session, key: Token | undefined) {
    const { onWarn, warnUrl } = session.config;
    const ways: [string, Deliver][] = [];
    if (onWarn !== null) ways.push(['program', toProgram(session, onWarn)]);
    if (warnUrl !== null) ways.push(['url', toUrl(session, warnUrl, key)]);
    if (hasTerminalOfItsOwn(session)) ways.push(['terminal', toTerminal(session)]);
    const { log, warningsSent } = session;
    this.#outboxes = ways.map(([channel, deliver]) => {
      warningsSent.declare(channel);
      return new WarningOutbox({
        ...{ channel, deliver, log },
        onResult: (name, result) => {
          warningsSent.count(name, result);
        },
      });
    });
  }

  send(event: WarningEvent): void {
    for (const outbox of this.#outboxes) outbox.send(event);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.#outboxes.map((outbox) => outbox[Symbol.asyncDispose]()));
  }
}

function toProgram({ config, host, log, redact }: Session, program: string): Deliver {
  const { runDir } = config;
  const account = host.owner === null ? null : accountOfUid(host.owner.uid);
  const identity =
    host.owner === null
      ? {}
      : { HOME: account?.home, USER: account?.name, LOGNAME: account?.name, MAIL: undefined };
  return async (event, { signal }) => {
    // Made anew each time: tokens that were rotated in are known by now.
    const env = warnProgramEnvironment(host.env, redact, {
      ...identity,
      MOUNT_AGENT_RUN_DIR: runDir,
    });
    const owner = host.owner ?? undefined;
    await runWarnProgram({ program, env, owner, cwd: '/', redact, log }, event, signal);
    return true;
  };
}

function toUrl({ host, log, redact }: Session, url: string, key: Token | undefined): Deliver {
  const environment = pickCloneEnvironment(host.env);
  return async (event, { signal, superseded }: Delivery) => {
    const body = redact(JSON.stringify(event));
    const headers = {
      'user-agent': `mount-agent/${VERSION}`,
      'idempotency-key': event.id,
      ...(key === undefined ? {} : { 'mount-agent-signature': signatureOf(body, key) }),
    };
    await withRetry(
      () => postJson({ url, body, headers }, { environment, signal, timeoutMs: POST_TIMEOUT_MS }),
      {
        retryForMs: POST_RETRY_FOR_MS,
        signal,
        wait: (ms) => sleep(ms, AbortSignal.any([signal, superseded])),
        onRetry: ({ message: reason }, attempt, nextAttemptAt) => {
          log.info({ id: event.id, attempt, nextAttemptAt, reason }, 'warning is posted again');
        },
      },
    );
    return true;
  };
}

/** Over the bytes of the body as they are sent. */
function signatureOf(body: string, key: Token): string {
  return `sha256=${createHmac('sha256', key.reveal()).update(body).digest('hex')}`;
}

/** Where the log goes to the terminal, its line is there already. */
function hasTerminalOfItsOwn({ config, host }: Session): boolean {
  return config.command.length > 0 && host.stdout.isTTY === true && host.stderr.isTTY !== true;
}

function toTerminal({ host, redact }: Session): Deliver {
  const terminal = { fd: STDOUT_FD, write: (text: string) => host.stdout.write(text) };
  return ({ event, message }) =>
    noticeOnTerminal(
      terminal,
      redact(event === 'warning' ? `WARNING: ${message}` : message),
      event === 'warning',
    );
}

const STDIN_FD = 0;
const STDOUT_FD = 1;

/**
 * When somebody last typed on the terminal that the command reads from, milliseconds since the epoch:
 * tty(4) keeps it, to some seconds, as who(1) and w(1) show it.
 */
export function lastTerminalInput({
  config,
  host,
}: Session): (() => number | undefined) | undefined {
  if (config.command.length === 0 || host.stdinIsTerminal !== true) return undefined;
  return () => {
    try {
      return fstatSync(STDIN_FD).atimeMs;
    } catch (error) {
      // Hung up.
      if (errnoOf(error) === undefined) throw error;
      return undefined;
    }
  };
}
