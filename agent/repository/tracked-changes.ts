/**
 * Two readings of one index in, the directories out whose files have to be looked at again: those
 * of entries that came, went or say something else, and those above a directory that came or went.
 */
import type { BytePath } from './byte-path.ts';
import type { Pace } from './pace.ts';
import type { TrackedIndex } from './tracked-index.ts';

export async function findChangedDirectories(
  before: TrackedIndex,
  after: TrackedIndex,
  pace: Pace,
): Promise<Set<BytePath>> {
  const changed = new Set<BytePath>();
  let at = 0;
  let next = 0;
  while (at < before.count || next < after.count) {
    const order =
      at === before.count ? 1 : next === after.count ? -1 : before.comparePath(at, after, next);
    if (order < 0) changed.add(parentOf(before.path(at++)));
    else if (order > 0) changed.add(parentOf(after.path(next++)));
    else if (!before.isSameEntry(at++, after, next++)) changed.add(parentOf(after.path(next - 1)));
    if (pace.due) await pace.rest();
  }
  for (const prefix of before.prefixes) {
    if (after.directory(prefix) === undefined) changed.add(parentOf(prefix));
  }
  for (const prefix of after.prefixes) {
    if (before.directory(prefix) === undefined) changed.add(parentOf(prefix));
  }
  return changed;
}

/** Of a path, or of a prefix with its slash; '' is the root, and its own parent. */
export function parentOf(path: BytePath): BytePath {
  return path.slice(0, path.lastIndexOf('/', path.length - 2) + 1);
}
