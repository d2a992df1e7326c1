/**
 * The oid that a tree has when git writes it anew from an index: with canonical modes, without empty
 * trees. Old histories and odd tools have others, and what an index knows of a tree is what git would
 * write: so does `git clone` (cache-tree.c, WRITE_TREE_REPAIR).
 */
import { createHash } from 'node:crypto';
import type { TreeEntry } from './tree.ts';

const NUL = Buffer.alloc(1);

/** @param entries with canonical modes, in a tree's order. */
export function treeOidOf(entries: readonly TreeEntry[]): string {
  const parts = entries.flatMap(({ mode, name, oid }) => [
    Buffer.from(`${mode.toString(8)} `),
    name,
    NUL,
    Buffer.from(oid, 'hex'),
  ]);
  const content = Buffer.concat(parts);
  return createHash('sha1').update(`tree ${content.length}\0`).update(content).digest('hex');
}
