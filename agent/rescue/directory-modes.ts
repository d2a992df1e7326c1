/**
 * Permissions of directories, which git does not keep. In: the lists of a rescue, by repository, and
 * where each worktree goes; out: directories of the restored mount with the permissions that they had.
 * They come last, innermost first: a directory that may not be written in or passed is filled by then.
 */
import { chmodSync } from 'node:fs';
import { MODE } from '../checkout/index-entry.ts';
import { fsPath } from '../repository/byte-path.ts';
import type { BytePath } from '../repository/byte-path.ts';
import { kindAt } from './kind-at.ts';
import { checkWorktreePath, joinPath } from './path-rules.ts';
import { isBelowDirectories } from './publish.ts';
import type { RepositoryPlan } from './repository-places.ts';

export interface DirectoryMode {
  /** A directory, and a path below it that leads through no link. */
  readonly root: BytePath;
  readonly path: BytePath;
  readonly mode: number;
}

const OWNER_MAY = 0o700;

/** @param modes by repository; the paths of directories end in a slash. @throws RESCUE_PATH_REFUSED. */
export function directoryModes(
  mount: BytePath,
  repositories: readonly RepositoryPlan[],
  modes: ReadonlyMap<number, ReadonlyMap<BytePath, number>>,
): DirectoryMode[] {
  const found: DirectoryMode[] = [];
  for (const { record, worktree } of repositories) {
    if (worktree === null) continue;
    for (const [path, mode] of modes.get(record.number) ?? []) {
      if (!path.endsWith('/')) continue;
      const directory = path.slice(0, -1);
      checkWorktreePath(directory, MODE.directory);
      const isOutside = worktree.startsWith('/');
      found.push({
        root: isOutside ? worktree : mount,
        path: isOutside ? directory : joinPath(worktree, directory),
        mode,
      });
    }
  }
  return found.sort((a, b) => depthOf(b.path) - depthOf(a.path));
}

/** A restore that was ended after closeDirectories() and begins anew has to get into them again. */
export function openDirectories(directories: readonly DirectoryMode[]): void {
  for (const { root, path, mode } of [...directories].reverse()) {
    setMode(root, path, mode | OWNER_MAY);
  }
}

/** Gives them the permissions that they had. */
export function closeDirectories(directories: readonly DirectoryMode[]): void {
  for (const { root, path, mode } of directories) setMode(root, path, mode);
}

function setMode(root: BytePath, path: BytePath, mode: number): void {
  if (!isBelowDirectories(root, path) || kindAt(`${root}/${path}`) !== 'directory') return;
  chmodSync(fsPath(`${root}/${path}`), mode);
}

function depthOf(path: BytePath): number {
  return path.split('/').length;
}
