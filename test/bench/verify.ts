/**
 * A clone against what it must be, by real git: the commit, the number of files, a clean status.
 */
import { git } from '../fixtures/cache.ts';
import type { Subject } from './subjects.ts';

/** @returns what is wrong, or null. */
export async function verify(subject: Subject, worktree: string): Promise<string | null> {
  const headOid = await git(['rev-parse', 'HEAD'], worktree);
  if (headOid !== subject.headOid) return `HEAD is ${headOid}, not ${subject.headOid}`;
  const staged = await git(['ls-files', '--stage', '-z'], worktree);
  const files = staged.split('\0').filter((entry) => entry !== '' && !entry.startsWith('160000'));
  if (files.length !== subject.files) return `${files.length} files, not ${subject.files}`;
  const status = await git(['--no-optional-locks', 'status', '--porcelain=v2'], worktree);
  return status === '' ? null : `git status shows ${status.split('\n').length} changes`;
}
