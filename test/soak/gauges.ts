/**
 * What is measured all along: memory, handles and watches of the daemon, zombies below it, the answers
 * of /livez, and what a reader of each token file sees. Each start of the daemon is a life of its own.
 */
import { fork } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { readFileSync, readdirSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { errnoOf } from '../../agent/errors.ts';
import { pssOfTree } from '../bench/process-memory.ts';
import type { SoakDaemon } from './daemon.ts';
import type { ProbeSample } from './probe.ts';
import type { SoakStage } from './stage.ts';

const SAMPLE_EVERY_MS = 5000;
const TOKENS_EVERY_MS = 50;
/** A probe that was itself later than this says nothing about the daemon. */
const QUIET_LATE_MS = 50;

export interface Sample {
  readonly life: number;
  readonly ageSeconds: number;
  readonly rssMb: number;
  /** Of the daemon and its clone processes. */
  readonly treePssMb: number;
  readonly handles: number;
  readonly watches: number;
  readonly threads: number;
}

export interface GaugesContext {
  readonly stage: SoakStage;
  readonly daemon: SoakDaemon;
  readonly port: number;
  readonly onViolation: (invariant: string, words: string) => void;
}

export class Gauges implements Disposable {
  readonly samples: Sample[] = [];
  /** /livez in milliseconds, of questions asked on time and of all of them. */
  readonly latencyMs: { readonly onTime: number[]; readonly all: number[] } = {
    onTime: [],
    all: [],
  };
  tokenReads = 0;
  zombiesSeen = 0;
  readonly #context: GaugesContext;
  readonly #probe: ChildProcess;
  readonly #timers: NodeJS.Timeout[];
  #startedAt = 0;
  #life = 0;
  #serving = false;
  #zombies = new Set<number>();

  constructor(context: GaugesContext) {
    this.#context = context;
    const entry = fileURLToPath(new URL('probe.ts', import.meta.url));
    this.#probe = fork(entry, [String(context.port)], {
      execArgv: ['--import', 'tsx'],
      cwd: fileURLToPath(new URL('../..', import.meta.url)),
    });
    this.#probe.on('message', (sample: ProbeSample) => {
      this.#take(sample);
    });
    this.#timers = [
      setInterval(() => {
        this.#sample();
      }, SAMPLE_EVERY_MS),
      setInterval(() => {
        this.#readTokens();
      }, TOKENS_EVERY_MS),
    ];
  }

  /** The endpoint of a new life answers from now on. */
  serving(): void {
    this.#life += 1;
    this.#startedAt = performance.now();
    this.#zombies = new Set();
    const life = this.#life;
    // Questions that were under way before are not this life's.
    setTimeout(() => {
      if (life === this.#life) this.#serving = true;
    }, 1000);
  }

  /** Answers are not expected until serving() is called again. */
  ending(): void {
    this.#life += 1;
    this.#serving = false;
  }

  [Symbol.dispose](): void {
    for (const timer of this.#timers) clearInterval(timer);
    if (this.#probe.connected) this.#probe.disconnect();
  }

  #take({ latencyMs, lateMs }: ProbeSample): void {
    if (!this.#serving || !this.#context.daemon.isUp) return;
    const isOnTime = lateMs < QUIET_LATE_MS;
    if (latencyMs === null || latencyMs < 0) {
      const words = latencyMs === null ? 'no answer in 10 s' : 'refused';
      if (isOnTime) this.#context.onViolation('livez', words);
      return;
    }
    this.latencyMs.all.push(latencyMs);
    if (isOnTime) this.latencyMs.onTime.push(latencyMs);
  }

  #sample(): void {
    const { daemon } = this.#context;
    if (!this.#serving || !daemon.isUp) return;
    const { pid } = daemon;
    const status = content(`/proc/${pid}/status`);
    const rssKb = Number(/^VmRSS:\s+(\d+)/m.exec(status)?.[1] ?? 0);
    if (rssKb === 0) return;
    this.samples.push({
      life: this.#life,
      ageSeconds: (performance.now() - this.#startedAt) / 1000,
      rssMb: rssKb / 1024,
      treePssMb: pssOfTree(pid) / 2 ** 20,
      handles: names(`/proc/${pid}/fd`).length,
      watches: names(`/proc/${pid}/fdinfo`)
        .map((fd) => content(`/proc/${pid}/fdinfo/${fd}`).split('inotify wd:').length - 1)
        .reduce((sum, each) => sum + each, 0),
      threads: Number(/^Threads:\s+(\d+)/m.exec(status)?.[1] ?? 0),
    });
    this.#lookForZombies(pid);
  }

  /** A child that has ended is a zombie for a moment; one that stays is a fault. */
  #lookForZombies(parent: number): void {
    const now = new Set<number>();
    for (const name of names('/proc').filter((each) => /^\d+$/.test(each))) {
      const stat = content(`/proc/${name}/stat`);
      const [state, ppid] = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
      if (state === 'Z' && Number(ppid) === parent) now.add(Number(name));
    }
    for (const pid of now) {
      if (!this.#zombies.has(pid)) continue;
      this.zombiesSeen += 1;
      this.#context.onViolation('zombies', `process ${pid} is not reaped`);
    }
    this.#zombies = now;
  }

  #readTokens(): void {
    const { stage, onViolation } = this.#context;
    for (const repository of stage.repositories) {
      const held = contentOrNull(stage.tokenFile(repository));
      if (held === null) continue;
      this.tokenReads += 1;
      if (repository.tokens.some((token) => held === `${token}\n`)) continue;
      onViolation('I5', `${repository.name}: a reader saw ${held.length} bytes that are no token`);
    }
  }
}

function names(path: string): string[] {
  return unlessGone(() => readdirSync(path)) ?? [];
}

function content(path: string): string {
  return contentOrNull(path) ?? '';
}

function contentOrNull(path: string): string | null {
  return unlessGone(() => readFileSync(path, 'utf8'));
}

function unlessGone<T>(read: () => T): T | null {
  try {
    return read();
  } catch (error) {
    if (['ENOENT', 'ESRCH', 'EACCES'].includes(errnoOf(error) ?? '')) return null;
    throw error;
  }
}
