/**
 * What would be lost, for all mounts of the session: a watcher per ready mount that keeps its row's
 * `at_risk` true, and the warnings with their clock. Disposing of it logs the last word on each, and
 * leaves it in AT_RISK.md.
 */
import { toAgentError } from './errors.ts';
import type { Rescues } from './rescues.ts';
import type { Resource } from './resource.ts';
import { sleep } from './lifetime.ts';
import type { Session } from './session.ts';
import type { Token } from './token.ts';
import { WarningChannels, lastTerminalInput } from './warning-channels.ts';
import { Warnings } from './work/warnings.ts';
import { watchMount } from './work/watch.ts';
import type { WorkReading, WorkWatcher } from './work/watch.ts';

/** What is left of the 10 s after SIGTERM when the command has taken its part. */
const LAST_LOOK_MS = 1_500;

export class WorkAtRisk implements AsyncDisposable {
  readonly #session: Session;
  readonly #rescues: Rescues;
  readonly #warnings: Warnings;
  readonly #channels: WarningChannels;
  readonly #watchers = new Map<string, WorkWatcher>();
  readonly #read = new Set<string>();
  readonly #ending = new AbortController();

  /** @param key of --warn-key-file. @param rescues told of the last warning, and of the end. */
  constructor(session: Session, key: Token | undefined, rescues: Rescues) {
    const { config, host, status, log, warningsSent } = session;
    this.#session = session;
    this.#rescues = rescues;
    const lastWarningMs = config.warnBeforeMs.at(-1);
    this.#channels = new WarningChannels(session, key);
    for (const channel of ['log', 'notice']) warningsSent.declare(channel);
    this.#warnings = new Warnings({
      status,
      log,
      runDir: config.runDir,
      rescueDir: config.rescueDir,
      owner: host.owner ?? undefined,
      reclaimAfterMs: config.reclaimAfterMs,
      warnBeforeMs: config.warnBeforeMs,
      lastInputMs: lastTerminalInput(session),
      isRead: (mountPath) => this.#read.has(mountPath),
      onEvent: (event) => {
        warningsSent.count('log', 'delivered');
        this.#channels.send(event);
        const { threshold_seconds: seconds } = event;
        if (seconds !== null && seconds * 1000 === lastWarningMs) rescues.onLastWarning();
      },
      onNotice: (isWritten) => {
        warningsSent.count('notice', isWritten ? 'delivered' : 'failed');
      },
    });
  }

  /** Activity that no watcher sees: `POST /activity`. */
  touch(): void {
    this.#warnings.activity();
  }

  /** Resolves after the first reading of the mount. */
  async watch({ mountPath }: Resource): Promise<void> {
    const { host, log } = this.#session;
    const home = host.env['HOME'];
    const watcher = await watchMount({
      worktree: mountPath,
      ...(home === undefined ? {} : { home }),
      log: log.child({ mount: mountPath }),
      signal: this.#ending.signal,
      onReading: (reading) => {
        this.#take(mountPath, reading);
      },
      onActivity: () => {
        this.#warnings.activity();
      },
    });
    this.#watchers.set(mountPath, watcher);
  }

  /** A last look at each mount, so that log and disk say at the end what the disk still holds. */
  async [Symbol.asyncDispose](): Promise<void> {
    const channels = this.#channels[Symbol.asyncDispose]();
    await Promise.all(
      [...this.#watchers].map(([mount, watcher]) => this.#lookLast(mount, watcher)),
    );
    await this.#rescues.rescueLast();
    this.#warnings.writeLast();
    this.#warnings[Symbol.dispose]();
    const { log, status } = this.#session;
    for (const { mount_path: mount, at_risk: atRisk } of status.mounts) {
      if (atRisk !== null) log.warn({ mount, atRisk }, 'ending with work at risk');
    }
    this.#ending.abort(new Error('the session has ended'));
    await channels;
    for (const watcher of this.#watchers.values()) await watcher[Symbol.asyncDispose]();
  }

  /** What was read before counts when there is no time for another look. */
  async #lookLast(mount: string, watcher: WorkWatcher): Promise<void> {
    const { log } = this.#session;
    const enough = new AbortController();
    const late = sleep(LAST_LOOK_MS, enough.signal).then(
      () => {
        log.warn({ mount }, 'no time for a last look at the work at risk');
      },
      () => undefined,
    );
    const look = watcher.rescan().catch((error: unknown) => {
      log.warn({ err: toAgentError(error), mount }, 'no last look at the work at risk');
    });
    await Promise.race([look, late]);
    enough.abort();
  }

  #take(mountPath: string, { atRisk, head, watch }: WorkReading): void {
    this.#session.status.update(mountPath, {
      at_risk: atRisk,
      watch,
      ...(head === null ? {} : { head }),
    });
    if (this.#read.has(mountPath)) return;
    this.#read.add(mountPath);
    // Nothing at risk, as it was before it was known: the row does not say that it is news.
    this.#warnings.look();
  }
}
