/**
 * What the session's script says, line by line, as numbered steps and indented details; which steps
 * began is kept for the check at the end.
 */
import type { Host } from '../host/host.ts';
import type { Narrator } from './narrator.ts';

export const STEPS: Readonly<Record<string, string>> = {
  edit: 'The command is running in the mount: a file is edited',
  'at-risk': 'mount-agent status shows the work at risk, and how long it is safe',
  commit: 'A commit on a new branch',
  push: 'git push, with the token of this mount',
  'pull-request': 'gh pr create --fill, by the real gh',
  received: 'The pull request as GitHub received it',
  'two-tokens': 'The second repository, with its own token',
  clean: 'mount-agent status is clean again',
};

/** Turns the script's lines into steps and details, and remembers which steps began. */
export class ScriptReader {
  readonly began = new Set<string>();
  #held: string[] | null = [];
  readonly #host: Host;
  readonly #narrator: Narrator;

  constructor(host: Host, narrator: Narrator) {
    this.#host = host;
    this.#narrator = narrator;
  }

  read(line: string): void {
    if (this.#held === null) this.#tell(line);
    else this.#held.push(line);
  }

  /** The step that began last, as a sentence. */
  get current(): string {
    const step = [...this.began].at(-1);
    return step === undefined ? 'The command starts' : (STEPS[step] ?? step);
  }

  /** From now on lines are told as they come; until now they were held, in order. */
  release(): void {
    const held = this.#held ?? [];
    this.#held = null;
    for (const line of held) this.#tell(line);
  }

  #tell(line: string): void {
    const step = line.startsWith('@') ? line.slice(1) : null;
    if (step === null) {
      if (line.trim() !== '') this.#narrator.detail(line);
      return;
    }
    this.began.add(step);
    this.#narrator.step(STEPS[step] ?? step);
    if (step !== 'received') return;
    for (const each of this.#host.pullRequests) {
      this.#narrator.detail(`#${each.number} in ${each.owner}/${each.name}: "${each.title}"`);
      this.#narrator.detail(
        `${each.headRefName} (${each.headRefOid.slice(0, 10)}) into ${each.baseRefName}`,
      );
      this.#narrator.detail(`opened by ${each.author}`);
    }
  }
}
