/** What a soak has found: the figures as one object, and as a table for people. */
import { percentile } from '../bench/percentile.ts';
import type { Sample } from './gauges.ts';
import type { Soak, Violation } from './soak-run.ts';

export const INVARIANTS = [
  ...['I1', 'I2', 'I3', 'I4', 'I5', 'I6', 'I7', 'I8', 'I9'],
  ...['ledger', 'wiring', 'rotation', 'livez', 'zombies', 'orphans', 'log', 'daemon', 'memory'],
  'handles',
] as const;

/** The first minute of a life is its growing up. */
const GROWN_UP_SECONDS = 60;
const LEAST_SLOPE_SECONDS = 600;
const MOST_MB_PER_HOUR = 30;
const MOST_MORE_HANDLES = 20;

export interface Life {
  readonly seconds: number;
  readonly samples: number;
  /** Of a line through the samples, by least squares. */
  readonly rssMbPerHour: number;
  readonly rssMb: { readonly first: number; readonly last: number; readonly most: number };
  readonly treePssMbMost: number;
  readonly handles: { readonly first: number; readonly last: number; readonly most: number };
  readonly watches: { readonly first: number; readonly last: number; readonly most: number };
}

export interface SoakReport {
  readonly seed: number;
  readonly minutes: number;
  readonly repositories: number;
  readonly rounds: number;
  readonly starts: number;
  readonly users: Soak['users']['counts'];
  readonly disturbances: Readonly<Record<string, number>>;
  readonly faultsHit: number;
  readonly ledgersCompared: number;
  readonly rescuesVerified: number;
  readonly restoresCompared: number;
  readonly restsWatched: number;
  readonly warnings: number;
  readonly tokenReads: number;
  readonly zombies: number;
  readonly livezMs: Readonly<Record<string, number>>;
  readonly endsMs: { readonly count: number; readonly most: number };
  readonly savingEndsMs: { readonly count: number; readonly most: number };
  readonly gaps: { readonly count: number; readonly seconds: number };
  readonly longestLife: Life | null;
  readonly violationsByInvariant: Readonly<Record<string, number>>;
  readonly violations: readonly Violation[];
}

/** At the end a slope or a growth that is too large is a violation of its own, said before it counts. */
export function reportOn(soak: Soak, seed: number, isEnd: boolean): SoakReport {
  const longestLife = longestOf(soak.gauges.samples);
  if (isEnd && longestLife !== null) judge(soak, longestLife);
  const { onTime, all } = soak.gauges.latencyMs;
  const count = (invariant: string): number =>
    soak.violations.filter((violation) => violation.invariant === invariant).length;
  return {
    seed,
    minutes: soak.minute,
    repositories: soak.stage.repositories.length,
    rounds: soak.rounds,
    starts: soak.daemon.starts,
    users: soak.users.counts,
    disturbances: Object.fromEntries(soak.disturbances),
    faultsHit: soak.faultsHit,
    ledgersCompared: soak.ledgersCompared,
    rescuesVerified: soak.rescuesVerified,
    restoresCompared: soak.restoresCompared,
    restsWatched: soak.restsWatched,
    warnings: soak.warnings.length,
    tokenReads: soak.gauges.tokenReads,
    zombies: soak.gauges.zombiesSeen,
    livezMs: {
      asked: all.length,
      askedOnTime: onTime.length,
      p50: percentile(onTime, 0.5),
      p99: percentile(onTime, 0.99),
      most: Math.max(0, ...onTime),
      mostOfAll: Math.max(0, ...all),
    },
    endsMs: { count: soak.endsMs.length, most: Math.max(0, ...soak.endsMs) },
    savingEndsMs: { count: soak.savingEndsMs.length, most: Math.max(0, ...soak.savingEndsMs) },
    gaps: { count: soak.stage.gaps.count, seconds: soak.stage.gaps.lostMs / 1000 },
    longestLife,
    violationsByInvariant: Object.fromEntries(INVARIANTS.map((name) => [name, count(name)])),
    violations: soak.violations,
  };
}

function judge(soak: Soak, life: Life): void {
  if (life.seconds > LEAST_SLOPE_SECONDS && life.rssMbPerHour > MOST_MB_PER_HOUR) {
    soak.violation('memory', `grows by ${life.rssMbPerHour.toFixed(1)} MB an hour`);
  }
  if (life.handles.last > life.handles.first + MOST_MORE_HANDLES) {
    soak.violation('handles', `from ${life.handles.first} to ${life.handles.last}`);
  }
}

