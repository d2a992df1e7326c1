/**
 * A pack as it arrives in; the checkout of HEAD out, begun as far as the pack's order allows. What is
 * wrong with a tree is not said here: the checkout of the complete pack meets it again, and says it.
 */
import { EarlyCheckout } from '../checkout/early-checkout.ts';
import type { NodeMemory } from '../checkout/node-table.ts';
import { Pace } from '../checkout/pace.ts';
import { BLOCK_BYTES } from '../checkout/worktree-files.ts';
import { AgentError } from '../errors.ts';
import type { ArrivedObjects } from '../pack/arrived-objects.ts';
import { requireSpace } from '../pack/disk-space.ts';
import type { ArrivalObserver } from '../pack/arrival-observer.ts';
import type { KernelHost } from '../pack/kernel-host.ts';
import { treeToCheckOut } from './connectivity.ts';
import type { RefPlan } from './ref-plan.ts';

/** Fewer files than that are written sooner than each object is asked about. */
const WORTH_A_LOOK = 64;

export class CheckoutObserver implements ArrivalObserver {
  #checkout: EarlyCheckout | undefined;
  #isRefused = false;
  readonly directory: string;
  readonly #plan: RefPlan;
  readonly #signal: AbortSignal | undefined;

  constructor(worktree: string, plan: RefPlan, signal?: AbortSignal) {
    this.#signal = signal;
    this.directory = worktree;
    this.#plan = plan;
  }

  /** Undefined until HEAD's commit has come, and after a tree that is refused. */
  get checkout(): EarlyCheckout | undefined {
    return this.#isRefused || this.#checkout?.isRefused === true ? undefined : this.#checkout;
  }

  get wantsTrees(): boolean {
    return this.checkout?.isPlanned === false;
  }

  beforeTrees(objects: ArrivedObjects, host: KernelHost): NodeMemory | null {
    this.#attempt(() => {
      this.#begin(objects, host);
    });
    return this.#message();
  }

  takeArrived(objects: ArrivedObjects): void {
    this.#attempt(() => this.checkout?.takeArrived(objects));
  }

  async whenNamed(objects: ArrivedObjects, host: KernelHost): Promise<NodeMemory | null> {
    try {
      this.#begin(objects, host);
      await this.checkout?.complete(objects, new Pace(this.#signal));
    } catch (error) {
      this.#refuse(error);
    }
    const missing = this.checkout?.missingCount ?? 0;
    if (missing < WORTH_A_LOOK) return null;
    await requireSpace(this.directory, missing * BLOCK_BYTES, missing);
    return this.#message();
  }

  /** Once, even when the plan was given up. */
  #begin(objects: ArrivedObjects, host: KernelHost): void {
    if (this.#checkout !== undefined || this.#isRefused) return;
    const treeOid = treeToCheckOut(objects, this.#plan);
    if (treeOid === null) return;
    this.#checkout = new EarlyCheckout(this.directory, treeOid, undefined, host);
  }

  #message(): NodeMemory | null {
    return this.checkout?.memory ?? null;
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
    // Before it has begun, HEAD may still be to come.
    this.#isRefused = this.#checkout !== undefined;
  }
}
