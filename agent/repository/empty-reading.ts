/** The reading of a directory in which nothing is: what each one starts from. */
import type { BytePath } from './byte-path.ts';
import type { DirectoryReading } from './directory-reading.ts';
import type { IgnoreRules } from './ignore-rules.ts';

/** Shared by all that have none: a worktree has thousands of directories, and most have nothing to tell. */
export const NOTHING: ReadonlySet<BytePath> = new Set();
export const NONE: readonly BytePath[] = [];

export function emptyReading(
  hidden: boolean,
  rules: IgnoreRules | undefined,
): { -readonly [K in keyof DirectoryReading]: DirectoryReading[K] } {
  return {
    present: true,
    hidden,
    rules,
    unstaged: NOTHING,
    untracked: NOTHING,
    untrackedBytes: 0,
    nested: NONE,
    ignoredFiles: 0,
    ignoredBytes: 0,
    ignoredDirectories: NONE,
    children: NONE,
    hiddenChildren: NONE,
    missingChildren: NONE,
    unfinishedGit: false,
    changedAtMs: 0,
  };
}
