/**
 * What would be lost, for all mounts of the session: a watcher per ready mount that keeps its row's
 * `at_risk` true, and the warnings with their clock. Disposing of it logs the last word on each.
 */
import { toAgentError } from './errors.ts';
import type { Resource } from './resource.ts';
import type { Session } from './session.ts';
import { Warnings } from './work/warnings.ts';
import { watchMount } from './work/watch.ts';
import type { WorkReading, WorkWatcher } from './work/watch.ts';

export class WorkAtRisk implements AsyncDisposable {
  readonly #session: Session;
  readonly #warnings: Warnings;
  readonly #watchers = new Map<string, WorkWatcher>();
  readonly #ending = new AbortController();

  constructor(session: Session) {
    const { config, host, status, log } = session;
    this.#session = session;
    this.#warnings = new Warnings({
      status,
      log,
      runDir: config.runDir,
      owner: host.owner ?? undefined,
      reclaimAfterMs: config.reclaimAfterMs,
      warnBeforeMs: config.warnBeforeMs,
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

  /** A last look at each mount, so that the log's end says what the disk still holds. */
  async [Symbol.asyncDispose](): Promise<void> {
    const { log, status } = this.#session;
    for (const [mount, watcher] of this.#watchers) {
      await watcher.rescan().catch((error: unknown) => {
        log.warn({ err: toAgentError(error), mount }, 'no last look at the work at risk');
      });
      const atRisk = status.mount(mount)?.at_risk ?? null;
      if (atRisk !== null) log.warn({ mount, atRisk }, 'ending with work at risk');
      await watcher[Symbol.asyncDispose]();
    }
    this.#ending.abort(new Error('the session has ended'));
    this.#warnings[Symbol.dispose]();
  }

  #take(mountPath: string, { atRisk, head }: WorkReading): void {
    this.#session.status.update(mountPath, {
      at_risk: atRisk,
      ...(head === null ? {} : { head }),
    });
  }
}
