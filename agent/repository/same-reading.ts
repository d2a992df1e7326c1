/** Two readings of one directory in; out, whether they say the same: then the older one is kept. */
import type { BytePath } from './byte-path.ts';
import type { DirectoryReading } from './directory-reading.ts';

export function isSameReading(a: DirectoryReading, b: DirectoryReading): boolean {
  return (
    a.present === b.present &&
    a.hidden === b.hidden &&
    a.rules === b.rules &&
    a.changedAtMs === b.changedAtMs &&
    a.untrackedBytes === b.untrackedBytes &&
    a.ignoredFiles === b.ignoredFiles &&
    a.ignoredBytes === b.ignoredBytes &&
    a.unfinishedGit === b.unfinishedGit &&
    isSameList([...a.unstaged], [...b.unstaged]) &&
    isSameList([...a.untracked], [...b.untracked]) &&
    isSameList(a.nested, b.nested) &&
    isSameList(a.ignoredDirectories, b.ignoredDirectories) &&
    isSameList(a.children, b.children) &&
    isSameList(a.hiddenChildren, b.hiddenChildren) &&
    isSameList(a.missingChildren, b.missingChildren)
  );
}

function isSameList(a: readonly BytePath[], b: readonly BytePath[]): boolean {
  return a.length === b.length && a.every((name, at) => name === b[at]);
}
