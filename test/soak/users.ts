/**
 * Two users at work in the mounts, each in half of them: random steps, and what only the daemon's
 * wiring makes possible (push and fetch). Keeps what was done to each repository since it was last put
 * away, so that a finding can be had again.
 */
import { fork } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { Random } from '../fuzz/random.ts';
import { run } from '../host/host-fixture.ts';
import type { Ran } from '../host/host-fixture.ts';
import type { SoakRepository, SoakStage } from './stage.ts';
import { STEP_NAMES } from './work.ts';
import type { Work, WorkAnswer, WorkRequest } from './work.ts';

const LANES = 2;
const STEPS_BEFORE_PUT_AWAY = 30;

export interface UserCounts {
  steps: number;
  pushes: number;
  fetches: number;
  putAway: number;
}

export interface UsersContext {
  readonly stage: SoakStage;
  readonly seed: number;
  readonly onViolation: (invariant: string, words: string) => void;
}

class User implements Disposable {
  readonly #child: ChildProcess;
  #count = 0;

  constructor() {
    const entry = fileURLToPath(new URL('user.ts', import.meta.url));
    this.#child = fork(entry, [], {
      execArgv: ['--import', 'tsx'],
      cwd: fileURLToPath(new URL('../..', import.meta.url)),
    });
  }

  /** @returns what went wrong, in the step itself. */
  do(work: Work): Promise<string | null> {
    this.#count += 1;
    const id = this.#count;
    return new Promise((resolve) => {
      const listen = (answer: WorkAnswer): void => {
        if (answer.id !== id) return;
        this.#child.off('message', listen);
        resolve(answer.error ?? null);
      };
      this.#child.on('message', listen);
      this.#child.send({ id, work } satisfies WorkRequest);
    });
  }

  [Symbol.dispose](): void {
    this.#child.disconnect();
  }
}

export class Users implements Disposable {
  readonly counts: UserCounts = { steps: 0, pushes: 0, fetches: 0, putAway: 0 };
  /** Steps since the repository was put away or cloned, by its name. */
  readonly history = new Map<string, string[]>();
  readonly #context: UsersContext;
  readonly #lanes = Array.from({ length: LANES }, () => new User());
  readonly #random: Random[];
  #working: Promise<unknown> = Promise.resolve();
  #stopping = false;

  constructor(context: UsersContext) {
    this.#context = context;
    this.#random = this.#lanes.map((_, lane) => new Random(context.seed, 10 + lane));
  }

  /** Begins to work; stop() ends it. */
  start(): void {
    this.#stopping = false;
    this.#working = Promise.all(this.#lanes.map((user, lane) => this.#work(user, lane)));
  }

  /** Resolves when nobody works any more. */
  async stop(): Promise<void> {
    this.#stopping = true;
    await this.#working;
  }

  /** While nobody works: the repository as it was cloned. */
  async putAway(repository: SoakRepository): Promise<void> {
    this.counts.putAway += 1;
    const error = await this.#lanes[0]!.do({ kind: 'put away', base: repository.base });
    this.history.set(repository.name, []);
    if (error !== null) throw new Error(`${repository.name} could not be put away: ${error}`);
  }

  needsPutAway({ name }: SoakRepository): boolean {
    return (this.history.get(name)?.length ?? 0) >= STEPS_BEFORE_PUT_AWAY;
  }

  [Symbol.dispose](): void {
    for (const user of this.#lanes) user[Symbol.dispose]();
  }

  async #work(user: User, lane: number): Promise<void> {
    const random = this.#random[lane]!;
    const own = this.#context.stage.repositories.filter((_, at) => at % LANES === lane);
    while (!this.#stopping) {
      const repository = random.pick(own);
      const [name, pick, wired] = [random.pick(STEP_NAMES), random.below(12), random.below(10)];
      if (!existsSync(repository.mountPath)) {
        await new Promise((resolve) => setTimeout(resolve, 20));
        continue;
      }
      // Git does not see commits that are only in a submodule; the ledger does.
      const isUnseen = name === 'change in a submodule' && pick % 3 === 2;
      await this.#step(user, repository, name, isUnseen ? pick + 1 : pick);
      if (wired < 2) await this.#push(repository);
      else if (wired === 2) await this.#fetch(repository);
    }
  }

  async #step(user: User, repository: SoakRepository, name: string, pick: number): Promise<void> {
    const { base } = repository;
    this.#note(repository, `${name} ${pick}`);
    this.counts.steps += 1;
    const error = await user.do({ kind: 'step', base, name, pick });
    if (error !== null) this.#note(repository, `(failed: ${error.slice(0, 200)})`);
  }

  async #push(repository: SoakRepository): Promise<void> {
    const head = await this.#git(repository, 'rev-parse', '--verify', '-q', 'HEAD^{commit}');
    if (head.code !== 0) return;
    const words = await this.#wired(
      repository,
      'push',
      '-q',
      '--force',
      'origin',
      'HEAD:refs/heads/soak',
    );
    this.counts.pushes += 1;
    this.#note(repository, `git push${words === null ? '' : ' (failed)'}`);
  }

  async #fetch(repository: SoakRepository): Promise<void> {
    const words = await this.#wired(repository, 'fetch', '-q', 'origin');
    this.counts.fetches += 1;
    this.#note(repository, `git fetch${words === null ? '' : ' (failed)'}`);
  }

  /** With nothing in its way it must work. @returns git's words when it failed. */
  async #wired(repository: SoakRepository, ...args: string[]): Promise<string | null> {
    const isTroubled = (): boolean => repository.isTroubled;
    const { gaps } = this.#context.stage;
    const [wasTroubled, gapsBefore] = [isTroubled(), gaps.count];
    const first = await this.#git(repository, ...args);
    if (first.code === 0) return null;
    if (wasTroubled || isTroubled()) return first.stderr;
    const again = await this.#git(repository, ...args);
    if (again.code === 0 || isTroubled() || gaps.count !== gapsBefore) return first.stderr;
    this.#context.onViolation(
      'wiring',
      `${repository.name}: git ${args.join(' ')} failed twice: ${again.stderr.slice(0, 400)}`,
    );
    return again.stderr;
  }

  #git({ mountPath }: SoakRepository, ...args: string[]): Promise<Ran> {
    // git itself waits for ever for a host that says nothing.
    const patience = ['-c', 'http.lowSpeedLimit=1', '-c', 'http.lowSpeedTime=10'];
    return run('git', [...patience, ...args], {
      cwd: mountPath,
      env: this.#context.stage.userEnvironment,
    });
  }

  #note({ name }: SoakRepository, step: string): void {
    const steps = this.history.get(name) ?? [];
    steps.push(step);
    this.history.set(name, steps);
  }
}
