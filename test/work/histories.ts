/**
 * Random histories of work: what they are made of, and how a number of them is played. A history is
 * known by its seed and path, and can be played again by them.
 */
import fc from 'fast-check';
import { A_LARGE_FILE, RARE_STEPS } from './rare-steps.ts';
import { STEPS, takeStep } from './steps.ts';
import type { ScratchRepository } from './scratch-repository.ts';

export type HistoryStep = readonly [name: string, pick: number];
export type History = readonly HistoryStep[];

export const ALL_STEPS = { ...STEPS, ...RARE_STEPS };

const SMALL_STEPS = Object.keys(ALL_STEPS).filter((name) => name !== A_LARGE_FILE);
/** A large file in one of a hundred histories: it costs as much as thirty others. */
const STEP_NAME = fc.oneof(
  { arbitrary: fc.constantFrom(...SMALL_STEPS), weight: 700 },
  { arbitrary: fc.constant(A_LARGE_FILE), weight: 1 },
);

export const anyHistory: fc.Arbitrary<History> = fc.array(fc.tuple(STEP_NAME, fc.nat(11)), {
  minLength: 4,
  maxLength: 10,
  size: 'max',
});

/** Those of a test run: as many as `HISTORIES` says, else a few, and the same ones each time. */
export function historiesOfATestRun(few: number): number {
  const wanted = process.env['HISTORIES'] ?? (process.env['CI'] === 'true' ? '500' : `${few}`);
  return Number(wanted);
}

/** Plays a history; @throws what it finds wrong. */
export type Replay = (history: History) => Promise<void>;

export function takeHistoryStep(repository: ScratchRepository, [name, pick]: HistoryStep): void {
  takeStep(repository, name, pick, ALL_STEPS);
}

/** For a test: fails with the smallest history that goes wrong, if one does. */
export async function assertHistories(replay: Replay, runs: number, seed: number): Promise<void> {
  await fc.assert(fc.asyncProperty(anyHistory, replay), { numRuns: runs, seed });
}
