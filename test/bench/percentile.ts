/** Figures in, the one below which a share of them lies out. */

/** @param share in [0, 1]; 1 is the largest. NaN for no figures. */
export function percentile(values: readonly number[], share: number): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)] ?? NaN;
}
