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
   * From then on the kernel of `host` plans and writes by itself, and every other one that was told.
   */
  beforeTrees(objects: ArrivedObjects, host: KernelHost): ObserverTaps | null;
  /** Called before the first blob, and now and then afterwards, while trees are wanted. */
  takeArrived(objects: ArrivedObjects): void;
  /**
   * Called when all objects have their names and threads are there to help; null when there is
   * nothing more to be taken.
   */
  whenNamed(objects: ArrivedObjects, host: KernelHost): Promise<ObserverTaps | null>;
  /** Whether trees are still to come. */
  readonly wantsTrees: boolean;
}

/** Takes what has passed already. */
export interface LateTap {
  /** Whether it has a use for the object at `row`, which has a name. */
  wants(row: number): boolean;
  /** Takes a blob: the object at `row`, which is lent during the call. */
  take(row: number, content: Buffer): void;
}

export interface ObserverTaps {
  /** For this thread. */
  readonly tap: LateTap;
  /** From it each pack thread makes a tap of its own; see thread-work.ts. */
  readonly message: unknown;
}
