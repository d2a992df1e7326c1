/**
 * What the observer of a pack gets to see while it arrives, and when: before the first tree, before
 * the first blob, and where newer commits and trees come behind blobs, now and then again: at what is
 * new since. Waiting for the link, it is given what had passed before it wanted that.
 */
import { ArrivedObjects } from './arrived-objects.ts';
import type { ArrivalObserver } from './arrival-observer.ts';
import type { EntryScanner } from './entry-scanner.ts';
import { LateShare, createLateJob } from './late-contents.ts';
import type { PackThreads } from './pack-threads.ts';

/** After this part of all objects, all that have come are looked at, not only what is new. */
const FAR_LOOK_SHARE = 1 / 16;

export interface LooksContext {
  readonly observer: ArrivalObserver | undefined;
  readonly scanner: EntryScanner;
  readonly threads: PackThreads;
  readonly fd: number;
  /** Between two looks. */
  readonly lookBytes: number;
}

export class ArrivalLooks {
  readonly #context: LooksContext;
  /** What the threads are told, once there is something to be seen. */
  #message: object | null = null;
  /** Settles when they were told. */
  #telling: Promise<void> = Promise.resolve();
  #blobsBegan = false;
  /** Where the last two looks ended. What the threads had not named yet by one, they have by the next. */
  #looked: [number, number] = [0, 0];
  /** A row. */
  #nextFarLook = 0;
  /** An offset in the pack. */
  #nextLook = 0;
  /** Whether something may be wanted that has passed. */
  #isBehind = false;
  /** Nothing more is to be seen. */
  #isDone = false;
  #share: LateShare | null = null;

  constructor(context: LooksContext) {
    this.#context = context;
  }

  /** The newest commits come first: most often they have their names without any waiting. */
  async beforeTrees(): Promise<void> {
    const { observer, threads } = this.#context;
    if (observer === undefined) return;
    this.#beginWith(observer);
    if (this.#message === null && threads.count > 0) {
      await threads.drained();
      this.#beginWith(observer);
    }
    await this.#telling;
  }

  async beforeBlobs(): Promise<void> {
    const { observer, threads } = this.#context;
    this.#blobsBegan = true;
    if (observer?.wantsTrees !== true) return;
    await threads.drained();
    this.#plan(0);
  }

  /** Looks at what has come behind blobs. */
  afterWindow(): void {
    const { observer, scanner } = this.#context;
    if (observer === undefined || !this.#blobsBegan || this.#isDone) return;
    const { count, endOffset } = scanner.table;
    if (endOffset < this.#nextLook) return;
    this.#nextLook = endOffset + this.#context.lookBytes;
    const isFarBack = count >= this.#nextFarLook;
    if (isFarBack) this.#nextFarLook = count + scanner.totalObjects * FAR_LOOK_SHARE;
    const from = isFarBack ? 0 : this.#looked[0];
    this.#looked = [this.#looked[1], count];
    if (this.#message === null) this.#beginWith(observer, from);
    if (this.#message !== null && observer.wantsTrees) this.#plan(from);
    this.#isBehind = this.#message !== null;
    this.#isDone = this.#message !== null && !observer.wantsTrees;
  }

  /** While there is nothing else to do: gives what is wanted and has passed. True: there is more of it. */
  whileWaiting(): boolean {
    if (this.#message === null || (this.#share === null && !this.#isBehind)) return false;
    this.#share ??= this.#beginShare(this.#message);
    if (this.#share.step()) return true;
    this.#share = null;
    return false;
  }

  /** For threads that are new; their queues have room. */
  tellThreads(): void {
    if (this.#message === null) return;
    const told = this.#context.threads.tell(this.#message);
    this.#telling = Promise.all([this.#telling, told]).then(() => undefined);
    // A thread that fails says so to whoever looks at the threads.
    this.#telling.catch(() => undefined);
  }

  /** Settles when the threads know all. */
  async settled(): Promise<void> {
    await this.#telling;
  }

  #plan(from: number): void {
    const { resolver, table } = this.#context.scanner;
    resolver.planArrived(from, table.count, table.endOffset);
  }

  /** @param from where given, objects are looked for in the rows from there on. */
  #beginWith(observer: ArrivalObserver, from?: number): void {
    const { scanner, fd } = this.#context;
    using objects = new ArrivedObjects(scanner.table, fd, from);
    this.#message = observer.beforeTrees(objects, this.#context.scanner.resolver);
    if (this.#message !== null) this.tellThreads();
  }

  #beginShare(message: object): LateShare {
    this.#isBehind = false;
    const { resolver, table } = this.#context.scanner;
    const { count, endOffset } = table;
    return new LateShare(createLateJob({ message, count, endOffset }), resolver);
  }
}
