/**
 * What the ledger asks of an object database: objects by oid, synchronously, from memory and disk
 * alone. A missing object is a Doubt: what cannot be read cannot be called safe.
 */
import { EMPTY_TREE_OID } from '../checkout/well-known-objects.ts';
import { Doubt } from './doubt.ts';

export type ObjectType = 'commit' | 'tree' | 'blob' | 'tag';

export interface ObjectSource {
  read(oid: string): { readonly type: ObjectType; readonly content: Buffer } | undefined;
}

/** @throws Doubt when the object is missing or of another type. */
export function readObject(objects: ObjectSource, oid: string, type: ObjectType): Buffer {
  const object = objects.read(oid);
  if (object === undefined && oid === EMPTY_TREE_OID && type === 'tree') return Buffer.alloc(0);
  if (object === undefined) throw new Doubt(`the ${type} ${oid} is missing`);
  if (object.type !== type) throw new Doubt(`${oid} should be a ${type} and is a ${object.type}`);
  return object.content;
}
