/**
 * Says in time that work would be lost: the times and the health in the status table, a log line at
 * each threshold, AT_RISK.md while work is at risk near its deadline. Withdrawn when it is safe.
 */
import { isSystemError } from '../repository/doubt.ts';
import type { Log } from '../log.ts';
import type { MountStatus, StatusTable } from '../status.ts';
import type { Owner } from './activity-file.ts';
import { describeDuration, listRisks, renderNotice } from './at-risk-notice.ts';
import { NoticeFile } from './notice-file.ts';
import { ReclaimClock } from './reclaim-clock.ts';
import type { ReclaimTimes } from './reclaim-clock.ts';
import { SYSTEM_TIME } from './time-source.ts';
import type { TimeSource } from './time-source.ts';

export interface WarningsContext {
  readonly status: StatusTable;
  readonly runDir: string;
  readonly owner?: Owner | undefined;
  readonly reclaimAfterMs: number;
  readonly warnBeforeMs: readonly number[];
  readonly log: Log;
  readonly time?: TimeSource;
}

/** Runs until it is disposed of; activity() comes from mounts and from the control socket. */
export class Warnings implements Disposable {
  readonly #context: WarningsContext;
  readonly #time: TimeSource;
  readonly #notice: NoticeFile;
  readonly #clock: ReclaimClock;
  readonly #unsubscribe: () => void;
  #lastRisks = '';
  #lookScheduled = false;

  constructor(context: WarningsContext) {
    this.#context = context;
    this.#time = context.time ?? SYSTEM_TIME;
    this.#notice = new NoticeFile(context.runDir, context.owner);
    this.#clock = new ReclaimClock({
      ...context,
      isWorkAtRisk: () => this.#mountsAtRisk().length > 0,
      onTimes: (times) => {
        const { lastActivityAt, reclaimAt, deadlineNear } = times;
        this.#context.status.setReclaim(lastActivityAt, reclaimAt, deadlineNear);
        this.#showNotice(times);
      },
      onThreshold: (thresholdMs, times) => {
        this.#warn(thresholdMs, times);
      },
    });
    this.#unsubscribe = context.status.subscribe(() => {
      this.#onStatus();
    });
  }

  /** Something happened in the session now. */
  activity(): void {
    this.#clock.activity();
  }

  [Symbol.dispose](): void {
    this.#unsubscribe();
    this.#clock[Symbol.dispose]();
  }

  #mountsAtRisk(): MountStatus[] {
    return this.#context.status.mounts.filter((mount) => mount.at_risk !== null);
  }

  /** The table changes often while clones run; only work at risk matters here. */
  #onStatus(): void {
    const risks = JSON.stringify(
      this.#context.status.mounts.map(({ at_risk: risk }) =>
        risk === null ? null : { ...risk, checked_at: null },
      ),
    );
    if (risks === this.#lastRisks || this.#lookScheduled) return;
    this.#lastRisks = risks;
    this.#lookScheduled = true;
    // Not from within the table's own notification: looking may change the table.
    queueMicrotask(() => {
      this.#lookScheduled = false;
      this.#clock.look();
      this.#showNotice(this.#clock.times);
    });
  }

  #warn(thresholdMs: number, times: ReclaimTimes): void {
    const leftMs = times.reclaimAt.getTime() - this.#time.wallMs();
    const mounts = this.#mountsAtRisk().map(({ mount_path, at_risk }) => ({ mount_path, at_risk }));
    const words = mounts.map(({ mount_path, at_risk }) =>
      at_risk === null ? mount_path : `${mount_path}: ${listRisks(at_risk).join(', ')}`,
    );
    this.#context.log.warn(
      { reclaim_at: times.reclaimAt, warn_before_ms: thresholdMs, at_risk: mounts },
      `work will be lost in ${describeDuration(leftMs)} unless it is saved: ${words.join('; ')}`,
    );
    this.#showNotice(times);
  }

  #showNotice(times: ReclaimTimes): void {
    const { status, runDir, log } = this.#context;
    const now = new Date(this.#time.wallMs());
    const content = times.deadlineNear
      ? renderNotice({ mounts: status.mounts, times, now, runDir })
      : null;
    try {
      this.#notice.show(content);
    } catch (error) {
      if (!isSystemError(error)) throw error;
      log.error({ reason: error.message }, 'AT_RISK.md cannot be written to the run directory');
    }
  }
}
