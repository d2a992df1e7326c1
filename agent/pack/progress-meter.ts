/** Every step of the work in; at most one call a tenth of a second out, and one at each phase's end. */

export interface IngestProgress {
  readonly phase: 'receiving' | 'indexing';
  readonly receivedBytes: number;
  /** Entries seen while receiving; objects with a name while indexing. */
  readonly objects: number;
  /** What the pack's header claims; 0 until it is there. */
  readonly totalObjects: number;
}

const INTERVAL_MS = 100;

export class ProgressMeter {
  readonly #report: ((progress: IngestProgress) => void) | undefined;
  #nextMs = 0;

  constructor(report: ((progress: IngestProgress) => void) | undefined) {
    this.#report = report;
  }

  update(
    phase: IngestProgress['phase'],
    receivedBytes: number,
    objects: number,
    total: number,
  ): void {
    if (this.#report === undefined) return;
    const nowMs = performance.now();
    if (nowMs < this.#nextMs) return;
    this.#nextMs = nowMs + INTERVAL_MS;
    this.finish(phase, receivedBytes, objects, total);
  }

  /** Reports whatever the time is. */
  finish(
    phase: IngestProgress['phase'],
    receivedBytes: number,
    objects: number,
    total: number,
  ): void {
    this.#report?.({ phase, receivedBytes, objects, totalObjects: Math.max(0, total) });
  }
}
