/**
 * Prometheus text from the status table. In: the table; out: the body of `/metrics`. Values are read
 * when they are asked for; only what the table forgets (errors over time) is counted as it happens.
 * prom-client takes 50 to 80 ms to load, so it is loaded at the first scrape, not at start.
 */
import type { Registry } from 'prom-client';
import type { ErrorReport } from '../error-report.ts';
import type { StatusTable } from '../status.ts';
import type { ErrorCounts, MetricsContext } from './metric-families.ts';

export interface RenderedMetrics {
  readonly contentType: string;
  readonly body: string;
}

export interface Metrics extends Disposable {
  render(): Promise<RenderedMetrics>;
}

export function createMetrics(context: MetricsContext): Metrics {
  const errors: ErrorCounts = new Map();
  const unsubscribe = countErrors(context.status, errors);
  let registry: Promise<Registry> | null = null;
  return {
    async render() {
      registry ??= import('./metric-families.ts').then(({ registerFamilies }) =>
        registerFamilies(context, errors),
      );
      const { contentType } = await registry;
      return { contentType, body: await (await registry).metrics() };
    },
    [Symbol.dispose]: unsubscribe,
  };
}

/** A new report object is a new failure; the table hands the same object on through other changes. */
function countErrors(status: StatusTable, counts: ErrorCounts): () => void {
  const last = new Map<string, ErrorReport | null>();
  return status.subscribe(() => {
    for (const { mount_path: path, error } of status.mounts) {
      if (error === (last.get(path) ?? null)) continue;
      last.set(path, error);
      if (error === null) continue;
      const ofMount = counts.get(path) ?? new Map<string, number>();
      ofMount.set(error.code, (ofMount.get(error.code) ?? 0) + 1);
      counts.set(path, ofMount);
    }
  });
}
