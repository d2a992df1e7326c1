/**
 * `npm run bench:fleet [-- --sessions 10000 --mounts 3 --seed 1]`: so many sessions in an hour against
 * GitHub's documented limits, taken for hard ones. What our jitter, `--jobs` and retry do when sessions
 * start evenly, and when all start within a minute. Simulated time: our own withRetry() and Slots.
 */
import { parseArgs } from 'node:util';
import { withRetry } from '../../agent/clone/retry.ts';
import { TransportError } from '../../agent/errors.ts';
import { Slots } from '../../agent/lifetime.ts';
import { Random } from '../fuzz/random.ts';
import { percentile } from './percentile.ts';
import { SimulatedTime } from './simulated-time.ts';

/** docs.github.com, "Repository limits": Git read operations, recommended maximum, per repository. */
const READS_PER_SECOND = 15;
/** docs.github.com, "Rate limits for the REST API": per user, and hour. */
const REST_PER_HOUR = 5000;
/** The same page: without another word, wait for a minute at least. */
const RETRY_AFTER_MS = 60_000;
/** A clone of vite, from README's benchmark, and 76 MB at 20 MB/s. */
const CLONE_MS = 3400 + 3800;
const OTHER_REPOSITORIES = 500;
const HOUR_MS = 3_600_000;

const { values } = parseArgs({
  options: {
    sessions: { type: 'string', default: '10000' },
    mounts: { type: 'string', default: '3' },
    seed: { type: 'string', default: '1' },
  },
});
const sessions = Number(values.sessions);
const mounts = Number(values.mounts);

interface Scenario {
  readonly name: string;
  readonly startsWithinMs: number;
  /** The share of sessions whose first mount is one and the same repository. */
  readonly hot: number;
  /** Users over whom the tokens are spread. */
  readonly users: number;
  readonly jobs: number;
}

/** A budget for each whole stretch of time, by key. */
class Budget {
  refused = 0;
  most = 0;
  readonly #stretchMs: number;
  readonly #limit: number;
  readonly #used = new Map<string, { stretch: number; count: number }>();

  constructor(limit: number, stretchMs: number) {
    this.#limit = limit;
    this.#stretchMs = stretchMs;
  }

  take(key: string, nowMs: number): boolean {
    const stretch = Math.floor(nowMs / this.#stretchMs);
    const known = this.#used.get(key);
    const used = known?.stretch === stretch ? known : { stretch, count: 0 };
    used.count += 1;
    this.#used.set(key, used);
    this.most = Math.max(this.most, used.count);
    if (used.count <= this.#limit) return true;
    this.refused += 1;
    return false;
  }
}

async function simulate(scenario: Scenario): Promise<string> {
  const { startsWithinMs, hot, users, jobs } = scenario;
  const random = new Random(Number(values.seed));
  const time = new SimulatedTime();
  const reads = new Budget(READS_PER_SECOND, 1000);
  const rest = new Budget(REST_PER_HOUR, HOUR_MS);
  const readySeconds: number[] = [];
  let failed = 0;

  const clone = async (repository: string): Promise<void> => {
    if (!reads.take(repository, time.nowMs)) {
      const retryAtMs = time.nowMs + RETRY_AFTER_MS;
      throw new TransportError('TRANSPORT_RATE_LIMITED', 'secondary limit', { retryAtMs });
    }
    await time.sleep(CLONE_MS * (0.5 + random.below(1000) / 1000));
  };
  const mount = async (repository: string, slots: Slots): Promise<void> => {
    const attempt = async (): Promise<void> => {
      using _slot = await slots.take();
      await clone(repository);
    };
    await withRetry(attempt, {
      retryForMs: 600_000,
      signal: new AbortController().signal,
      onRetry: () => undefined,
      random: () => random.below(1e6) / 1e6,
      now: () => time.nowMs,
      wait: (ms) => time.sleep(ms),
    });
  };
  const session = async (): Promise<void> => {
    await time.sleep(random.below(startsWithinMs));
    const startedAtMs = time.nowMs;
    const slots = new Slots(jobs);
    // Who commits: asked once, and not again.
    rest.take(`user ${random.below(users)}`, time.nowMs);
    const repositories = Array.from({ length: mounts }, (_, at) =>
      at === 0 && random.chance(hot) ? 'hot' : `other ${random.below(OTHER_REPOSITORIES)}`,
    );
    const ended = await Promise.allSettled(repositories.map((name) => mount(name, slots)));
    if (ended.some(({ status }) => status === 'rejected')) failed += 1;
    else readySeconds.push((time.nowMs - startedAtMs) / 1000);
  };
  const all = Array.from({ length: sessions }, session);
  await time.runUntilIdle();
  await Promise.all(all);
  const at = (share: number): string => `${percentile(readySeconds, share).toFixed(0)} s`;
  const figures = [reads.most, reads.refused, at(0.5), at(0.95), at(1), failed, rest.refused];
  return `| ${scenario.name} | ${figures.join(' | ')} |`;
}

const EVEN = { startsWithinMs: HOUR_MS, hot: 0.2, users: 1000, jobs: 4 };
const BURST = { ...EVEN, startsWithinMs: 60_000 };
const SCENARIOS: readonly Scenario[] = [
  { ...EVEN, name: 'evenly, 20 % of sessions share a repository' },
  { ...EVEN, name: 'evenly, all share one', hot: 1 },
  { ...EVEN, name: 'evenly, and one user has every token', users: 1 },
  { ...BURST, name: 'within a minute, 20 % share one' },
  { ...BURST, name: 'the same with --jobs 1', jobs: 1 },
  { ...BURST, name: 'within a minute, all share one', hot: 1 },
  { ...BURST, name: 'within ten minutes, all share one', hot: 1, startsWithinMs: 600_000 },
];

console.log(`${sessions} sessions of ${mounts} mounts each\n`);
console.log(
  '| sessions start | most reads a second, one repository | refused | half ready | 95 % | all | given up | questions for the user refused |',
);
console.log('|---|--:|--:|--:|--:|--:|--:|--:|');
for (const scenario of SCENARIOS) console.log(await simulate(scenario));
