/**
 * A clone against what it must be, by real git: the commit, every ref, the number of objects and of
 * files, a clean status. So all contestants are known to have done the same work.
 */
import { git } from '../fixtures/cache.ts';
import { REF_FORMAT } from './subjects.ts';
import type { Subject } from './subjects.ts';

/** @returns what is wrong, or null. */
export async function verify(subject: Subject, worktree: string): Promise<string | null> {
  const headOid = await git(['rev-parse', 'HEAD'], worktree);
  if (headOid !== subject.headOid) return `HEAD is ${headOid}, not ${subject.headOid}`;
  const staged = await git(['ls-files', '--stage', '-z'], worktree);
  const files = staged.split('\0').filter((entry) => entry !== '' && !entry.startsWith('160000'));
  if (files.length !== subject.files) return `${files.length} files, not ${subject.files}`;
  const counts = await git(['count-objects', '-v'], worktree);
  const objects = [...counts.matchAll(/^(?:count|in-pack): (\d+)/gm)].map(([, count]) =>
    Number(count),
  );
  const total = objects.reduce((sum, count) => sum + count, 0);
  if (total !== subject.objects) return `${total} objects, not ${subject.objects}`;
  const listed = await git(['for-each-ref', REF_FORMAT, 'refs/remotes', 'refs/tags'], worktree);
  const refs = listed.split('\n').filter((ref) => !ref.endsWith(' refs/remotes/origin/HEAD'));
  if (refs.toSorted().join('\n') !== subject.refs.join('\n')) {
    return `${refs.length} refs that are not the host's ${subject.refs.length}`;
  }
  const status = await git(['--no-optional-locks', 'status', '--porcelain=v2'], worktree);
  return status === '' ? null : `git status shows ${status.split('\n').length} changes`;
}
