/**
 * When the disk may go: last activity plus the platform's patience. Rest is measured on a clock
 * that nobody can set, so a jump of the wall clock moves the date that is shown and nothing else.
 * Each threshold before the end is passed once per period of rest, over restarts too.
 */
import type { Log } from '../log.ts';
import { ActivityFile } from './activity-file.ts';
import type { Owner } from './activity-file.ts';
import { isSystemError } from '../repository/doubt.ts';
import { SYSTEM_TIME } from './time-source.ts';
import type { TimeSource } from './time-source.ts';

export interface ReclaimTimes {
  readonly lastActivityAt: Date;
  readonly reclaimAt: Date;
  /** From the first threshold on. */
  readonly deadlineNear: boolean;
}

export interface ReclaimClockContext {
  readonly runDir: string;
  readonly owner?: Owner | undefined;
  readonly reclaimAfterMs: number;
  readonly warnBeforeMs: readonly number[];
  readonly log: Log;
  readonly time?: TimeSource | undefined;
  /** Asked when a threshold is passed: nothing at risk, nothing to warn of. */
  readonly isWorkAtRisk: () => boolean;
  /** The times, whenever they are other than before. */
  readonly onTimes: (times: ReclaimTimes) => void;
  readonly onThreshold: (thresholdMs: number, times: ReclaimTimes) => void;
}

/** The file is touched at most this often. */
const TOUCH_INTERVAL_MS = 10_000;
/** The clock looks at least this often, so that a set wall clock or a missed touch is noticed. */
const LOOK_INTERVAL_MS = 60_000;
/** The wall clock drifts against the other by less; what is shown stays still meanwhile. */
const DRIFT_MS = 1_000;

export class ReclaimClock implements Disposable {
  readonly #context: ReclaimClockContext;
  readonly #time: TimeSource;
  readonly #file: ActivityFile;
  /** Those that can be passed, the nearest to the end first. */
  readonly #thresholdsMs: readonly number[];
  #activeAtElapsedMs: number;
  #shownActivityMs: number;
  #touchedMs: number;
  #touchedAtElapsedMs = -Infinity;
  #warnedMs = Infinity;
  #shown = '';
  #cancelAlarm: () => void = () => undefined;

