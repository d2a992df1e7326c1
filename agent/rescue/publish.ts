/**
 * A whole stage in; the mount with all of it in place out. Every step is a rename or a removal that
 * may be done again: a run that was ended in the middle is finished by the next one, which stages
 * everything anew. Nothing is written through a link, and nothing is removed that was not the clone's.
 */
import {
  chmodSync,
  mkdirSync,
  readdirSync,
  renameSync,
  rmdirSync,
  rmSync,
  unlinkSync,
} from 'node:fs';
import { AgentError, errnoOf } from '../errors.ts';
import { displayPath, fsPath } from '../repository/byte-path.ts';
import type { BytePath } from '../repository/byte-path.ts';
import { kindAt } from './kind-at.ts';
import { gitdirPartOf } from './gitdir-rules.ts';

/** State that comes as a directory: what the rescue has not in it goes. */
const WHOLE = /^(?:refs|logs|rebase-merge|rebase-apply|sequencer|rr-cache|[A-Z][A-Z0-9_]*)$/;

/** Removes files of the clone, and the directories that they leave, or have left before, empty. */
export function removeFiles(worktree: BytePath, paths: readonly BytePath[]): void {
  for (const path of paths) {
    const place = `${worktree}/${path}`;
    if (!isBelowDirectories(worktree, path)) continue;
    const kind = kindAt(place);
    if (kind === 'directory') removeEmpty(place);
    else if (kind !== 'nothing') unlinkSync(fsPath(place));
    for (let end = path.lastIndexOf('/'); end > 0; end = path.lastIndexOf('/', end - 1)) {
      if (!removeEmpty(`${worktree}/${path.slice(0, end)}`)) break;
    }
  }
}

/** Of files of the clone that stay. */
export function setModes(
  worktree: BytePath,
  modes: readonly (readonly [path: BytePath, mode: number])[],
): void {
  for (const [path, mode] of modes) {
    const place = `${worktree}/${path}`;
    if (isBelowDirectories(worktree, path) && kindAt(place) === 'file') {
      chmodSync(fsPath(place), mode);
    }
  }
}

/** The way to a path leads through directories only, as far as it is there. */
export function isBelowDirectories(root: BytePath, path: BytePath): boolean {
  for (let end = path.indexOf('/'); end !== -1; end = path.indexOf('/', end + 1)) {
    const kind = kindAt(`${root}/${path.slice(0, end)}`);
    if (kind === 'nothing') return true;
    if (kind !== 'directory') return false;
  }
  return true;
}

/** Moves everything in `source` to its place in `target`, which is a directory. */
export function mergeInto(source: BytePath, target: BytePath): void {
  for (const { name, isDirectory } of list(source)) {
    const [from, to] = [`${source}/${name}`, `${target}/${name}`];
    const there = kindAt(to);
    if (isDirectory && there === 'directory') {
      mergeInto(from, to);
      continue;
    }
    if (!isDirectory && there === 'directory' && !removeEmpty(to)) throw inTheWay(to);
    if (isDirectory && there !== 'nothing' && there !== 'directory') unlinkSync(fsPath(to));
    renameSync(fsPath(from), fsPath(to));
  }
}

/** As mergeInto(), and what `target` has beyond it goes. */
function replaceWith(source: BytePath, target: BytePath): void {
  const names = new Map(list(source).map(({ name, isDirectory }) => [name, isDirectory]));
  for (const { name, isDirectory } of list(target)) {
    const wanted = names.get(name);
    if (wanted === isDirectory) continue;
    rmSync(fsPath(`${target}/${name}`), { recursive: true, force: true });
  }
  for (const [name, isDirectory] of names) {
    const [from, to] = [`${source}/${name}`, `${target}/${name}`];
    if (isDirectory && kindAt(to) === 'directory') replaceWith(from, to);
    else renameSync(fsPath(from), fsPath(to));
  }
}

/** The state of the mount's Git directory: what the rescue has, and nothing else of that kind. */
export function publishGitdir(source: BytePath, gitdir: BytePath): void {
  const staged = new Set(list(source).map(({ name }) => name));
  for (const { name, isDirectory } of list(gitdir)) {
    if (staged.has(name)) continue;
    const isState = isDirectory ? WHOLE.test(name) : gitdirPartOf(name) === 'state';
    if (isState) rmSync(fsPath(`${gitdir}/${name}`), { recursive: true, force: true });
  }
  removeInfo(source, gitdir);
  // The index says which files were the clone's, until they are gone: it comes last.
  const names = list(source).sort(
    (a, b) => Number(a.name === 'index') - Number(b.name === 'index'),
  );
  for (const { name, isDirectory } of names) {
    const [from, to] = [`${source}/${name}`, `${gitdir}/${name}`];
    if (!isDirectory || kindAt(to) !== 'directory') renameSync(fsPath(from), fsPath(to));
    else if (WHOLE.test(name)) replaceWith(from, to);
    else mergeInto(from, to);
  }
}

/** `info` holds state beside what is the clone's own. */
function removeInfo(source: BytePath, gitdir: BytePath): void {
  for (const { name } of list(`${gitdir}/info`)) {
    const path = `info/${name}`;
    if (gitdirPartOf(path) !== 'state' || kindAt(`${source}/${path}`) !== 'nothing') continue;
    unlinkSync(fsPath(`${gitdir}/${path}`));
  }
}

/** Packs and their idx: the idx last, because a pack without one does not exist for git. */
export function publishPacks(source: BytePath, target: BytePath): void {
  const names = list(source).map(({ name }) => name);
  const last = (name: string): number => (name.endsWith('.idx') ? 1 : 0);
  mkdirSync(fsPath(target), { recursive: true });
  for (const name of names.sort((a, b) => last(a) - last(b))) {
    renameSync(fsPath(`${source}/${name}`), fsPath(`${target}/${name}`));
  }
}

/** Entries of a directory, none when there is none. */
export function list(directory: BytePath): { name: BytePath; isDirectory: boolean }[] {
  try {
    return readdirSync(fsPath(directory), { encoding: 'latin1', withFileTypes: true }).map(
      (entry) => ({ name: entry.name, isDirectory: entry.isDirectory() }),
    );
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return [];
    throw error;
  }
}

/** @returns whether there is no such directory any more. */
function removeEmpty(directory: BytePath): boolean {
  try {
    rmdirSync(fsPath(directory));
    return true;
  } catch (error) {
    const errno = errnoOf(error) ?? '';
    if (errno === 'ENOENT') return true;
    if (['ENOTEMPTY', 'EEXIST', 'EBUSY'].includes(errno)) return false;
    throw error;
  }
}

export function inTheWay(path: BytePath): AgentError {
  const message = `${displayPath(path)} is in the way: git ignores it, and it is not the clone's`;
  return new AgentError('RESCUE_TARGET_HAS_WORK', message);
}
