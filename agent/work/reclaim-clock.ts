/**
 * When the disk may go: last activity plus the platform's patience. Rest is measured on a clock
 * that nobody can set, so a jump of the wall clock moves the date that is shown and nothing else.
 * It says how long there is and which threshold was passed last; what to do then is not its business.
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
  /** When somebody last typed on the command's terminal, milliseconds since the epoch. */
  readonly lastInputMs?: (() => number | undefined) | undefined;
  /** A new period of rest begins. */
  readonly onActivity: () => void;
  /** After each look at the clocks: as times pass, and whenever they are other than before. */
  readonly onLook: () => void;
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
  #inputMs: number | undefined;
  #cancelAlarm: () => void = () => undefined;
  #ended = false;

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
    this.#inputMs = context.lastInputMs?.();
    this.#touch(lastMs);
    this.#file.watch(() => {
      this.look();
    });
    this.#setAlarm();
  }

  /** Something happened now, or so long ago. */
  activity(agoMs = 0): void {
    if (!this.#rest(this.#time.elapsedMs() - Math.max(0, agoMs))) return;
    this.look();
  }

  /** Milliseconds until the disk may go; negative once it may. */
  get leftMs(): number {
    return this.#context.reclaimAfterMs - (this.#time.elapsedMs() - this.#activeAtElapsedMs);
  }

  /** The threshold passed last, or null before the first. */
  get passedMs(): number | null {
    const { leftMs } = this;
    return this.#thresholdsMs.find((thresholdMs) => leftMs <= thresholdMs) ?? null;
  }

  get times(): ReclaimTimes {
    const { reclaimAfterMs } = this.#context;
    const first = this.#thresholdsMs.at(-1) ?? 0;
    return {
      lastActivityAt: new Date(this.#shownActivityMs),
      reclaimAt: new Date(this.#shownActivityMs + reclaimAfterMs),
      deadlineNear: this.leftMs <= first,
    };
  }

  /** Reads the clocks and the files, and sets the next alarm. */
  look(): void {
    if (this.#ended) return;
    this.#readTouch();
    this.#readInput();
    const activityMs = this.#activityMs();
    if (Math.abs(activityMs - this.#shownActivityMs) > DRIFT_MS) this.#shownActivityMs = activityMs;
    this.#setAlarm();
    this.#context.onLook();
  }

  /** Writes the last activity down. @returns mtime of its file, which names this period of rest. */
  writeDown(): number {
    this.#touch(this.#shownActivityMs);
    return this.#touchedMs;
  }

  /** Writes the last activity down for the next start. */
  [Symbol.dispose](): void {
    this.#ended = true;
    this.#cancelAlarm();
    this.#readTouch();
    this.#touch(this.#shownActivityMs);
    this.#file[Symbol.dispose]();
  }

  /** @returns whether that is later than what was known. */
  #rest(fromElapsedMs: number): boolean {
    if (fromElapsedMs <= this.#activeAtElapsedMs) return false;
    this.#activeAtElapsedMs = fromElapsedMs;
    this.#shownActivityMs = this.#activityMs();
    if (fromElapsedMs - this.#touchedAtElapsedMs >= TOUCH_INTERVAL_MS) this.writeDown();
    this.#context.onActivity();
    return true;
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
    this.#touchedAtElapsedMs = this.#time.elapsedMs();
    this.#restFromWall(fileMs);
  }

  #readInput(): void {
    const inputMs = this.#context.lastInputMs?.();
    if (inputMs === undefined || inputMs === this.#inputMs) return;
    this.#inputMs = inputMs;
    this.#restFromWall(inputMs);
  }

  #restFromWall(wallMs: number): void {
    this.#rest(this.#time.elapsedMs() - Math.max(0, this.#time.wallMs() - wallMs));
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

  #setAlarm(): void {
    this.#cancelAlarm();
    const { leftMs } = this;
    const next = this.#thresholdsMs.findLast((thresholdMs) => thresholdMs < leftMs) ?? 0;
    const waitMs = Math.min(LOOK_INTERVAL_MS, Math.max(leftMs - next, 0) + 1);
    this.#cancelAlarm = this.#time.wakeAfter(leftMs <= 0 ? LOOK_INTERVAL_MS : waitMs, () => {
      this.look();
    });
  }
}
