/**
 * What the index keeps alive besides commits: blobs that were added, all sides of conflicts, what
 * conflicts were before they were solved (REUC), and trees that it remembers (its cache tree).
 */
import { MODE } from '../checkout/index-entry.ts';
import type { BytePath } from '../repository/byte-path.ts';
import type { Tracked } from '../repository/tracked.ts';
import type { Root } from './object-roots.ts';

const OID_BYTES = 20;

/** @param staged where index and HEAD differ; undefined when that is not known: everything then. */
export function indexRoots(tracked: Tracked, staged: ReadonlySet<BytePath> | undefined): Root[] {
  // What differs from HEAD in a directory of a sparse index are paths below it.
  const oids = new Set<string>(tracked.sparseTrees);
  for (const [position, entry] of tracked.entries.entries()) {
    if (entry.mode === MODE.gitlink || entry.intentToAdd) continue;
    const path = tracked.paths[position] ?? '';
    if (entry.stage !== 0 || staged === undefined || staged.has(path)) oids.add(entry.oid);
  }
  if (tracked.resolveUndo !== null) for (const oid of undoOids(tracked.resolveUndo)) oids.add(oid);
  const root = tracked.cachedTrees.get('');
  // The tree of all; without it the smaller ones, where an entry changed since.
  for (const oid of root === undefined ? tracked.cachedTrees.values() : [root]) oids.add(oid);
  return [...oids].map((oid) => ({ oid, ref: null, own: false }));
}

/** resolve-undo.c: a path, three octal modes, each with a NUL, and an oid for each that is not 0. */
function* undoOids(extension: Buffer): Generator<string> {
  let at = 0;
  const text = (): string | undefined => {
    const end = extension.indexOf(0, at);
    if (end < 0) return undefined;
    const found = extension.toString('latin1', at, end);
    at = end + 1;
    return found;
  };
  while (text() !== undefined) {
    const modes = [text(), text(), text()];
    for (const mode of modes) {
      if (mode === undefined || Number.parseInt(mode, 8) === 0) continue;
      if (at + OID_BYTES > extension.length) return;
      yield extension.toString('hex', at, at + OID_BYTES);
      at += OID_BYTES;
    }
  }
}
