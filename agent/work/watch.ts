/**
 * Keeps the ledger of one mount true while it runs. Events say where to look and never what is
 * true: after each, the disk is read. Where watches run out, the disk is read at intervals instead.
 */
import type { Log } from '../log.ts';
import type { AtRisk, Head } from '../status.ts';
import { toBytePath } from '../repository/byte-path.ts';
import type { BytePath } from '../repository/byte-path.ts';
import { DirectoryWatcher } from './directory-watcher.ts';
import { listGitDirectories } from '../repository/git-directories.ts';
import { Ledger } from './ledger.ts';
import type { LedgerContext, LedgerReading } from './ledger.ts';
import { ScanLoop } from './scan-loop.ts';

export interface WorkReading {
  /** null when nothing would be lost. */
  readonly atRisk: AtRisk | null;
  readonly head: Head | null;
  /** What the reading cost, wall time. */
  readonly tookMs: number;
  readonly watchedDirectories: number;
  /** False while changes are looked for at intervals. */
  readonly live: boolean;
}

export interface WatchContext extends LedgerContext {
  readonly log: Log;
  readonly onReading: (reading: WorkReading) => void;
  /** Somebody changed something that is not ignored. */
  readonly onActivity: (at: Date) => void;
  readonly signal: AbortSignal;
  readonly debounceMs?: number;
}

const DEBOUNCE_MS = 100;
/** Rewritten by looking alone: git refreshes the index when somebody asks for the status. */
const QUIET_GIT_FILES = new Set(['index', 'index.lock', 'FETCH_HEAD', 'gc.pid', 'gc.log']);
const EVENT_LIMIT = 1_000;

interface ChangeEvent {
  readonly directory: BytePath;
  /** As node:fs decodes it; null when the system does not say. */
  readonly name: string | null;
}

/**
 * Resolves after the first reading, with all watches in place.
 * @throws the signal's reason when it is aborted before.
 */
export async function watchMount(context: WatchContext): Promise<WorkWatcher> {
  const watcher = new WorkWatcher(context);
  try {
    await watcher.rescan();
    return watcher;
  } catch (error) {
    await watcher[Symbol.asyncDispose]();
    throw error;
  }
}

export class WorkWatcher implements AsyncDisposable {
  readonly #context: WatchContext;
  readonly #worktree: BytePath;
  readonly #ledger: Ledger;
  readonly #directories: DirectoryWatcher;
  readonly #loop: ScanLoop;
  readonly #running: Promise<void>;
  #events = new Map<string, ChangeEvent>();
  #gitdirs = new Set<BytePath>();
  #previous: LedgerReading | undefined;
  #since: string | null = null;

  constructor(context: WatchContext) {
    const { log } = context;
    this.#context = context;
    this.#worktree = toBytePath(context.worktree);
    this.#ledger = new Ledger(context);
    this.#directories = new DirectoryWatcher({
      onChange: (directory, name) => {
        this.#onEvent(directory, name);
      },
      onLimit: (error) => {
        log.warn(
          { reason: error.message, mount_path: context.worktree },
          'too few inotify watches for this repository: changes are looked for at intervals. ' +
            'Raise the limit on the host: sysctl fs.inotify.max_user_watches=524288',
        );
      },
      onError: (error) => {
        const reason = error instanceof Error ? error.message : String(error);
        log.warn({ reason, mount_path: context.worktree }, 'watching reported an error');
      },
    });
    this.#loop = new ScanLoop({
      scan: () => this.#scan(),
      debounceMs: context.debounceMs ?? DEBOUNCE_MS,
      signal: context.signal,
    });
    this.#running = this.#loop.run();
    // A failed scan rejects rescan() and ends the loop; the rejection is seen again on dispose.
    this.#running.catch((error: unknown) => {
      log.error({ err: error, mount_path: context.worktree }, 'the watch of this mount has ended');
    });
  }

  /** Reads the disk now. Resolves when the reading was handed over. */
  rescan(): Promise<void> {
    return this.#loop.rescan();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#loop.stop();
    await Promise.allSettled([this.#running]);
    await this.#directories[Symbol.asyncDispose]();
    this.#ledger[Symbol.dispose]();
  }

  #onEvent(directory: BytePath, name: string | null): void {
    if (name !== null && isLockFile(name) && this.#isInGitdir(directory)) return;
    if (this.#events.size < EVENT_LIMIT) {
      this.#events.set(`${directory}/${name ?? ''}`, { directory, name });
    }
    this.#loop.request();
  }

  async #scan(): Promise<number> {
    const events = this.#events;
    this.#events = new Map();
    const startedAt = performance.now();
    const reading = await this.#ledger.take(this.#context.signal);
    const tookMs = performance.now() - startedAt;
    this.#gitdirs = new Set(reading.gitdirs);
    const active = this.#isActivity(reading, events);
    this.#previous = { ...reading, isIgnored: () => false };
    this.#publish(reading, tookMs);
    if (active) this.#context.onActivity(new Date());
    await this.#watchWhatWasRead(reading);
    return tookMs;
  }

  async #watchWhatWasRead(reading: LedgerReading): Promise<void> {
    // The Git directory first: commits and the index matter most when watches are short.
    const own = [...this.#gitdirs].flatMap(listGitDirectories);
    const added = await this.#directories.watch([...own, ...reading.directories]);
    // What happened there between the reading and the watch was seen by neither.
    if (added) this.#loop.request();
    // Without a repository there is nothing to watch that would say when it comes back.
    this.#loop.byInterval = !this.#directories.complete || reading.directories.length === 0;
  }

  #publish(reading: LedgerReading, tookMs: number): void {
    const checkedAt = new Date().toISOString();
    this.#since = reading.risk === null ? null : (this.#since ?? checkedAt);
    this.#context.onReading({
      atRisk:
        reading.risk === null
          ? null
          : { ...reading.risk, since: this.#since ?? checkedAt, checked_at: checkedAt },
      head: reading.head,
      tookMs,
      watchedDirectories: this.#directories.watched,
      live: this.#directories.complete,
    });
  }

  /** Changes count, looking does not: neither ours nor that of a prompt that asks git for the status. */
  #isActivity(reading: LedgerReading, events: ReadonlyMap<string, ChangeEvent>): boolean {
    const previous = this.#previous;
    if (previous === undefined) return false;
    if (reading.changedAtMs > previous.changedAtMs || isOther(previous, reading)) return true;
    for (const { directory, name } of events.values()) {
      if (this.#isInGitdir(directory)) {
        if (name === null || !QUIET_GIT_FILES.has(name)) return true;
      } else if (name === null || !reading.isIgnored(directory, toBytePath(name))) {
        return true;
      }
    }
    return false;
  }

  #isInGitdir(directory: BytePath): boolean {
    for (const gitdir of this.#gitdirs) {
      if (directory === gitdir || directory.startsWith(`${gitdir}/`)) return true;
    }
    return directory.startsWith(`${this.#worktree}/.git/`);
  }
}

function isLockFile(name: string): boolean {
  return name.endsWith('.lock');
}

/** Another HEAD, other counts, other paths. */
function isOther(before: LedgerReading, after: LedgerReading): boolean {
  return JSON.stringify([before.head, before.risk]) !== JSON.stringify([after.head, after.risk]);
}
