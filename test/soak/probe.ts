/**
 * Asks /livez again and again from a process of its own, and says how long each answer took and how
 * late the question itself was: a machine that stands still is no fault of the daemon. Ends with its parent.
 */
import { request } from 'node:http';

const EVERY_MS = 200;
const TIMEOUT_MS = 10_000;
const GAP_MS = 1000;

export interface ProbeSample {
  /** null: no answer in time; -1: refused. */
  readonly latencyMs: number | null;
  /** How much later than planned this process did its next thing. */
  readonly lateMs: number;
}

const port = Number(process.argv[2]);

function ask(): Promise<number | null> {
  const began = performance.now();
  return new Promise((resolve) => {
    const options = { host: '127.0.0.1', port, path: '/livez', agent: false, timeout: TIMEOUT_MS };
    const asked = request(options, (response) => {
      response.resume();
      response.on('end', () => {
        resolve(performance.now() - began);
      });
      response.on('error', () => {
        resolve(-1);
      });
    });
    asked.on('timeout', () => {
      resolve(null);
      asked.destroy();
    });
    asked.on('error', () => {
      resolve(-1);
    });
    asked.end();
  });
}

/** How much of the time this process did not run; what is less than a second may be its own doing. */
let stoodStillMs = 0;
let ranAt = performance.now();
setInterval(() => {
  const gapMs = performance.now() - ranAt - EVERY_MS / 4;
  ranAt = performance.now();
  if (gapMs > GAP_MS) stoodStillMs += gapMs;
}, EVERY_MS / 4);

async function probe(): Promise<void> {
  for (;;) {
    stoodStillMs = 0;
    const planned = performance.now() + EVERY_MS;
    const [latencyMs] = await Promise.all([
      ask(),
      new Promise((resolve) => setTimeout(resolve, EVERY_MS)),
    ]);
    const lateMs = Math.max(
      stoodStillMs,
      performance.now() - Math.max(planned, planned - EVERY_MS + (latencyMs ?? 0)),
    );
    process.send?.({ latencyMs, lateMs } satisfies ProbeSample);
  }
}

process.once('disconnect', () => process.exit());
void probe();
