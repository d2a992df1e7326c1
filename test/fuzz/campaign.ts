/** So many runs of every kind of input, and what they came to. */
import { DELTAS } from './deltas.ts';
import { PACKS } from './packs.ts';
import { TREES } from './trees.ts';
import { ADVERTISEMENTS, ANSWERS } from './wires.ts';
import type { FuzzKind, Verdict } from './verdict.ts';

export const KINDS: readonly FuzzKind[] = [PACKS, DELTAS, TREES, ADVERTISEMENTS, ANSWERS];

export interface Tally {
  readonly kind: string;
  runs: number;
  accepted: number;
  refused: number;
  /** Refused by us alone, by rule. */
  readonly stricter: Map<string, number>;
  readonly disagreements: Disagreement[];
}

export interface Disagreement {
  readonly kind: string;
  readonly seed: number;
  readonly index: number;
  readonly verdict: Verdict;
}

/** Runs the cases `first` to `first + runs - 1` of one kind. */
export async function runKind(
  kind: FuzzKind,
  seed: number,
  runs: number,
  first = 0,
  onBatch: (tally: Tally) => void = () => undefined,
): Promise<Tally> {
  const tally: Tally = {
    kind: kind.name,
    runs: 0,
    accepted: 0,
    refused: 0,
    stricter: new Map(),
    disagreements: [],
  };
  while (tally.runs < runs) {
    const start = first + tally.runs;
    const verdicts = await kind.judge(seed, start, Math.min(kind.batch, runs - tally.runs));
    for (const [at, verdict] of verdicts.entries()) count(tally, verdict, seed, start + at);
    tally.runs += verdicts.length;
    onBatch(tally);
  }
  return tally;
}

function count(tally: Tally, verdict: Verdict, seed: number, index: number): void {
  if (verdict.accepted) tally.accepted += 1;
  else tally.refused += 1;
  const { stricterBy } = verdict;
  if (stricterBy !== null)
    tally.stricter.set(stricterBy, (tally.stricter.get(stricterBy) ?? 0) + 1);
  if (verdict.disagreement !== null) {
    tally.disagreements.push({ kind: tally.kind, seed, index, verdict });
  }
}

/** How many runs of each kind make `runs` altogether. */
export function sharesOf(runs: number): [FuzzKind, number][] {
  const whole = KINDS.reduce((sum, { share }) => sum + share, 0);
  return KINDS.map((kind) => [kind, Math.ceil((runs * kind.share) / whole)]);
}
