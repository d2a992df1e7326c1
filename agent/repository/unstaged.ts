/**
 * The index against the worktree: the paths that `git status` lists with a Y. Stat data decides
 * where it can (racy-git); content decides where it cannot. Files that Git was told not to look at
 * (assume-unchanged, skip-worktree) are looked at all the same: their changes would be lost too.
 */
import { EMPTY_BLOB_OID } from '../checkout/well-known-objects.ts';
import { lstatSync } from 'node:fs';
import type { Stats } from 'node:fs';
import { MODE } from '../checkout/index-entry.ts';
import type { IndexEntry } from '../checkout/index-entry.ts';
import { errnoOf } from '../errors.ts';
import { fsPath } from './byte-path.ts';
import type { BytePath } from './byte-path.ts';
import type { FileContent } from './file-content.ts';
import type { Pace } from './pace.ts';
import { statOrUndefined } from './repository.ts';
import type { Repository } from './repository.ts';
import type { Tracked } from './tracked.ts';

/** Vanished or turned into something else between two looks: that is a change. */
const RACED = new Set(['ENOENT', 'ENOTDIR', 'ELOOP', 'ENXIO', 'EINVAL', 'EISDIR']);

export interface UnstagedContext {
  readonly repository: Repository;
  readonly tracked: Tracked;
  readonly content: FileContent;
  readonly pace: Pace;
  readonly onPath: (path: BytePath) => void;
  readonly onChangedAt: (ctimeMs: number) => void;
  /** Whether the submodule differs from the commit that the index names, or holds work itself. */
  readonly isSubmoduleChanged: (path: BytePath, commitOid: string) => Promise<boolean>;
}

export async function findUnstaged(context: UnstagedContext): Promise<void> {
  const { tracked, pace, onPath } = context;
  const look = new WorktreeLook(context);
  for (const [position, entry] of tracked.entries.entries()) {
    const path = tracked.paths[position];
    if (path === undefined) break;
    const changed = look.quickly(entry, path) ?? (await look.thoroughly(entry, path));
    if (changed) onPath(path);
    if (pace.due) await pace.rest();
  }
}

class WorktreeLook {
  readonly #context: UnstagedContext;
  readonly #trustMode: boolean;
  readonly #trustLinks: boolean;
  /** Directory with its slash → whether it is one, and no link to one. */
  readonly #directories = new Map<BytePath, boolean>([['', true]]);

  constructor(context: UnstagedContext) {
    this.#context = context;
    const { config } = context.repository;
    this.#trustMode = config.bool('core.filemode') !== false;
    this.#trustLinks = config.bool('core.symlinks') !== false;
  }

  /** By stat data alone; undefined when it does not decide. */
  quickly(entry: IndexEntry, path: BytePath): boolean | undefined {
    const { mode } = entry;
    // Conflicts are counted as such; a sparse index's directories are not checked out.
    if (entry.stage !== 0 || mode === MODE.directory) return false;
    if (entry.intentToAdd) return true;
    const stats = this.#lstat(path);
    if (stats === undefined) return !entry.skipWorktree;
    this.#context.onChangedAt(stats.ctimeMs);
    if (mode === MODE.gitlink) return stats.isDirectory() ? undefined : true;
    if (this.#isOtherType(mode, stats)) return true;
    if (this.#statsMatch(entry, stats)) return false;
    // Git looks no further either when the size is another, unless it never knew the size.
    return entry.size !== 0 && entry.size !== stats.size % 2 ** 32 ? true : undefined;
  }

  async thoroughly(entry: IndexEntry, path: BytePath): Promise<boolean> {
    const { content, isSubmoduleChanged } = this.#context;
    if (entry.mode === MODE.gitlink) return isSubmoduleChanged(path, entry.oid);
    const stats = this.#lstat(path);
    if (stats === undefined) return true;
    try {
      return !(await content.isBlob(path, stats, entry.oid));
    } catch (error) {
      if (RACED.has(errnoOf(error) ?? '')) return true;
      throw error;
    }
  }

  #isOtherType(mode: number, stats: Stats): boolean {
    if (mode === MODE.symlink) {
      return !stats.isSymbolicLink() && (this.#trustLinks || !stats.isFile());
    }
    if (!stats.isFile()) return true;
    return this.#trustMode && ((mode ^ stats.mode) & 0o100) !== 0;
  }

  /** Times as node:fs computes them, so that equal times are equal numbers. */
  #statsMatch(entry: IndexEntry, stats: Stats): boolean {
    const { mtimeSec, mtimeNsec, size } = entry;
    if (mtimeSec * 1e3 + mtimeNsec / 1e6 !== stats.mtimeMs) return false;
    if (entry.ctimeSec * 1e3 + entry.ctimeNsec / 1e6 !== stats.ctimeMs) return false;
    if (size !== stats.size % 2 ** 32 || entry.ino !== stats.ino % 2 ** 32) return false;
    // Git writes size 0 for what it could not be sure of.
    if (size === 0 && entry.oid !== EMPTY_BLOB_OID) return false;
    const { tracked } = this.#context;
    return (
      mtimeSec < tracked.mtimeSec ||
      (mtimeSec === tracked.mtimeSec && mtimeNsec < tracked.mtimeNsec)
    );
  }

  /** undefined when there is nothing, or when the way there leads through a link. */
  #lstat(path: BytePath): Stats | undefined {
    if (!this.#isDirectory(path.slice(0, path.lastIndexOf('/') + 1))) return undefined;
    const place = fsPath(`${this.#context.repository.worktree}/${path}`);
    return statOrUndefined(() => lstatSync(place, { throwIfNoEntry: false }));
  }

  #isDirectory(prefix: BytePath): boolean {
    const known = this.#directories.get(prefix);
    if (known !== undefined) return known;
    const stats = this.#lstat(prefix.slice(0, -1));
    const is = stats?.isDirectory() ?? false;
    this.#directories.set(prefix, is);
    return is;
  }
}
