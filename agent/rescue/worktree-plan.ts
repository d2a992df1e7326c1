/**
 * A worktree in; out: each path whose bytes have to be kept because a checkout of HEAD would not write
 * them, each path that such a checkout would write and that is not there, and the repositories inside.
 */
import { lstatSync } from 'node:fs';
import { Attributes } from '../checkout/attributes.ts';
import { MODE } from '../checkout/index-entry.ts';
import type { IndexEntry } from '../checkout/index-entry.ts';
import type { ObjectStore } from '../pack/object-store.ts';
import { fsPath } from '../repository/byte-path.ts';
import type { BytePath } from '../repository/byte-path.ts';
import { FileContent } from '../repository/file-content.ts';
import type { Pace } from '../repository/pace.ts';
import { findGitdir, statOrUndefined } from '../repository/repository.ts';
import type { Repository } from '../repository/repository.ts';
import { findStaged } from '../repository/staged.ts';
import type { Tracked } from '../repository/tracked.ts';
import { findUnstaged } from '../repository/unstaged.ts';
import { RawDifferences } from './raw-differences.ts';
import { attributesOf } from './tree-attributes.ts';
import { walkWorktree } from './worktree-walk.ts';

export interface PlanContext {
  readonly repository: Repository;
  readonly store: ObjectStore;
  readonly tracked: Tracked;
  /** null while there is no commit. */
  readonly headTree: string | null;
  readonly includeIgnored: boolean;
  readonly pace: Pace;
}

export interface WorktreePlan {
  /** Files and symlinks; whether Git knows them. */
  readonly files: ReadonlyMap<BytePath, 'changed' | 'untracked'>;
  readonly emptyDirectories: readonly BytePath[];
  /** With a slash at the end: with all below it. */
  readonly deleted: readonly BytePath[];
  /** Permission bits of files that need not be kept, and of directories (with a slash at the end),
   * where a checkout would give others. */
  readonly modes: ReadonlyMap<BytePath, number>;
  /** The `.gitattributes` files of the index: their directory (empty, or with a slash) → oid. */
  readonly attributeFiles: ReadonlyMap<BytePath, string>;
  readonly conflicts: number;
  /** Directories with a repository of their own, submodules among them. */
  readonly repositories: ReadonlySet<BytePath>;
  /** Paths at which index and HEAD differ. */
  readonly staged: ReadonlySet<BytePath>;
  readonly leftOut: readonly string[];
}

const ATTRIBUTES = /(^|\/)\.gitattributes$/;

/** What a checkout gives, under the umask that all have. */
const DIRECTORY_MODE = 0o755;

export async function planWorktree(context: PlanContext): Promise<WorktreePlan> {
  const { repository, store, tracked, headTree, pace } = context;
  const staged = new Set<BytePath>();
  const onStaged = (path: BytePath): void => void staged.add(path);
  await findStaged({ objects: store, tracked, pace, onPath: onStaged }, headTree);
  const changed = new Set([...staged, ...tracked.conflicts]);
  await findUnstaged({
    repository,
    tracked,
    content: new FileContent(repository, tracked, store, new Map(), pace),
    pace,
    onPath: (path) => void changed.add(path),
    onChangedAt: () => undefined,
    isSubmoduleChanged: () => Promise.resolve(false),
  });
  const repositories = new Set<BytePath>();
  const { deleted, modes } = await addUnseen(context, changed, repositories);
  const files = new Map<BytePath, 'changed' | 'untracked'>();
  for (const path of changed) {
    const kind = look(repository.worktree, path);
    if (kind === 'file') files.set(path, 'changed');
    // What is in a directory in its place is told beside it.
    else if (!repositories.has(path)) deleted.push(path);
    if (pace.due) await pace.rest();
  }
  const untracked = await untrackedPlan(context, tracked.paths, files, repositories);
  return {
    ...untracked,
    deleted,
    // Of directories innermost first: whoever sets them one by one can get at each.
    modes: new Map([...modes, ...[...untracked.modes].reverse()]),
    attributeFiles: attributeFilesOf(tracked),
    staged,
    conflicts: tracked.conflicts.size,
  };
}

/** Where the index or HEAD cannot be read: all that there is. */
export function planEverything(repository: Repository, pace: Pace): Promise<WorktreePlan> {
  const context = { repository, includeIgnored: true, pace };
  return untrackedPlan(context, [], new Map(), new Set());
}

interface Unseen {
  /** What is not there though a checkout would write it. */
  readonly deleted: BytePath[];
  readonly modes: ReadonlyMap<BytePath, number>;
}

