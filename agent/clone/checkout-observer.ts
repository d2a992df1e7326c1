/**
 * A pack as it arrives in; the checkout of HEAD out, begun as far as the pack's order allows. What is
 * wrong with a tree is not said here: the checkout of the complete pack meets it again, and says it.
 */
import { EarlyCheckout } from '../checkout/early-checkout.ts';
import { AgentError } from '../errors.ts';
import type { ArrivedObjects } from '../pack/arrived-objects.ts';
import { OBJECT_TYPE, OID_BYTES } from '../pack/entry-header.ts';
import type { ArrivalObserver, ObserverTaps } from '../pack/arrival-observer.ts';
import { hashObject } from '../pack/object-hash.ts';
import { treeToCheckOut } from './connectivity.ts';
import type { RefPlan } from './ref-plan.ts';

export class CheckoutObserver implements ArrivalObserver {
  /** Undefined until HEAD's commit has come, and after a tree that is refused. */
  checkout: EarlyCheckout | undefined;
  readonly #worktree: string;
  readonly #plan: RefPlan;
  readonly #oid = Buffer.alloc(OID_BYTES);

  constructor(worktree: string, plan: RefPlan) {
    this.#worktree = worktree;
    this.#plan = plan;
  }

  get wantsTrees(): boolean {
    return this.checkout?.isPlanned === false;
  }

  beforeTrees(objects: ArrivedObjects): ObserverTaps | null {
    this.#attempt(() => {
      const treeOid = treeToCheckOut(objects, this.#plan);
      if (treeOid !== null) this.checkout = new EarlyCheckout(this.#worktree, treeOid);
    });
    if (this.checkout === undefined) return null;
    const { memory } = this.checkout.files;
    return { tap: this.checkout.filesHere(objects.oids), message: memory };
  }

  beforeBlobs(objects: ArrivedObjects): void {
    this.#attempt(() => this.checkout?.takeArrived(objects));
  }

  takeTree(content: Buffer, start: number, size: number): void {
    hashObject(OBJECT_TYPE.tree, content, start, size, this.#oid, 0);
    const oid = this.#oid.toString('hex');
    this.#attempt(() => this.checkout?.takeTree(oid, content.subarray(start, start + size)));
  }

  #attempt(work: () => void): void {
    try {
      work();
    } catch (error) {
      if (!(error instanceof AgentError)) throw error;
      this.checkout = undefined;
    }
  }
}
