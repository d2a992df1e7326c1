/**
 * One stream of progress for the whole clone. Enters: what each step counts, as often as it likes.
 * Leaves: at most one report per interval and phase; counts of earlier steps stay in later reports.
 */
import { NO_PROGRESS } from '../progress.ts';
import type { Progress } from '../progress.ts';
import type { CloneProgress } from './clone-job.ts';

const INTERVAL_MS = 100;

export class ProgressReporter {
  readonly #onProgress: (progress: CloneProgress) => void;
  #progress: Progress = NO_PROGRESS;
  #phase: CloneProgress['phase'] | null = null;
  #reportedAtMs = 0;

  constructor(onProgress: (progress: CloneProgress) => void) {
    this.#onProgress = onProgress;
  }

  update(phase: CloneProgress['phase'], change: Partial<Progress> = {}): void {
    this.#progress = { ...this.#progress, ...change };
    const nowMs = performance.now();
    const done = change.total_files !== undefined && change.files === change.total_files;
    if (phase === this.#phase && !done && nowMs - this.#reportedAtMs < INTERVAL_MS) return;
    this.#phase = phase;
    this.#reportedAtMs = nowMs;
    this.#onProgress({ phase, progress: this.#progress });
  }
}
