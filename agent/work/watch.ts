/**
 * Keeps the ledger of one mount true while it runs. Events say where to look and never what is
 * true: after each, the disk is read. Where watches run out, the disk is read at intervals instead.
 */
import type { Log } from '../log.ts';
import type { AtRisk, Head } from '../status.ts';
import type { WatchReport } from '../watch-report.ts';
import { toBytePath } from '../repository/byte-path.ts';
import { IgnoredCount } from './ignored-count.ts';
import { Ledger } from './ledger.ts';
import type { LedgerContext, LedgerReading } from './ledger.ts';
import { ScanLoop } from './scan-loop.ts';
import type { ScanKind } from './scan-loop.ts';
import { WatchSet } from './watch-set.ts';
import { keepYoungGenerationSmall } from './young-generation.ts';

export interface WorkReading {
  /** null when nothing would be lost. */
  readonly atRisk: AtRisk | null;
  readonly head: Head | null;
  readonly watch: WatchReport;
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
const RAISE_THE_LIMIT = 'Raise the limit on the host: sysctl fs.inotify.max_user_watches=524288';

/**
 * Resolves after the first reading, with all watches in place.
 * @throws the signal's reason when it is aborted before.
 */
export async function watchMount(context: WatchContext): Promise<WorkWatcher> {
  keepYoungGenerationSmall();
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
  readonly #ledger: Ledger;
  readonly #watches: WatchSet;
  readonly #loop: ScanLoop;
  readonly #running: Promise<void>;
  readonly #ignored: IgnoredCount;
  #previous: LedgerReading | undefined;
  #published: WorkReading | undefined;
  #since: string | null = null;

  constructor(context: WatchContext) {
    const { log } = context;
    this.#context = context;
    this.#watches = new WatchSet({
      onLimit: (error) => {
        log.warn(
          { reason: error.message, mount_path: context.worktree },
          'too few inotify watches for this repository: the directories that changed last and the ' +
            'Git directory stay watched, the others are read at intervals. ' +
            `${RAISE_THE_LIMIT}.`,
        );
      },
      onOverflow: () => {
        log.info({ mount_path: context.worktree }, 'so many changes at once: all is read again');
        this.#ledger.markAll();
        this.#loop.request();
      },
    });
    this.#ledger = new Ledger(context, {
      watches: this.#watches,
      onDirty: () => {
        this.#loop.request();
      },
    });
    this.#ignored = new IgnoredCount({
      worktree: toBytePath(context.worktree),
      onCounted: () => {
        this.#republish();
      },
      onFailure: (error) => {
        log.error({ err: error, mount_path: context.worktree }, 'ignored files are not counted');
      },
    });
    this.#loop = new ScanLoop({
      scan: (kind) => this.#scan(kind),
      debounceMs: context.debounceMs ?? DEBOUNCE_MS,
      signal: context.signal,
    });
    this.#running = this.#loop.run();
    // A failed scan rejects rescan() and ends the loop; the rejection is seen again on dispose.
    this.#running.catch((error: unknown) => {
      log.error({ err: error, mount_path: context.worktree }, 'the watch of this mount has ended');
    });
  }

  /** Reads all of the disk now. Resolves when the reading was handed over. */
  rescan(): Promise<void> {
    return this.#loop.rescan();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#loop.stop();
    this.#ignored[Symbol.dispose]();
    await Promise.allSettled([this.#running]);
    this.#ledger[Symbol.dispose]();
    this.#watches[Symbol.dispose]();
  }

  async #scan(kind: ScanKind): Promise<number> {
    if (kind === 'all') this.#ledger.markAll();
    if (kind === 'unwatched') {
      this.#ledger.markUnwatched();
      if (this.#watches.retry()) this.#context.log.info('all directories are watched again');
    }
    const startedAt = performance.now();
    const usedBefore = process.cpuUsage();
    const reading = await this.#ledger.take(this.#context.signal);
    const tookMs = performance.now() - startedAt;
    const { user, system } = process.cpuUsage(usedBefore);
    const active = this.#isActivity(reading);
    this.#previous = reading;
    // What could not be read is tried again: nothing may say when it can be.
    this.#loop.byInterval = this.#watches.waiting > 0 || reading.risk?.unknown != null;
    this.#ignored.request(reading.ignored.directories, kind === 'all');
    this.#publish(reading, tookMs);
    if (active) this.#context.onActivity(new Date());
    // On a machine that does much else a reading takes longer than it costs; the process does more than it.
    return Math.min(tookMs, (user + system) / 1000);
  }

  #publish(reading: LedgerReading, tookMs: number): void {
    const checkedAt = new Date().toISOString();
    this.#since = reading.risk === null ? null : (this.#since ?? checkedAt);
    this.#published = {
      atRisk:
        reading.risk === null
          ? null
          : { ...reading.risk, since: this.#since ?? checkedAt, checked_at: checkedAt },
      head: reading.head,
      watch: {
        directories: this.#watches.watched,
        unwatched: this.#watches.waiting,
        remedy: this.#watches.waiting === 0 ? null : RAISE_THE_LIMIT,
        scan_ms: Math.round(tookMs),
        ...this.#ignoredIn(reading),
      },
    };
    this.#context.onReading(this.#published);
  }

  /** The last reading, with what has been counted since. */
  #republish(): void {
    const [published, reading] = [this.#published, this.#previous];
    if (published === undefined || reading === undefined) return;
    const watch = { ...published.watch, ...this.#ignoredIn(reading) };
    this.#published = { ...published, watch };
    this.#context.onReading(this.#published);
  }

  #ignoredIn({ ignored }: LedgerReading) {
    const { sum, state, countedAt } = this.#ignored;
    return {
      ignored_files: ignored.files + sum.files,
      ignored_bytes: ignored.bytes + sum.bytes,
      ignored_state: state,
      ignored_counted_at: countedAt?.toISOString() ?? null,
    };
  }

  /** Changes count, looking does not: neither ours nor that of a prompt that asks git for the status. */
  #isActivity(reading: LedgerReading): boolean {
    const previous = this.#previous;
    // Asking forgets what the watches said: in any case it is asked.
    const { isActive } = this.#ledger;
    if (previous === undefined) return false;
    return isActive || reading.changedAtMs > previous.changedAtMs || isOther(previous, reading);
  }
}

/** Another HEAD, other counts, other paths. */
function isOther(before: LedgerReading, after: LedgerReading): boolean {
  return JSON.stringify([before.head, before.risk]) !== JSON.stringify([after.head, after.risk]);
}