  constructor(context: ReclaimClockContext) {
    this.#context = context;
    this.#time = context.time ?? SYSTEM_TIME;
    this.#thresholdsMs = context.warnBeforeMs
      .filter((thresholdMs) => thresholdMs > 0 && thresholdMs < context.reclaimAfterMs)
      .sort((a, b) => a - b);
    this.#file = new ActivityFile(context);
    const nowMs = this.#time.wallMs();
    const lastMs = Math.min(this.#file.readMs() ?? nowMs, nowMs);
    this.#activeAtElapsedMs = this.#time.elapsedMs() - (nowMs - lastMs);
    this.#shownActivityMs = lastMs;
    this.#touchedMs = lastMs;
    this.#warnedMs = this.#file.readWarnedMs(lastMs) ?? Infinity;
    this.#touch(lastMs);
    this.#file.watch(() => {
      this.look();
    });
    this.look();
  }

  /** Something happened now, or so long ago. */
  activity(agoMs = 0): void {
    const atElapsedMs = this.#time.elapsedMs() - Math.max(0, agoMs);
    if (atElapsedMs <= this.#activeAtElapsedMs) return;
    this.#activeAtElapsedMs = atElapsedMs;
    this.#shownActivityMs = this.#activityMs();
    this.#warnedMs = Infinity;
    if (atElapsedMs - this.#touchedAtElapsedMs >= TOUCH_INTERVAL_MS)
      this.#touch(this.#shownActivityMs);
    this.look();
  }

  get times(): ReclaimTimes {
    const { reclaimAfterMs } = this.#context;
    const first = this.#thresholdsMs.at(-1) ?? 0;
    return {
      lastActivityAt: new Date(this.#shownActivityMs),
      reclaimAt: new Date(this.#shownActivityMs + reclaimAfterMs),
      deadlineNear: this.#leftMs() <= first,
    };
  }

  /** Reads the clocks and the file, says what is new, and sets the next alarm. */
  look(): void {
    this.#readTouch();
    const activityMs = this.#activityMs();
    if (Math.abs(activityMs - this.#shownActivityMs) > DRIFT_MS) this.#shownActivityMs = activityMs;
    this.#tell();
    this.#warn();
    this.#setAlarm();
  }

  /** Writes the last activity down for the next start. */
  [Symbol.dispose](): void {
    this.#cancelAlarm();
    this.#readTouch();
    this.#touch(this.#shownActivityMs);
    this.#file[Symbol.dispose]();
  }

  #leftMs(): number {
    return this.#context.reclaimAfterMs - (this.#time.elapsedMs() - this.#activeAtElapsedMs);
  }

  /** The last activity on the wall clock as it is set now. */
  #activityMs(): number {
    return Math.round(this.#time.wallMs() - (this.#time.elapsedMs() - this.#activeAtElapsedMs));
  }

  /** Somebody else's touch is activity at the time that the file says, or now if that is to come. */
  #readTouch(): void {
    const fileMs = this.#file.readMs();
    if (fileMs === undefined || Math.abs(fileMs - this.#touchedMs) < 1) return;
    this.#touchedMs = fileMs;
    const agoMs = Math.max(0, this.#time.wallMs() - fileMs);
    const atElapsedMs = this.#time.elapsedMs() - agoMs;
    if (atElapsedMs <= this.#activeAtElapsedMs) return;
    this.#activeAtElapsedMs = atElapsedMs;
    this.#shownActivityMs = this.#activityMs();
    this.#warnedMs = Infinity;
  }

  #touch(atMs: number): void {
    try {
      this.#file.touch(atMs);
      this.#touchedMs = this.#file.readMs() ?? atMs;
      this.#touchedAtElapsedMs = this.#activeAtElapsedMs;
    } catch (error) {
      if (!isSystemError(error)) throw error;
      this.#context.log.warn(
        { reason: error.message },
        'the last activity cannot be written to the run directory',
      );
    }
  }

  #tell(): void {
    const { times } = this;
    const shown = JSON.stringify(times);
    if (shown === this.#shown) return;
    this.#shown = shown;
    this.#context.onTimes(times);
  }

  #warn(): void {
    const leftMs = this.#leftMs();
    const passedMs = this.#thresholdsMs.find((thresholdMs) => leftMs <= thresholdMs);
    if (passedMs === undefined || leftMs <= 0 || passedMs >= this.#warnedMs) return;
    if (!this.#context.isWorkAtRisk()) return;
    this.#warnedMs = passedMs;
    this.#remember(passedMs);
    this.#context.onThreshold(passedMs, this.times);
  }

  /** The file of the warning carries the time of the file of the activity, as the disk keeps it. */
  #remember(thresholdMs: number): void {
    this.#touch(this.#shownActivityMs);
    try {
      this.#file.writeWarned(thresholdMs, this.#touchedMs);
    } catch (error) {
      if (!isSystemError(error)) throw error;
      this.#context.log.warn(
        { reason: error.message },
        'the warning cannot be written to the run directory',
      );
    }
  }

  #setAlarm(): void {
    this.#cancelAlarm();
    const leftMs = this.#leftMs();
    const next = this.#thresholdsMs.findLast((thresholdMs) => thresholdMs < leftMs) ?? 0;
    const waitMs = Math.min(LOOK_INTERVAL_MS, Math.max(leftMs - next, 0) + 1);
    this.#cancelAlarm = this.#time.wakeAfter(leftMs <= 0 ? LOOK_INTERVAL_MS : waitMs, () => {
      this.look();
    });
  }
}
