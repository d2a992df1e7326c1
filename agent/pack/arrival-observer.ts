/**
 * Who looks at a pack while it arrives, and what he gets to see. Git sends commits first, then trees and
 * blobs, each tree before what it holds; nothing depends on a host that keeps this order.
 */
import type { ContentTap } from './arrival-resolver.ts';
import type { ArrivedObjects } from './arrived-objects.ts';

export interface ArrivalObserver {
  /** Called before the first tree, and now and then until it has something to see: null means not yet. */
  beforeTrees(objects: ArrivedObjects): ObserverTaps | null;
  /** Called before the first blob, and now and then afterwards, while trees are wanted. */
  takeArrived(objects: ArrivedObjects): void;
  /**
   * Called when all objects have their names and threads are there to help; null when there is
   * nothing more to be taken.
   */
  whenNamed(objects: ArrivedObjects): Promise<ObserverTaps | null>;
  /** Whether `takeTree` is to be called. */
  readonly wantsTrees: boolean;
  /** Sees a tree that is stored whole: content[start, start + size), HEADROOM before it. */
  takeTree(content: Buffer, start: number, size: number): void;
}

/** Takes what has passed already, too. */
export interface LateTap extends ContentTap {
  /** Whether it has a use for the object at `row`, which has a name. */
  wants(row: number): boolean;
}

export interface ObserverTaps {
  /** For objects made in this thread. */
  readonly tap: LateTap;
  /** From it each pack thread makes a tap of its own; see thread-work.ts. */
  readonly message: unknown;
}
