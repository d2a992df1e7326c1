/**
 * One soak: rounds of work and disturbance, each followed by a quiet moment in which everything is
 * held against git and the invariants. In the first part the daemon is ended and started again and
 * again; in the second one life goes on to the end, so that a slope of its memory means something.
 */
import { execFileSync } from 'node:child_process';
import { rmSync } from 'node:fs';
import { Random } from '../fuzz/random.ts';
import { ScratchRepository } from '../work/scratch-repository.ts';
import { awaitReady, checkLostDisks, checkRestart, checkSecrecy, checkWarnings } from './checks.ts';
import { checkLedger } from './ledger-check.ts';
import { checkRescue, checkRestore } from './rescue-checks.ts';
import { SoakDaemon, pause } from './daemon.ts';
import type { LogRecord, Shelf } from './daemon.ts';
import { ENDING, GOING_ON, endByTerm } from './disturbances.ts';
import type { Disturbance } from './disturbances.ts';
import { Gauges } from './gauges.ts';
import type { SoakRepository, SoakStage } from './stage.ts';
import { Users } from './users.ts';

export interface Violation {
  readonly minute: number;
  readonly round: number;
  readonly invariant: string;
  readonly words: string;
}

export interface SoakContext {
  readonly stage: SoakStage;
  readonly port: number;
  readonly seed: number;
  readonly minutes: number;
  /** Where a repository is kept that the ledger and git see differently. */
  readonly keepIn: string;
  readonly onViolation: (violation: Violation) => void;
  readonly onRound: (soak: Soak) => void;
}

/** The part of the time in which the daemon is ended now and then. */
const ENDING_PART = 0.4;
const MOST_KEPT = 5;
/** Two warnings of one threshold that belong to one rest. */
const SAME_REST_MS = 5000;

export class Soak implements AsyncDisposable {
  readonly stage: SoakStage;
  readonly daemon: SoakDaemon;
  readonly users: Users;
  readonly gauges: Gauges;
  readonly violations: Violation[] = [];
  readonly disturbances = new Map<string, number>();
  readonly warnings: { readonly thresholdMs: number; readonly reclaimAtMs: number }[] = [];
  readonly endsMs: number[] = [];
  /** Of daemons that save work at risk when they end. */
  readonly savingEndsMs: number[] = [];
  rounds = 0;
  ledgersCompared = 0;
  rescuesVerified = 0;
  restoresCompared = 0;
  restsWatched = 0;
  faultsHit = 0;
  readonly #context: SoakContext;
  readonly #random: Random;
  readonly #began = performance.now();
  readonly #oracles = new Map<string, ScratchRepository>();
  readonly #reported = new Set<string>();
  #serving: () => void = () => undefined;
  #kept = 0;
  /** How often the log said that the daemon had died. */
  #deaths = 0;

  constructor(context: SoakContext) {
    const { stage, port, seed } = context;
    this.#context = context;
    this.stage = stage;
    this.#random = new Random(seed);
    const onViolation = (invariant: string, words: string): void => {
      this.violation(invariant, words);
    };
    this.daemon = new SoakDaemon({
      stage,
      port,
      onRecord: (record) => {
        this.#read(record);
      },
    });
    this.users = new Users({ stage, seed, onViolation });
    this.gauges = new Gauges({ stage, daemon: this.daemon, port, onViolation });
  }

