/**
 * Several packs at once in one thread; one of them is computed at a time, the others are only received.
 * The one that came first goes before the others: it is ready early, and its memory is free before
 * the next one needs as much. While it waits for its bytes, and now and then, another one has its turn.
 */
import { reasonOf } from '../lifetime.ts';

/** Who waited so long goes first, for once: its host must not think that nobody reads. */
const PATIENCE_MS = 5_000;

interface Waiting {
  readonly turn: Turn;
  readonly sinceMs: number;
  readonly go: () => void;
}

export class Turns {
  /** Threads that a pack may have beside this one; looked at as long as it has none. */
  threads = Number.POSITIVE_INFINITY;
  /** Called for each pack once it has the threads that it gets at its begin, be it none. */
  onThreads: () => void = () => undefined;
  #holder: Turn | null = null;
  #waiting: Waiting[] = [];
  #joined = 0;
  readonly #now: () => number;

  constructor(now: () => number = () => performance.now()) {
    this.#now = now;
  }

  /** The next in line; disposing of it lets the others go on. */
  join(signal?: AbortSignal): Turn {
    return new Turn(this, this.#joined++, signal);
  }

  /** Settles when it is this one's turn, again or still. @throws the signal's reason. */
  async take(turn: Turn): Promise<void> {
    turn.signal?.throwIfAborted();
    if (this.#holder === turn && !this.#isBefore(this.#next, turn)) return;
    await new Promise<void>((resolve, reject) => {
      const stop = (): void => {
        this.#waiting = this.#waiting.filter((waiting) => waiting.turn !== turn);
        if (turn.signal !== undefined) reject(reasonOf(turn.signal));
      };
      const go = (): void => {
        turn.signal?.removeEventListener('abort', stop);
        resolve();
      };
      turn.signal?.addEventListener('abort', stop, { once: true });
      const next = this.#holder === turn ? this.#next : undefined;
      this.#waiting.push({ turn, sinceMs: this.#now(), go });
      if (next !== undefined) this.#give(next);
      else if (this.#holder === null) this.#pass();
    });
  }

  release(turn: Turn): void {
    if (this.#holder === turn) this.#pass();
  }

  #pass(): void {
    this.#holder = null;
    const next = this.#next;
    if (next !== undefined) this.#give(next);
  }

  #give(next: Waiting): void {
    this.#waiting = this.#waiting.filter((waiting) => waiting !== next);
    this.#holder = next.turn;
    next.go();
  }

  /** Who has lost patience, else who came first. */
  get #next(): Waiting | undefined {
    const [longest] = this.#waiting;
    if (longest !== undefined && this.#isImpatient(longest)) return longest;
    return this.#waiting.toSorted((a, b) => a.turn.order - b.turn.order)[0];
  }

  #isBefore(next: Waiting | undefined, turn: Turn): boolean {
    return next !== undefined && (next.turn.order < turn.order || this.#isImpatient(next));
  }

  #isImpatient({ sinceMs }: Waiting): boolean {
    return this.#now() - sinceMs > PATIENCE_MS;
  }
}

export class Turn implements Disposable {
  readonly order: number;
  readonly signal: AbortSignal | undefined;
  readonly #turns: Turns;
  #over = false;

  constructor(turns: Turns, order: number, signal: AbortSignal | undefined) {
    this.#turns = turns;
    this.order = order;
    this.signal = signal;
  }

  /** See Turns. */
  get threads(): number {
    return this.#turns.threads;
  }

  /** See Turns. */
  hasThreads(): void {
    this.#turns.onThreads();
  }

  /** Before each piece of work: whoever has precedence goes first. */
  async take(): Promise<void> {
    // What is still under way after a failure must not hold up the others.
    if (!this.#over) await this.#turns.take(this);
  }

  /** There is nothing to do for now. */
  release(): void {
    this.#turns.release(this);
  }

  [Symbol.dispose](): void {
    this.#over = true;
    this.release();
  }
}
