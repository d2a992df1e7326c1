/**
 * A campaign of random histories: command line in, progress on the way, and at the end one line that
 * says how many really ran. What goes wrong is printed as the smallest history that does, with what
 * plays it again. 1 is the exit code then.
 */
import { rmSync } from 'node:fs';
import { parseArgs } from 'node:util';
import fc from 'fast-check';
import { anyHistory } from './histories.ts';
import type { History, Replay } from './histories.ts';
import { createTemplate } from './scratch-repository.ts';

/** Each chunk has a seed of its own, so that one that goes wrong costs the others nothing. */
const CHUNK = 100;
/** Chunks of two campaigns with seeds side by side are not the same ones. */
const SEED_STEP = 100_003;
/** Something is wrong in general after so many. */
const FAILURES = 20;
const SHOWN_CHARACTERS = 4_000;

export interface CampaignContext {
  /** How npm runs it. */
  readonly script: string;
  /** What goes wrong in one, in the plural. */
  readonly failures: string;
  replay(template: string, history: History): Promise<void>;
}

/** `[--runs N] [--seed S] [--minutes M]`, or `--again SEED:PATH` for a single history. */
export async function playCampaign(context: CampaignContext): Promise<void> {
  const { values } = parseArgs({
    options: {
      runs: { type: 'string', default: '500' },
      seed: { type: 'string', default: '1' },
      minutes: { type: 'string', default: 'Infinity' },
      again: { type: 'string' },
    },
  });
  const template = createTemplate();
  try {
    const campaign = new Campaign(context, template);
    const { again } = values;
    if (again !== undefined) await campaign.playAgain(again);
    else await campaign.play(Number(values.runs), Number(values.seed), Number(values.minutes));
    console.log(`${campaign.summary}${again === undefined ? `, seed ${values.seed}` : ''}`);
    process.exitCode = campaign.failures === 0 ? 0 : 1;
  } finally {
    rmSync(template, { recursive: true, force: true });
  }
}

class Campaign {
  readonly #context: CampaignContext;
  readonly #template: string;
  readonly #kinds = new Set<string>();
  readonly #began = performance.now();
  #histories = 0;
  #steps = 0;
  failures = 0;

  constructor(context: CampaignContext, template: string) {
    this.#context = context;
    this.#template = template;
  }

  get summary(): string {
    const { failures } = this.#context;
    const seconds = Math.round((performance.now() - this.#began) / 1000);
    const played = `${this.#histories} histories, ${this.#steps} steps of ${this.#kinds.size} kinds`;
    return `${played}, ${this.failures} ${failures}, ${seconds} s`;
  }

  async play(runs: number, seed: number, minutes: number): Promise<void> {
    const until = this.#began + minutes * 60_000;
    for (
      let chunk = 0;
      this.#histories < runs && this.failures < FAILURES && performance.now() < until;
      chunk++
    ) {
      await this.#playChunk({
        seed: seed * SEED_STEP + chunk,
        numRuns: Math.min(CHUNK, runs - this.#histories),
      });
      console.log(this.summary);
    }
  }

  async playAgain(which: string): Promise<void> {
    const [seed, ...path] = which.split(':');
    await this.#playChunk({ seed: Number(seed), path: path.join(':'), endOnFailure: true });
  }

  async #playChunk(parameters: fc.Parameters<[History]>): Promise<void> {
    let isShrinking = false;
    const replay: Replay = async (history) => {
      if (!isShrinking) this.#note(history);
      try {
        await this.#context.replay(this.#template, history);
      } catch (error) {
        isShrinking = true;
        throw error;
      }
    };
    const details = await fc.check(fc.asyncProperty(anyHistory, replay), parameters);
    if (!details.failed) return;
    this.failures++;
    const { seed, counterexamplePath, counterexample, errorInstance: error } = details;
    const words = error instanceof Error ? (error.stack ?? error.message) : String(error);
    const shown = words.split('\n').filter((line) => !/^ +at .*(?:fast-check|Campaign)/.test(line));
    console.log(`the smallest of them: ${JSON.stringify(counterexample?.[0])}`);
    console.log(shown.join('\n').slice(0, SHOWN_CHARACTERS));
    console.log(`npm run ${this.#context.script} -- --again ${seed}:${counterexamplePath ?? ''}`);
  }

  #note(history: History): void {
    this.#histories++;
    this.#steps += history.length;
    for (const [name] of history) this.#kinds.add(name);
  }
}