  get minute(): number {
    return (performance.now() - this.#began) / 60_000;
  }

  async run(): Promise<void> {
    await this.start('none');
    if (!(await awaitReady(this))) return;
    let wasEnding = true;
    while (this.minute < this.#context.minutes) {
      this.rounds += 1;
      const isEnding = this.minute < this.#context.minutes * ENDING_PART;
      // The long life saves what is at risk too.
      if (wasEnding && !isEnding) await this.restart('SIGTERM', 'announce');
      wasEnding = isEnding;
      await this.#work(isEnding ? ENDING : GOING_ON);
      await this.#lookAround(isEnding);
      this.#context.onRound(this);
    }
    await checkSecrecy(this);
    await endByTerm(this);
  }

  async start(shelf: Shelf = this.#anyShelf()): Promise<void> {
    const serving = new Promise<void>((resolve) => (this.#serving = resolve));
    this.daemon.start(shelf);
    const ended = this.daemon.ended.then((how) => {
      if (this.daemon.isUp) this.violation('daemon', `ended by itself with ${how}`);
    });
    await Promise.race([serving, ended]);
    this.gauges.serving();
  }

  /** With SIGKILL, as a container ends: what it started ends too. */
  async restart(signal: 'SIGTERM' | 'SIGKILL', shelf?: Shelf): Promise<void> {
    await this.end(signal);
    await this.start(shelf);
  }

  async end(signal: 'SIGTERM' | 'SIGKILL'): Promise<void> {
    if (signal === 'SIGTERM') await endByTerm(this);
    else await this.kill();
  }

  async kill(): Promise<void> {
    this.gauges.ending();
    for (const line of await this.daemon.kill()) this.violation('orphans', `goes on: ${line}`);
  }

  /** @param repository kept as it is, for a look at it afterwards. */
  violation(invariant: string, words: string, repository?: SoakRepository): void {
    const violation = { minute: this.minute, round: this.rounds, invariant, words };
    // What holds on is said once a round.
    const key = `${this.rounds} ${invariant} ${words.slice(0, 60)}`;
    if (this.#reported.has(key)) return;
    this.#reported.add(key);
    this.violations.push(violation);
    this.#context.onViolation(violation);
    if (repository === undefined || this.#kept >= MOST_KEPT) return;
    this.#kept += 1;
    const target = `${this.#context.keepIn}-${this.#kept}-${repository.name}`;
    // Names may be no UTF-8.
    execFileSync('cp', ['-a', repository.base, target]);
  }

  /** What the host has just now is nobody's fault any more. */
  calm(): void {
    this.faultsHit += this.stage.clearFaults();
    for (const repository of this.stage.repositories) repository.isTroubled = false;
  }

  /** The disk of a container is gone, with all that was not pushed. */
  async loseDisk(repository: SoakRepository): Promise<void> {
    if (this.users.needsPutAway(repository)) await this.users.putAway(repository);
    rmSync(repository.mountPath, { recursive: true, force: true });
    this.users.history.set(repository.name, []);
  }

  /** Knows the tags that came with the clone. */
  oracle(repository: SoakRepository): ScratchRepository {
    const known = this.#oracles.get(repository.name) ?? new ScratchRepository(repository.base);
    this.#oracles.set(repository.name, known);
    return known;
  }

  forgetOracle(repository: SoakRepository): void {
    this.#oracles.delete(repository.name);
    this.oracle(repository);
  }

  warningsFor(reclaimAtMs: number, thresholdMs: number): number {
    const isThis = (warning: (typeof this.warnings)[number]): boolean =>
      warning.thresholdMs === thresholdMs &&
      Math.abs(warning.reclaimAtMs - reclaimAtMs) < SAME_REST_MS;
    return this.warnings.filter(isThis).length;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.users[Symbol.dispose]();
    this.gauges[Symbol.dispose]();
    await this.daemon.kill();
  }

  async #work(choices: readonly Disturbance[]): Promise<void> {
    for (const repository of this.stage.repositories) this.oracle(repository);
    this.users.start();
    const until = performance.now() + 8000 + this.#random.below(12_000);
    while (performance.now() < until) {
      await pause(500 + this.#random.below(3000));
      const disturb = this.#random.pick(choices);
      this.disturbances.set(disturb.name, (this.disturbances.get(disturb.name) ?? 0) + 1);
      await disturb(this, this.#random);
    }
    await this.users.stop();
  }

  async #lookAround(isEnding: boolean): Promise<void> {
    this.calm();
    if (!(await awaitReady(this))) return;
    await checkLedger(this);
    const kind = this.#random.below(8);
    if (kind === 5) await checkRescue(this);
    else if (kind === 0) await checkWarnings(this, isEnding);
    else if (isEnding && kind <= 2) {
      await checkRestart(this, this.#random.chance(0.5) ? 'SIGTERM' : 'SIGKILL');
    } else if (isEnding && kind <= 4) await checkLostDisks(this, this.#random);
    else if (isEnding) await checkRestore(this, this.#random);
    if (this.rounds % 6 === 0) await checkSecrecy(this);
    for (const repository of this.stage.repositories) {
      if (this.users.needsPutAway(repository)) await this.users.putAway(repository);
    }
  }

  #anyShelf(): Shelf {
    return this.#random.pick(['none', 'announce', 'auto']);
  }

  #read(record: LogRecord): void {
    const { level, msg, err } = record as { level: string; msg: string; err?: { code?: string } };
    if (msg === 'serving') this.#serving();
    // Whoever watches over the daemon says so when we have killed it, once for each time.
    const isDeath = msg.startsWith('the daemon died');
    const isOwnKill = isDeath && this.#deaths < this.daemon.kills;
    if (isDeath) this.#deaths += 1;
    const isOdd =
      (level === 'fatal' && !isOwnKill) || level === 'not JSON' || err?.code === 'INTERNAL';
    if (isOdd) this.violation('log', JSON.stringify(record).slice(0, 1500));
    const { threshold_seconds: threshold, reclaim_at: at } = record as {
      threshold_seconds?: number | null;
      reclaim_at?: string;
    };
    if (typeof threshold !== 'number' || at === undefined) return;
    const thresholdMs = threshold * 1000;
    const reclaimAtMs = Date.parse(at);
    if (this.warningsFor(reclaimAtMs, thresholdMs) > 0) {
      this.violation('I9', `warned twice, ${thresholdMs} ms before ${at}`);
    }
    this.warnings.push({ thresholdMs, reclaimAtMs });
  }
}
