/**
 * Planned files in; of each directory, the tree that git would write for it. Most often that is the one it came
 * from; where not, its oid is made, and stands in its node if there is such a tree.
 */
import { treeOidOf } from './canonical-tree.ts';
import { MODE } from './index-entry.ts';
import { ROOT, type NodeTable } from './node-table.ts';
import type { PlannedFiles } from './planned-files.ts';
import type { TreeEntry } from './tree.ts';

/** @param has whether there is a tree of that oid. */
export function rewriteTrees(files: PlannedFiles, has: (oid: string) => boolean): void {
  if (files.changedCount === 0) return;
  const { nodes } = files;
  // Whatever is in a directory comes before it.
  for (const directory of [ROOT, ...files.directories].reverse()) {
    if (!nodes.isChanged(directory)) continue;
    const stored = nodes.oid(directory);
    const oid = rewrittenOid(nodes, directory);
    const isThere = oid !== null && has(oid);
    if (isThere) nodes.setOid(directory, oid);
    else nodes.setInvalid(directory);
    if (directory !== ROOT && oid !== stored) nodes.setChanged(nodes.parent(directory));
  }
}

/** null when git would have to write a tree below it first. */
function rewrittenOid(nodes: NodeTable, directory: number): string | null {
  const entries: TreeEntry[] = [];
  const { first, count } = nodes.tree(directory);
  for (let child = first; child < first + count; child++) {
    const { mode, oid } = nodes.entry(child);
    if (mode === MODE.directory) {
      // An index knows no empty directory.
      if (nodes.filesBelow(child) === 0) continue;
      if (nodes.isInvalid(child)) return null;
    }
    entries.push({ mode, name: nodes.name(child), oid });
  }
  return treeOidOf(entries);
}
