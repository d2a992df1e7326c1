/**
 * Who looks at a pack while it arrives, and what he gets to see. Git sends commits first, then trees and
 * blobs, each tree before what it holds; nothing depends on a host that keeps this order.
 */
import type { ArrivedObjects } from './arrived-objects.ts';
import type { KernelHost } from './kernel-host.ts';

export interface ArrivalObserver {
  /** Where files are written; it exists. */
  readonly directory: string;
  /**
   * Called before the first tree, and now and then until it has something to see: null means not yet.
   * From then on the kernel of `host` plans and writes by itself; what comes back is the message to other
   * threads, where a CheckoutMaker begins the same.
   */
  beforeTrees(objects: ArrivedObjects, host: KernelHost): object | null;
  /**
   * Called when all objects have their names and threads are there to help: the same message; null when
   * there is nothing more to be taken.
   */
  whenNamed(objects: ArrivedObjects, host: KernelHost): Promise<object | null>;
  /** Whether trees are still to come. */
  readonly wantsTrees: boolean;
}

/** Begins in another thread what the message is about. */
export type CheckoutMaker = (message: unknown, host: KernelHost) => void;
