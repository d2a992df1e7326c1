/**
 * A pack as it arrives in; the checkout of HEAD out, begun as far as the pack's order allows. What is
 * wrong with a tree is not said here: the checkout of the complete pack goes on with the same plan, meets it
 * again, and says it.
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
  /** Undefined until HEAD's commit has come. */
  checkout: EarlyCheckout | undefined;
  readonly directory: string;
  readonly #plan: RefPlan;
  readonly #signal: AbortSignal | undefined;

  constructor(worktree: string, plan: RefPlan, signal?: AbortSignal) {
    this.#signal = signal;
    this.directory = worktree;
    this.#plan = plan;
  }

  get wantsTrees(): boolean {
    return this.checkout?.isPlanned === false;
  }

  beforeTrees(objects: ArrivedObjects, host: KernelHost): NodeMemory | null {
    try {
      this.#begin(objects, host);
    } catch (error) {
      throwUnlessOurs(error);
    }
    return this.#message();
  }

  async whenNamed(objects: ArrivedObjects, host: KernelHost): Promise<NodeMemory | null> {
    try {
      this.#begin(objects, host);
      await this.checkout?.complete(objects, new Pace(this.#signal));
    } catch (error) {
      throwUnlessOurs(error);
      return null;
    }
    const missing = this.checkout?.missingCount ?? 0;
    if (missing < WORTH_A_LOOK) return null;
    await requireSpace(this.directory, missing * BLOCK_BYTES, missing);
    return this.#message();
  }

  #begin(objects: ArrivedObjects, host: KernelHost): void {
    if (this.checkout !== undefined) return;
    const treeOid = treeToCheckOut(objects, this.#plan);
    if (treeOid === null) return;
    this.checkout = new EarlyCheckout(this.directory, treeOid, undefined, host);
  }

  #message(): NodeMemory | null {
    return this.checkout?.memory ?? null;
  }
}

/** HEAD may still be to come, or a tree is refused. */
function throwUnlessOurs(error: unknown): void {
  if (!(error instanceof AgentError)) throw error;
}
