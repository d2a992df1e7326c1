/**
 * What a Git directory leads to (gitrepository-layout): HEAD, the Git directories of linked worktrees
 * and of submodules. Whatever is not there is none.
 */
import { readdirSync } from 'node:fs';
import { errnoOf } from '../errors.ts';
import { displayPath, fsPath } from '../repository/byte-path.ts';
import type { BytePath } from '../repository/byte-path.ts';
import { readBytesAsText } from '../repository/read-file.ts';
import { exists, isDirectory, resolveFrom } from '../repository/repository.ts';
import type { Head } from '../status.ts';
import type { Root } from './object-roots.ts';

const OID = /^[0-9a-f]{40}(?=\s|$)/;
const MODULE_DEPTH_LIMIT = 32;

/** @param text of the file HEAD; @param roots of the repository that has the branches. */
export function headOf(text: string, roots: readonly Root[]): Head {
  const target = /^ref:\s*(\S+)\s*$/.exec(text)?.[1];
  if (target === undefined) return { ref: null, oid: OID.exec(text)?.[0] ?? null };
  const oid = roots.find(({ ref }) => ref === target)?.oid ?? null;
  return { ref: displayPath(target), oid };
}

/** Those of `git worktree add`; also of worktrees that are gone. */
export function listLinkedGitdirs(commondir: BytePath): BytePath[] {
  return subdirectories(`${commondir}/worktrees`).filter((path) => exists(`${path}/HEAD`));
}

/** The directory of a linked worktree, by what its Git directory says; undefined when it is gone. */
export function worktreeOfLinked(gitdir: BytePath): BytePath | undefined {
  const text = readBytesAsText(`${gitdir}/gitdir`)?.replace(/[\r\n]+$/, '');
  if (text === undefined || !text.endsWith('/.git')) return undefined;
  const worktree = resolveFrom(gitdir, text.slice(0, -'/.git'.length));
  return isDirectory(worktree) ? worktree : undefined;
}

/** Of submodules, whether checked out or not; a name may have slashes. */
export function listModuleGitdirs(gitdir: BytePath): BytePath[] {
  const found: BytePath[] = [];
  const look = (directory: BytePath, depth: number): void => {
    if (depth > MODULE_DEPTH_LIMIT) return;
    for (const path of subdirectories(directory)) {
      if (exists(`${path}/HEAD`) && isDirectory(`${path}/objects`)) found.push(path);
      else look(path, depth + 1);
    }
  };
  look(`${gitdir}/modules`, 0);
  return found;
}

/** Commits at which history was cut (`git clone --depth`). */
export function readShallow(commondir: BytePath): ReadonlySet<string> {
  const text = readBytesAsText(`${commondir}/shallow`) ?? '';
  return new Set(text.split('\n').filter((line) => line !== ''));
}

function subdirectories(directory: BytePath): BytePath[] {
  try {
    return readdirSync(fsPath(directory), { encoding: 'latin1', withFileTypes: true })
      .filter((entry) => entry.isDirectory())
      .map(({ name }) => `${directory}/${name}`)
      .sort();
  } catch (error) {
    if (['ENOENT', 'ENOTDIR'].includes(errnoOf(error) ?? '')) return [];
    throw error;
  }
}
