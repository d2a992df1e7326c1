/**
 * A pack as it arrives in; the checkout of HEAD out, begun as far as the pack's order allows. What is
 * wrong with a tree is not said here: the checkout of the complete pack meets it again, and says it.
 */
import { EarlyCheckout } from '../checkout/early-checkout.ts';
import { Pace } from '../checkout/pace.ts';
import { BLOCK_BYTES } from '../checkout/worktree-files.ts';
import { AgentError } from '../errors.ts';
import type { ArrivedObjects } from '../pack/arrived-objects.ts';
import { requireSpace } from '../pack/disk-space.ts';
import { OBJECT_TYPE, OID_BYTES } from '../pack/entry-header.ts';
import type { ArrivalObserver, ObserverTaps } from '../pack/arrival-observer.ts';
import { hashObject } from '../pack/object-hash.ts';
import { treeToCheckOut } from './connectivity.ts';
import type { RefPlan } from './ref-plan.ts';

/** Fewer files than that are written sooner than each object is asked about. */
const WORTH_A_LOOK = 64;

export class CheckoutObserver implements ArrivalObserver {
  /** Undefined until HEAD's commit has come, and after a tree that is refused. */
  checkout: EarlyCheckout | undefined;
  readonly #worktree: string;
  readonly #plan: RefPlan;
  readonly #signal: AbortSignal | undefined;
  readonly #oid = Buffer.alloc(OID_BYTES);

  constructor(worktree: string, plan: RefPlan, signal?: AbortSignal) {
    this.#signal = signal;
    this.#worktree = worktree;
    this.#plan = plan;
  }

  get wantsTrees(): boolean {
    return this.checkout?.isPlanned === false;
  }

  beforeTrees(objects: ArrivedObjects): ObserverTaps | null {
    this.#attempt(() => {
      this.#begin(objects);
    });
    return this.#taps(objects);
  }

  takeArrived(objects: ArrivedObjects): void {
    this.#attempt(() => this.checkout?.takeArrived(objects));
  }

  takeTree(content: Buffer, start: number, size: number): void {
    hashObject(OBJECT_TYPE.tree, content, start, size, this.#oid, 0);
    const oid = this.#oid.toString('hex');
    this.#attempt(() => this.checkout?.takeTree(oid, content.subarray(start, start + size)));
  }

  async whenNamed(objects: ArrivedObjects): Promise<ObserverTaps | null> {
    try {
      this.#begin(objects);
      await this.checkout?.complete(objects, new Pace(this.#signal));
    } catch (error) {
      this.#refuse(error);
    }
    const missing = this.checkout?.files.missingCount ?? 0;
    if (missing < WORTH_A_LOOK) return null;
    await requireSpace(this.#worktree, missing * BLOCK_BYTES, missing);
    return this.#taps(objects);
  }

  #begin(objects: ArrivedObjects): void {
    if (this.checkout !== undefined) return;
    const treeOid = treeToCheckOut(objects, this.#plan);
    if (treeOid !== null) this.checkout = new EarlyCheckout(this.#worktree, treeOid);
  }

  #taps({ oids }: ArrivedObjects): ObserverTaps | null {
    if (this.checkout === undefined) return null;
    return { tap: this.checkout.filesHere(oids), message: this.checkout.files.memory };
  }

  #attempt(work: () => void): void {
    try {
      work();
    } catch (error) {
      this.#refuse(error);
    }
  }

  #refuse(error: unknown): void {
    if (!(error instanceof AgentError)) throw error;
    this.checkout = undefined;
  }
}
