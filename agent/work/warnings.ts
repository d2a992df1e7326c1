/**
 * Says in time that work would be lost: the times and the health in the status table, AT_RISK.md
 * while there is reason for alarm, and an event for log and channels at each threshold, when a token
 * is refused, and when a warning no longer holds. Each once, over restarts too.
 */
import type { Owner } from '../host.ts';
import type { Log } from '../log.ts';
import { isSystemError } from '../repository/doubt.ts';
import { isTokenRefused } from '../status.ts';
import type { MountStatus, StatusTable } from '../status.ts';
import { renderNotice } from './at-risk-notice.ts';
import type { NoticeContext } from './at-risk-notice.ts';
import { NoticeFile } from './notice-file.ts';
import { ReclaimClock } from './reclaim-clock.ts';
import { SYSTEM_TIME } from './time-source.ts';
import type { TimeSource } from './time-source.ts';
import { warningEvent } from './warning-event.ts';
import type { Occasion, WarningEvent } from './warning-event.ts';
import { WarningMemory } from './warning-memory.ts';

export interface WarningsContext {
  readonly status: StatusTable;
  readonly runDir: string;
  readonly owner?: Owner | undefined;
  readonly rescueDir?: string | null;
  readonly reclaimAfterMs: number;
  readonly warnBeforeMs: readonly number[];
  readonly log: Log;
  readonly time?: TimeSource;
  readonly lastInputMs?: (() => number | undefined) | undefined;
  /** False until the mount was read for the first time: nothing is known to be safe before. */
  readonly isRead: (mountPath: string) => boolean;
  /** Hands an event to whoever else wants it; must neither throw nor wait. */
  readonly onEvent: (event: WarningEvent) => void;
  readonly onNotice?: (isWritten: boolean) => void;
}

/** Runs until it is disposed of; activity() comes from mounts and from the control socket. */
export class Warnings implements Disposable {
  readonly #context: WarningsContext;
  readonly #time: TimeSource;
  readonly #notice: NoticeFile;
  readonly #clock: ReclaimClock;
  readonly #memory: WarningMemory;
  readonly #unsubscribe: () => void;
  #lastRows = '';
  #shownTimes = '';
  #lookScheduled = false;
  readonly #failing = new Set<string>();