/** What findUnstaged passes over. */
async function addUnseen(
  { repository, store, tracked, headTree, pace }: PlanContext,
  changed: Set<BytePath>,
  repositories: Set<BytePath>,
): Promise<Unseen> {
  const deleted: BytePath[] = [];
  const modes = new Map<BytePath, number>();
  const named = [...tracked.paths, ...changed].some((path) => path.endsWith('.gitattributes'));
  const ofHead = named ? await attributesOf(headTree, store, pace) : new Attributes();
  const raw = new RawDifferences(repository, store, tracked, ofHead);
  for (const [position, entry] of tracked.entries.entries()) {
    const path = tracked.paths[position] ?? '';
    if (pace.due) await pace.rest();
    if (entry.mode === MODE.gitlink && isRepository(repository.worktree, path)) {
      repositories.add(path);
    }
    if (changed.has(path)) continue;
    // Of a sparse checkout: a whole directory, or a file.
    if (entry.mode === MODE.directory) deleted.push(path);
    else if (entry.skipWorktree && look(repository.worktree, path) !== 'file') deleted.push(path);
    else if (raw.possible && raw.has(path, entry)) changed.add(path);
    else addMode(modes, repository.worktree, path, entry);
  }
  return { deleted, modes };
}

async function untrackedPlan(
  { repository, includeIgnored, pace }: Pick<PlanContext, 'repository' | 'includeIgnored' | 'pace'>,
  paths: readonly BytePath[],
  files: Map<BytePath, 'changed' | 'untracked'>,
  repositories: Set<BytePath>,
): Promise<WorktreePlan> {
  const emptyDirectories: BytePath[] = [];
  const leftOut: string[] = [];
  const modes = new Map<BytePath, number>();
  await walkWorktree({
    repository,
    tracked: new Set(paths),
    trackedDirectories: directoriesOf(paths),
    includeIgnored,
    pace,
    onFile: (path) => {
      if (!files.has(path)) files.set(path, 'untracked');
    },
    onEmptyDirectory: (path) => void emptyDirectories.push(path),
    onDirectory: (path) => {
      const stats = statOrUndefined(() => lstatSync(fsPath(`${repository.worktree}/${path}`)));
      const permissions = (stats?.mode ?? DIRECTORY_MODE) & 0o777;
      if (permissions !== DIRECTORY_MODE) modes.set(`${path}/`, permissions);
    },
    onRepository: (path) => void repositories.add(path),
    onLeftOut: (reason) => void leftOut.push(reason),
  });
  const rest = {
    deleted: [],
    attributeFiles: new Map<BytePath, string>(),
    conflicts: 0,
    staged: new Set<BytePath>(),
  };
  return { files, emptyDirectories, repositories, leftOut, modes, ...rest };
}

/** Git knows one bit of it; the rest is the user's all the same. */
function addMode(
  modes: Map<BytePath, number>,
  worktree: BytePath,
  path: BytePath,
  { mode }: IndexEntry,
): void {
  if (mode !== MODE.regular && mode !== MODE.executable) return;
  const stats = statOrUndefined(() => lstatSync(fsPath(`${worktree}/${path}`)));
  if (stats?.isFile() !== true) return;
  const permissions = stats.mode & 0o777;
  if (permissions !== (mode & 0o777)) modes.set(path, permissions);
}

function attributeFilesOf({ paths, entries }: Tracked): Map<BytePath, string> {
  const found = new Map<BytePath, string>();
  for (const [position, path] of paths.entries()) {
    if (!ATTRIBUTES.test(path)) continue;
    found.set(path.replace(ATTRIBUTES, '$1'), entries[position]?.oid ?? '');
  }
  return found;
}

function isRepository(worktree: BytePath, path: BytePath): boolean {
  return findGitdir(`${worktree}/${path}`) !== undefined;
}

function directoriesOf(paths: readonly BytePath[]): Set<BytePath> {
  const directories = new Set<BytePath>();
  for (const path of paths) {
    for (let at = path.lastIndexOf('/'); at > 0; at = path.lastIndexOf('/', at - 1)) {
      const directory = path.slice(0, at);
      if (directories.has(directory)) break;
      directories.add(directory);
    }
  }
  return directories;
}

/** A file or symlink that is reached without following a link. */
function look(worktree: BytePath, path: BytePath): 'file' | 'other' | undefined {
  for (let at = path.indexOf('/'); at > 0; at = path.indexOf('/', at + 1)) {
    const place = fsPath(`${worktree}/${path.slice(0, at)}`);
    const parent = statOrUndefined(() => lstatSync(place));
    if (parent?.isDirectory() !== true) return undefined;
  }
  const stats = statOrUndefined(() => lstatSync(fsPath(`${worktree}/${path}`)));
  if (stats === undefined) return undefined;
  return stats.isFile() || stats.isSymbolicLink() ? 'file' : 'other';
}
