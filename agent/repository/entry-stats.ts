/**
 * One entry of the index against its file's stat data (racy-git, read-cache.c): changed, unchanged,
 * or not to be told without the content.
 */
import { EMPTY_BLOB_OID } from '../checkout/well-known-objects.ts';
import type { Stats } from 'node:fs';
import { MODE } from '../checkout/index-entry.ts';
import type { GitConfig } from './git-config-reader.ts';
import type { TrackedIndex } from './tracked-index.ts';

/** What the file system can be trusted to keep. */
export interface TypeTrust {
  readonly mode: boolean;
  readonly links: boolean;
}

export function trustOf(config: GitConfig): TypeTrust {
  return {
    mode: config.bool('core.filemode') !== false,
    links: config.bool('core.symlinks') !== false,
  };
}

/** An entry without its file: conflicts count as such, a sparse index's directories are not checked out. */
export function isDeleted(index: TrackedIndex, position: number): boolean {
  if (index.stage(position) !== 0 || index.mode(position) === MODE.directory) return false;
  return index.isIntentToAdd(position) || !index.isSkipWorktree(position);
}

/** @returns undefined when the content has to tell. */
export function isChangedByStats(
  index: TrackedIndex,
  position: number,
  stats: Stats,
  trust: TypeTrust,
): boolean | undefined {
  const mode = index.mode(position);
  if (mode === MODE.gitlink) return !stats.isDirectory();
  if (isOtherType(mode, stats, trust)) return true;
  if (isUntouched(index, position, stats)) return false;
  // Git looks no further either when the size is another, unless it never knew the size.
  const size = index.size(position);
  return size !== 0 && size !== stats.size % 2 ** 32 ? true : undefined;
}

function isOtherType(mode: number, stats: Stats, trust: TypeTrust): boolean {
  if (mode === MODE.symlink) return !stats.isSymbolicLink() && (trust.links || !stats.isFile());
  if (!stats.isFile()) return true;
  return trust.mode && ((mode ^ stats.mode) & 0o100) !== 0;
}

function isUntouched(index: TrackedIndex, position: number, stats: Stats): boolean {
  if (!index.hasStats(position, stats)) return false;
  // Git writes size 0 for what it could not be sure of.
  if (stats.size === 0 && index.oid(position) !== EMPTY_BLOB_OID) return false;
  return stats.mtimeMs < index.mtimeMs;
}
