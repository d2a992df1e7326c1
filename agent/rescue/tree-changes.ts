/** Two trees in; the paths at which they differ out, in Git's order, with what each has there. */
import { MODE } from '../checkout/index-entry.ts';
import { canonicalMode, parseTree } from '../checkout/tree.ts';
import type { BytePath } from '../repository/byte-path.ts';
import { readObject } from '../repository/objects.ts';
import type { ObjectSource } from '../repository/objects.ts';

export interface TreeSide {
  readonly mode: number;
  readonly oid: string;
}

export interface TreeChange {
  readonly path: BytePath;
  readonly before: TreeSide | null;
  readonly after: TreeSide | null;
}

/** @throws Doubt for a tree that cannot be read. */
export function* changesBetween(
  objects: ObjectSource,
  before: string | null,
  after: string | null,
  prefix: BytePath = '',
): Generator<TreeChange> {
  if (before === after) return;
  const [old, now] = [entriesOf(objects, before), entriesOf(objects, after)];
  for (const name of [...new Set([...old.keys(), ...now.keys()])].sort()) {
    const [from, to] = [old.get(name) ?? null, now.get(name) ?? null];
    if (from?.oid === to?.oid && from?.mode === to?.mode) continue;
    const path = prefix + name;
    const [fromTree, toTree] = [treeIn(from), treeIn(to)];
    const [fromFile, toFile] = [fromTree === null ? from : null, toTree === null ? to : null];
    // What goes away goes first: a file makes room for a directory of its name.
    if (fromFile !== null && toFile === null) yield { path, before: fromFile, after: null };
    if (fromTree !== null || toTree !== null) {
      yield* changesBetween(objects, fromTree, toTree, `${path}/`);
    }
    if (toFile !== null) yield { path, before: fromFile, after: toFile };
  }
}

export function entryAt(
  objects: ObjectSource,
  tree: string | null,
  path: BytePath,
): TreeSide | null {
  let at: TreeSide | null = tree === null ? null : { mode: MODE.directory, oid: tree };
  for (const name of path.split('/')) {
    if (at?.mode !== MODE.directory) return null;
    at = entriesOf(objects, at.oid).get(name) ?? null;
  }
  return at;
}

function treeIn(side: TreeSide | null): string | null {
  return side?.mode === MODE.directory ? side.oid : null;
}

function entriesOf(objects: ObjectSource, tree: string | null): Map<BytePath, TreeSide> {
  if (tree === null) return new Map();
  return new Map(
    parseTree(readObject(objects, tree, 'tree')).map((entry) => [
      entry.name.toString('latin1'),
      { mode: canonicalMode(entry), oid: entry.oid },
    ]),
  );
}
