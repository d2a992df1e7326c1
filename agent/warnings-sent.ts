/**
 * How many warnings went which way, and what came of them: for the metrics.
 */
import type { DeliveryResult } from './work/warning-outbox.ts';

const RESULTS: readonly DeliveryResult[] = ['delivered', 'failed', 'superseded'];

export interface WarningCount {
  readonly channel: string;
  readonly result: DeliveryResult;
  readonly count: number;
}

export class WarningsSent {
  readonly #counts = new Map<string, Map<DeliveryResult, number>>();

  /** A channel that is there counts from 0, so that the first failure shows as a change. */
  declare(channel: string): void {
    this.#counts.set(channel, new Map(RESULTS.map((result) => [result, 0])));
  }

  count(channel: string, result: DeliveryResult): void {
    const counts = this.#counts.get(channel) ?? new Map<DeliveryResult, number>();
    counts.set(result, (counts.get(result) ?? 0) + 1);
    this.#counts.set(channel, counts);
  }

  all(): WarningCount[] {
    return [...this.#counts].flatMap(([channel, counts]) =>
      [...counts].map(([result, count]) => ({ channel, result, count })),
    );
  }
}