  constructor(context: WarningsContext) {
    const { runDir, owner } = context;
    this.#context = context;
    this.#time = context.time ?? SYSTEM_TIME;
    this.#notice = new NoticeFile(runDir, owner);
    this.#memory = new WarningMemory(runDir, owner);
    this.#clock = new ReclaimClock({
      ...context,
      onActivity: () => {
        this.#memory.thresholdMs = Infinity;
      },
      onLook: () => {
        this.#look();
      },
    });
    this.#memory.load(this.#clock.writeDown());
    this.#unsubscribe = context.status.subscribe(() => {
      this.#onStatus();
    });
    this.#look();
  }

  /** Something happened in the session now. */
  activity(): void {
    this.#clock.activity();
  }

  /** More is known than before, though the table is the same. */
  look(): void {
    this.#clock.look();
  }

  /** The session ends: what is still at risk is written down, however far the deadline is. */
  writeLast(): void {
    this.#show({ mounts: this.#context.status.mounts, why: 'ending' });
  }

  [Symbol.dispose](): void {
    this.#unsubscribe();
    this.#clock[Symbol.dispose]();
  }

  /** The table changes often while clones run; only work at risk and tokens matter here. */
  #onStatus(): void {
    const rows = JSON.stringify(
      this.#context.status.mounts.map(({ at_risk: risk, credential, can_push, ...mount }) => [
        ...[credential, can_push, mount.last_rescue, mount.restorable],
        risk && { ...risk, checked_at: null },
      ]),
    );
    if (rows === this.#lastRows) return;
    this.#lastRows = rows;
    if (this.#lookScheduled) return;
    this.#lookScheduled = true;
    // Not from within the table's own notification: looking may change the table.
    queueMicrotask(() => {
      this.#lookScheduled = false;
      this.#clock.look();
    });
  }

  #look(): void {
    this.#showTimes();
    this.#forgetAccepted();
    const { mounts } = this.#context.status;
    const { deadlineNear } = this.#clock.times;
    const alarming = mounts.filter(
      (mount) => mount.at_risk !== null && (deadlineNear || this.#isRefused(mount)),
    );
    if (alarming.length > 0) {
      this.#show({ mounts: alarming, why: deadlineNear ? 'deadline' : 'token' });
      this.#warn(alarming);
    } else if (this.#isKnownToBeSafe()) {
      this.#show({ mounts: [], why: 'deadline' });
      this.#withdraw();
    }
  }

  #showTimes(): void {
    const { lastActivityAt, reclaimAt, deadlineNear } = this.#clock.times;
    const shown = `${lastActivityAt.getTime()} ${reclaimAt.getTime()} ${deadlineNear}`;
    if (shown === this.#shownTimes) return;
    this.#shownTimes = shown;
    this.#context.status.setReclaim(lastActivityAt, reclaimAt, deadlineNear);
  }

  /** After a rotation the new token is unknown until the host was asked: no reason to be calm yet. */
  #isRefused(mount: MountStatus): boolean {
    const wasRefused = this.#memory.refused.has(mount.mount_path);
    return isTokenRefused(mount) || (wasRefused && mount.credential === 'unknown');
  }

  #forgetAccepted(): void {
    const { status, isRead } = this.#context;
    const kept = [...this.#memory.refused].filter((path) => {
      const { credential, at_risk: risk } = status.mount(path) ?? {};
      if (credential === undefined) return !status.manifestRead;
      return credential !== 'ok' && (risk !== null || !isRead(path));
    });
    if (kept.length === this.#memory.refused.size) return;
    this.#memory.refused = new Set(kept);
    this.#remember();
  }

  #isKnownToBeSafe(): boolean {
    const { status, isRead } = this.#context;
    const paths = this.#memory.open?.mountPaths ?? [];
    if (!status.manifestRead) return paths.length === 0;
    return paths.every((path) => status.mount(path) === undefined || isRead(path));
  }

  #warn(alarming: readonly MountStatus[]): void {
    const memory = this.#memory;
    const { passedMs } = this.#clock;
    const isDeadline = passedMs !== null && passedMs < memory.thresholdMs;
    const refused = alarming
      .filter((mount) => this.#isRefused(mount))
      .map(({ mount_path: path }) => path);
    const isNew = refused.some((path) => !memory.refused.has(path));
    if (!isDeadline && !isNew) return;
    const reason = isDeadline ? 'deadline' : 'token_refused';
    if (isDeadline) memory.thresholdMs = passedMs;
    memory.refused = new Set([...memory.refused, ...refused]);
    memory.open = { reason, mountPaths: alarming.map(({ mount_path: path }) => path) };
    // Before it is said: a daemon that ends in between says it never rather than twice.
    this.#remember();
    this.#say({ event: 'warning', reason, thresholdMs: isDeadline ? passedMs : null }, alarming);
  }

  #withdraw(): void {
    const { open } = this.#memory;
    if (open === null) return;
    const { status } = this.#context;
    const mounts = open.mountPaths.flatMap((path) => status.mount(path) ?? []);
    const isSaved = mounts.every((mount) => mount.at_risk === null);
    const otherwise = open.reason === 'deadline' ? 'activity' : 'token_accepted';
    this.#memory.open = null;
    // Whoever was told that all is well is told again when it is not.
    this.#memory.thresholdMs = Infinity;
    this.#remember();
    this.#say({ event: 'withdrawn', reason: isSaved ? 'saved' : otherwise }, mounts);
  }

  #say(occasion: Occasion, mounts: readonly MountStatus[]): void {
    const { status, log, onEvent } = this.#context;
    const event = warningEvent(occasion, {
      snapshot: status.snapshot(),
      mounts,
      now: new Date(this.#time.wallMs()),
      leftMs: this.#clock.leftMs,
      notice: this.#notice.path,
    });
    const { message, id, reason, reclaim_at, threshold_seconds } = event;
    const facts = { id, reason, reclaim_at, threshold_seconds, mounts: event.mounts };
    if (event.event === 'warning') log.warn(facts, message);
    else log.info(facts, `warning withdrawn: ${message}`);
    onEvent(event);
  }

  #remember(): void {
    const activityMs = this.#clock.writeDown();
    this.#try('what was warned of cannot be written to the run directory', () => {
      this.#memory.save(activityMs);
    });
  }

  #show({ mounts, why }: Pick<NoticeContext, 'mounts' | 'why'>): void {
    const { lastActivityAt, reclaimAt } = this.#clock.times;
    const content = renderNotice({
      ...{ mounts, why, lastActivityAt, reclaimAt },
      restorable: this.#context.status.mounts.filter((mount) => mount.restorable !== null),
      isStuck: (mount) => this.#isRefused(mount) || mount.can_push === false,
      leftMs: this.#clock.leftMs,
      now: new Date(this.#time.wallMs()),
      runDir: this.#context.runDir,
      rescueDir: this.#context.rescueDir ?? null,
    });
    const { onNotice } = this.#context;
    const isWritten = this.#try('AT_RISK.md cannot be written to the run directory', () => {
      if (this.#notice.show(content)) onNotice?.(true);
    });
    if (!isWritten) onNotice?.(false);
  }

  /** The owner of the run directory may do anything to it; the warnings go on. */
  #try(failure: string, write: () => void): boolean {
    try {
      write();
      this.#failing.delete(failure);
      return true;
    } catch (error) {
      if (!isSystemError(error)) throw error;
      // Once per series of failures: a full disk must not fill the log as well.
      if (!this.#failing.has(failure)) this.#context.log.error({ reason: error.message }, failure);
      this.#failing.add(failure);
      return false;
    }
  }
}
