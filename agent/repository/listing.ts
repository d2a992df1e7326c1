/** A directory in, its entries out in the order of their bytes; one that is not there is an answer. */
import { lstatSync, readdirSync } from 'node:fs';
import type { Dirent } from 'node:fs';
import { errnoOf } from '../errors.ts';
import { fsPath } from './byte-path.ts';
import type { BytePath } from './byte-path.ts';
import { statOrUndefined } from './repository.ts';

/** @returns undefined when it is gone. Errors of the file system pass through. */
export function listDirectory(path: BytePath): readonly Dirent[] | undefined {
  let entries: Dirent[];
  try {
    entries = readdirSync(fsPath(path), { encoding: 'latin1', withFileTypes: true });
  } catch (error) {
    if (['ENOENT', 'ENOTDIR', 'ELOOP'].includes(errnoOf(error) ?? '')) return undefined;
    throw error;
  }
  // libuv sorts what it lists; nothing promises it.
  const isSorted = entries.every(({ name }, at) => at === 0 || entries[at - 1]!.name < name);
  return isSorted ? entries : entries.sort((a, b) => (a.name < b.name ? -1 : 1));
}

/** A link to one is none. */
export function isRealDirectory(path: BytePath): boolean {
  const look = () => lstatSync(fsPath(path), { throwIfNoEntry: false });
  return statOrUndefined(look)?.isDirectory() ?? false;
}
