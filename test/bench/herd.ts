/**
 * `npm run bench:herd [-- --containers 1000 --capacity 50 --seed 1]`: so many containers start at
 * once against a host that answers only so many requests in a second and sheds the rest. What our
 * retry does to it, against a fixed delay. Simulated time: our own withRetry(), no waiting.
 */
import { parseArgs } from 'node:util';
import { withRetry } from '../../agent/clone/retry.ts';
import { TransportError } from '../../agent/errors.ts';
import { Random } from '../fuzz/random.ts';
import { SimulatedTime } from './simulated-time.ts';

const FIXED_DELAY_MS = 5_000;
/** A refusal costs the host a tenth of an answer; what is over that capacity it does not even hear. */
const REFUSAL_COST = 0.1;

const { values } = parseArgs({
  options: {
    containers: { type: 'string', default: '1000' },
    capacity: { type: 'string', default: '50' },
    seed: { type: 'string', default: '1' },
  },
});
const containers = Number(values.containers);
const capacity = Number(values.capacity);

type Waiting = 'ours' | 'ours, with Retry-After' | 'fixed delay of 5 s';

/** A host with a budget for each second of simulated time. */
class SheddingHost {
  readonly askedInSecond = new Map<number, number>();
  asked = 0;
  #second = -1;
  #left = 0;

  /** @returns whether the request was answered. */
  ask(nowMs: number): boolean {
    const second = Math.floor(nowMs / 1000);
    if (second !== this.#second) [this.#second, this.#left] = [second, capacity];
    this.asked += 1;
    this.askedInSecond.set(second, (this.askedInSecond.get(second) ?? 0) + 1);
    const answers = this.#left >= 1;
    this.#left -= answers ? 1 : Math.min(this.#left, REFUSAL_COST);
    return answers;
  }

  /** The busiest second after the first, in which everybody starts. */
  get peak(): number {
    return Math.max(
      0,
      ...[...this.askedInSecond].filter(([second]) => second > 0).map(([, n]) => n),
    );
  }
}

async function simulate(waiting: Waiting): Promise<string> {
  const random = new Random(Number(values.seed));
  const time = new SimulatedTime();
  const host = new SheddingHost();
  const doneAt: number[] = [];
  let failed = 0;
  const attempt = (): Promise<void> => {
    if (host.ask(time.nowMs)) return Promise.resolve();
    const retryAtMs = time.nowMs + 5_000;
    const options = waiting === 'ours, with Retry-After' ? { retryAtMs } : {};
    return Promise.reject(new TransportError('TRANSPORT_RATE_LIMITED', 'shed', options));
  };
  const container = async (): Promise<void> => {
    // Nobody starts in the same millisecond: containers take a while to come up.
    await time.sleep(random.below(200));
    if (waiting === 'fixed delay of 5 s') await withFixedDelay(attempt, time);
    else {
      await withRetry(attempt, {
        retryForMs: 600_000,
        signal: new AbortController().signal,
        onRetry: () => undefined,
        random: () => random.below(1e6) / 1e6,
        now: () => time.nowMs,
        wait: (ms) => time.sleep(ms),
      });
    }
    doneAt.push(time.nowMs / 1000);
  };
  const all = Array.from({ length: containers }, () => container().catch(() => (failed += 1)));
  await time.runUntilIdle();
  await Promise.all(all);
  const sorted = doneAt.sort((one, other) => one - other);
  const at = (share: number): string =>
    (sorted[Math.ceil(sorted.length * share) - 1] ?? 0).toFixed(1);
  const perContainer = (host.asked / containers).toFixed(1);
  return `| ${waiting} | ${host.asked} | ${perContainer} | ${host.peak} | ${at(0.5)} s | ${at(0.95)} s | ${at(1)} s | ${failed} |`;
}

async function withFixedDelay(attempt: () => Promise<void>, time: SimulatedTime): Promise<void> {
  for (;;) {
    try {
      await attempt();
      return;
    } catch (error) {
      if (!(error instanceof TransportError)) throw error;
      await time.sleep(FIXED_DELAY_MS);
    }
  }
}

console.log(`${containers} containers, a host that answers ${capacity} requests in a second\n`);
console.log(
  '| waiting | requests | a container | busiest second after the first | half done | 95 % | all | given up |',
);
console.log('|---|--:|--:|--:|--:|--:|--:|--:|');
for (const waiting of ['fixed delay of 5 s', 'ours', 'ours, with Retry-After'] as const) {
  console.log(await simulate(waiting));
}
