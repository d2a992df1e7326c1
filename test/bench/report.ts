/**
 * Measurements in, a markdown table out: medians of the timed runs, the largest of the memory
 * runs, and each as a ratio to `git clone`'s.
 */
import { cpus } from 'node:os';
import type { Comparison } from './compare.ts';
import type { Measured } from './measure.ts';
import type { Work } from './subjects.ts';

/** Of a pack over a throttled link. */
export interface Transfer {
  /** From the first byte to the end of the program. */
  readonly wallMs: number;
  /** What the link needs for the bytes alone. */
  readonly ownMs: number;
}

export interface Result {
  readonly contestant: string;
  readonly timed: readonly Measured[];
  readonly memory: readonly Measured[];
  /** Empty where the link is not throttled. */
  readonly transfers: readonly Transfer[];
  /** Why there are no figures, or what is wrong with the clone. */
  readonly note: string | null;
}

const HEADER = [
  '| | wall | × git | fastest–slowest | CPU | × git | peak memory | × git |',
  '|---|--:|--:|--:|--:|--:|--:|--:|',
];

export function tableOf({ name, subjects }: Work, { results, sentBytes }: Comparison): string {
  const size = `${(sentBytes / 1e6).toFixed(1)} MB sent`;
  const total = (of: 'objects' | 'files'): string =>
    grouped(subjects.reduce((sum, subject) => sum + subject[of], 0));
  const title = `${name}: ${size}, ${total('objects')} objects, ${total('files')} files`;
  const git = results.find(({ contestant }) => contestant === 'git clone');
  const rows = results.map((result) => rowOf(result, git));
  const notes = results.filter(({ note }) => note !== null);
  return [
    `**${title}**`,
    '',
    ...HEADER,
    ...rows,
    ...results.filter(({ transfers }) => transfers.length > 0).map(transferLine),
    ...notes.map(({ contestant, note }) => `\n${contestant}: ${note ?? ''}`),
  ].join('\n');
}

function transferLine({ contestant, transfers }: Result): string {
  const times = transfers.map(({ wallMs, ownMs }) => wallMs / ownMs);
  const own = seconds(median(transfers.map(({ ownMs }) => ownMs)));
  const wall = seconds(median(transfers.map(({ wallMs }) => wallMs)));
  const range = `${Math.min(...times).toFixed(3)}–${Math.max(...times).toFixed(3)}`;
  const ratio = median(times).toFixed(3);
  return `\n${contestant}: ${wall} from the first byte, ${ratio} (${range}) × the ${own} of the transfer`;
}

function rowOf(result: Result, git: Result | undefined): string {
  if (result.timed.length === 0) return `| ${result.contestant} | – | | | – | | – | |`;
  const wall = result.timed.map(({ wallMs }) => wallMs);
  const cells = [
    seconds(median(wall)),
    ratio(result, git, ({ timed }) => median(timed.map(({ wallMs }) => wallMs))),
    `${seconds(Math.min(...wall))}–${seconds(Math.max(...wall))}`,
    seconds(median(result.timed.map(({ cpuMs }) => cpuMs))),
    ratio(result, git, ({ timed }) => median(timed.map(({ cpuMs }) => cpuMs))),
    result.memory.length === 0 ? '–' : `${Math.round(peakOf(result) / 1e6)} MB`,
    ratio(result, git, peakOf),
  ];
  return `| ${result.contestant} | ${cells.join(' | ')} |`;
}

function peakOf({ memory }: Result): number {
  return Math.max(0, ...memory.map(({ peakBytes }) => peakBytes ?? 0));
}

function ratio(result: Result, git: Result | undefined, value: (of: Result) => number): string {
  const base = git === undefined || git.timed.length === 0 ? 0 : value(git);
  return base === 0 ? '' : (value(result) / base).toFixed(2);
}

export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2;
}

function seconds(ms: number): string {
  return `${(ms / 1000).toFixed(2)} s`;
}

function grouped(count: number): string {
  return count.toLocaleString('en-US');
}

export function machineLine(gitVersion: string, rounds: number): string {
  const cores = cpus();
  const model = cores[0]?.model.trim() || process.arch;
  const versions = `Node ${process.versions.node}, ${gitVersion.replace('version ', '')}`;
  return `${cores.length} × ${model}, ${versions}; medians of ${rounds} alternating runs, answers replayed; memory: peak sum of PSS over the process tree, sampled every 20 ms in runs of its own.`;
}
