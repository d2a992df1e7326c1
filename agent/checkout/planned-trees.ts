/**
 * Planned files in, the cache tree of their index out: what git would write as the tree of each directory.
 * Most often that is the tree it came from; where not, its oid is made, and used if there is such a tree.
 */
import type { CacheTree } from './cache-tree.ts';
import { treeOidOf } from './canonical-tree.ts';
import { MODE } from './index-entry.ts';
import { ROOT, type NodeTable } from './node-table.ts';
import type { PlannedFiles } from './planned-files.ts';
import type { TreeEntry } from './tree.ts';

interface OpenTree extends CacheTree {
  entryCount: number;
  oid: string | null;
  readonly children: CacheTree[];
}

/** @param has whether there is a tree of that oid. */
export function cacheTreeOf(files: PlannedFiles, has: (oid: string) => boolean): CacheTree {
  const { nodes, directories, changedCount } = files;
  const root = openTree(nodes, ROOT);
  const trees = new Map([[ROOT, root]]);
  for (const directory of directories) {
    const tree = openTree(nodes, directory);
    trees.set(directory, tree);
    trees.get(nodes.parent(directory))!.children.push(tree);
  }
  if (changedCount > 0) rewrite(nodes, trees, has);
  return root;
}

function openTree(nodes: NodeTable, directory: number): OpenTree {
  const entryCount = nodes.filesBelow(directory);
  return { name: nodes.name(directory), entryCount, oid: nodes.oid(directory), children: [] };
}

/** An index knows no empty directory, and a tree only as git itself would write it. */
function rewrite(
  nodes: NodeTable,
  trees: ReadonlyMap<number, OpenTree>,
  has: (oid: string) => boolean,
): void {
  const changed = new Set<number>();
  for (const [directory, tree] of [...trees].reverse()) {
    if (!nodes.isChanged(directory) && !changed.has(directory)) continue;
    const stored = tree.oid;
    const oid = rewrittenOid(nodes, directory, trees);
    tree.oid = oid !== null && has(oid) ? oid : null;
    if (tree.oid === null) tree.entryCount = -1;
    if (tree.oid !== stored) changed.add(nodes.parent(directory));
  }
}

/** null when git would have to write a tree below it first. */
function rewrittenOid(
  nodes: NodeTable,
  directory: number,
  trees: ReadonlyMap<number, OpenTree>,
): string | null {
  const entries: TreeEntry[] = [];
  const { first, count } = nodes.tree(directory);
  for (let child = first; child < first + count; child++) {
    const name = nodes.name(child);
    const { mode, oid } = nodes.entry(child);
    const tree = trees.get(child);
    if (mode !== MODE.directory) entries.push({ mode, name, oid });
    else if (tree?.oid === null) return null;
    else if (tree !== undefined) entries.push({ mode, name, oid: tree.oid });
  }
  return treeOidOf(entries);
}
