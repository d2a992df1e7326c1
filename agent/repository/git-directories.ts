/**
 * The directories inside a Git directory in which something happens when commits, refs, the index
 * or an operation change: all but the objects. For a watcher.
 */
import { readdirSync } from 'node:fs';
import { errnoOf } from '../errors.ts';
import { fsPath } from './byte-path.ts';
import type { BytePath } from './byte-path.ts';
import { isDirectory } from './repository.ts';

/** Below these everything counts; of the rest of the Git directory, its own entries. */
const DEEP = ['refs', 'logs/refs', 'worktrees', 'rebase-merge', 'rebase-apply', 'sequencer'];

export function listGitDirectories(gitdir: BytePath): BytePath[] {
  const found = [gitdir, `${gitdir}/info`, `${gitdir}/logs`].filter(isDirectory);
  for (const name of DEEP) collect(`${gitdir}/${name}`, found);
  return found;
}

function collect(directory: BytePath, found: BytePath[]): void {
  let entries;
  try {
    entries = readdirSync(fsPath(directory), { encoding: 'latin1', withFileTypes: true });
  } catch (error) {
    if (['ENOENT', 'ENOTDIR', 'EACCES'].includes(errnoOf(error) ?? '')) return;
    throw error;
  }
  found.push(directory);
  for (const entry of entries) {
    if (entry.isDirectory()) collect(`${directory}/${entry.name}`, found);
  }
}
