/**
 * The oid that a tree has when git writes it anew from an index: with canonical modes, without empty
 * trees. Old histories and odd tools have others, and what an index knows of a tree is what git would
 * write: so does `git clone` (cache-tree.c, WRITE_TREE_REPAIR).
 */
import { createHash } from 'node:crypto';
import { MODE, OID_BYTES } from './index-entry.ts';
import { canonicalMode } from './tree.ts';
import type { TreeEntry } from './tree.ts';

const NUL = Buffer.alloc(1);

/** Whether the tree's bytes are what git would write, as far as its own entries tell. */
export function isCanonical(entries: readonly TreeEntry[], treeBytes: number): boolean {
  let bytes = 0;
  for (const entry of entries) {
    if (canonicalMode(entry) !== entry.mode) return false;
    bytes += (entry.mode === MODE.directory ? 5 : 6) + 1 + entry.name.length + 1 + OID_BYTES;
  }
  // A mode written with a leading zero is the same number.
  return bytes === treeBytes;
}

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