function longestOf(samples: readonly Sample[]): Life | null {
  const grown = [...new Set(samples.map(({ life }) => life))].map((life) =>
    samples.filter((each) => each.life === life && each.ageSeconds > GROWN_UP_SECONDS),
  );
  const longest = grown.sort((one, other) => other.length - one.length)[0] ?? [];
  const [first] = longest;
  const last = longest.at(-1);
  if (first === undefined || last === undefined || longest.length < 3) return null;
  const range = (key: 'rssMb' | 'handles' | 'watches') => ({
    first: first[key],
    last: last[key],
    most: Math.max(...longest.map((sample) => sample[key])),
  });
  return {
    seconds: last.ageSeconds - first.ageSeconds,
    samples: longest.length,
    rssMbPerHour: slopePerHour(longest),
    rssMb: range('rssMb'),
    treePssMbMost: Math.max(...longest.map(({ treePssMb }) => treePssMb)),
    handles: range('handles'),
    watches: range('watches'),
  };
}

function slopePerHour(samples: readonly Sample[]): number {
  const mean = (of: (sample: Sample) => number): number =>
    samples.reduce((sum, sample) => sum + of(sample), 0) / samples.length;
  const [meanX, meanY] = [mean(({ ageSeconds }) => ageSeconds), mean(({ rssMb }) => rssMb)];
  let [xy, xx] = [0, 0];
  for (const { ageSeconds, rssMb } of samples) {
    xy += (ageSeconds - meanX) * (rssMb - meanY);
    xx += (ageSeconds - meanX) ** 2;
  }
  return xx === 0 ? 0 : (xy / xx) * 3600;
}

export function tableOf(report: SoakReport): string {
  const { users, livezMs, longestLife: life, endsMs, savingEndsMs, gaps } = report;
  const rows: [string, string][] = [
    ['time', `${report.minutes.toFixed(1)} min, ${report.rounds} rounds, seed ${report.seed}`],
    ['work', `${users.steps} steps, ${users.pushes} pushes, ${users.fetches} fetches`],
    ['disturbances', words(report.disturbances)],
    ['faults of the host that hit', String(report.faultsHit)],
    ['starts of the daemon', String(report.starts)],
    ['ledgers compared with git', String(report.ledgersCompared)],
    ['rescues verified', String(report.rescuesVerified)],
    ['lost disks put back, compared', String(report.restoresCompared)],
    ['reads of a token file', String(report.tokenReads)],
    ['warnings, rests watched', `${report.warnings}, ${report.restsWatched}`],
    ['longest time to end', `${ms(endsMs.most)} of ${endsMs.count} ends`],
    ['the same with rescues', `${ms(savingEndsMs.most)} of ${savingEndsMs.count} ends`],
    ['gaps, in which the machine stood still', `${gaps.count}, ${gaps.seconds.toFixed(0)} s`],
    [
      '/livez p50, p99, most',
      `${ms(livezMs['p50'])}, ${ms(livezMs['p99'])}, ${ms(livezMs['most'])} of ${livezMs['askedOnTime']} asked on time`,
    ],
    ['zombies', String(report.zombies)],
  ];
  if (life !== null) {
    const { rssMb, handles, watches } = life;
    rows.push(
      ['longest life', `${(life.seconds / 60).toFixed(1)} min, ${life.samples} samples`],
      ['its memory (RSS)', `${mb(rssMb.first)} → ${mb(rssMb.last)}, most ${mb(rssMb.most)}`],
      ['its slope', `${life.rssMbPerHour.toFixed(1)} MB an hour`],
      ['its handles', `${handles.first} → ${handles.last}, most ${handles.most}`],
      ['its watches', `${watches.first} → ${watches.last}, most ${watches.most}`],
    );
  }
  rows.push(['violations', words(report.violationsByInvariant)]);
  return ['| what | figure |', '|---|---|', ...rows.map((row) => `| ${row.join(' | ')} |`)].join(
    '\n',
  );
}

function words(counts: Readonly<Record<string, number>>): string {
  return Object.entries(counts)
    .map(([name, count]) => `${name} ${count}`)
    .join(', ');
}

function ms(value = 0): string {
  return `${value.toFixed(1)} ms`;
}

function mb(value: number): string {
  return `${value.toFixed(1)} MB`;
}
