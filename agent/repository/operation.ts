/**
 * The operation that waits for its end in a Git directory, by the files that git-status goes by
 * (wt-status.c), in its order; only a rebase goes before the merge that it is made of.
 */
import type { BytePath } from './byte-path.ts';
import { readBytesAsText } from './read-file.ts';
import { exists } from './repository.ts';

export type Operation = 'merge' | 'rebase' | 'cherry-pick' | 'revert' | 'bisect' | 'am';

export function readOperation(gitdir: BytePath): Operation | null {
  const isAm = exists(`${gitdir}/rebase-apply/applying`);
  if (exists(`${gitdir}/rebase-merge`)) return 'rebase';
  if (exists(`${gitdir}/rebase-apply`) && !isAm) return 'rebase';
  if (exists(`${gitdir}/MERGE_HEAD`)) return 'merge';
  if (isAm) return 'am';
  if (exists(`${gitdir}/CHERRY_PICK_HEAD`)) return 'cherry-pick';
  if (exists(`${gitdir}/REVERT_HEAD`)) return 'revert';
  return readSequence(gitdir) ?? (exists(`${gitdir}/BISECT_LOG`) ? 'bisect' : null);
}

/** A series of picks or reverts between two of its commits. */
function readSequence(gitdir: BytePath): Operation | undefined {
  const todo = readBytesAsText(`${gitdir}/sequencer/todo`);
  if (todo === undefined) return undefined;
  return /^\s*(?:revert)\s/m.test(todo) ? 'revert' : 'cherry-pick';
}
