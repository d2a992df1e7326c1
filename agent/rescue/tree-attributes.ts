/**
 * A tree in; the attributes that its own `.gitattributes` files give out: what a restore, which has
 * nothing but the tree, writes files by. None for a tree that no checkout takes.
 */
import { readAttributes } from '../checkout/attribute-files.ts';
import { Attributes } from '../checkout/attributes.ts';
import { EarlyCheckout } from '../checkout/early-checkout.ts';
import { Pace } from '../checkout/pace.ts';
import { CheckoutError } from '../errors.ts';
import type { ObjectStore } from '../pack/object-store.ts';
import type { Pace as ReadingPace } from '../repository/pace.ts';

export async function attributesOf(
  treeOid: string | null,
  store: ObjectStore,
  { signal }: ReadingPace,
): Promise<Attributes> {
  if (treeOid === null) return new Attributes();
  try {
    const checkout = new EarlyCheckout('', treeOid);
    const files = await checkout.complete(store, new Pace(signal));
    return readAttributes(store, files.attributeFiles);
  } catch (error) {
    if (error instanceof CheckoutError) return new Attributes();
    throw error;
  }
}
