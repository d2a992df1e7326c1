/**
 * A tree in; the worktree's files and the index out, with the stat data that git will find, so that
 * `git status` believes it at once. The worktree is a fresh directory of ours: each name is created,
 * none is opened or followed, and no symlink exists before the last file is closed.
 */
import { join } from 'node:path';
import { readAttributes } from './attribute-files.ts';
import type { BlobSource } from './blob-source.ts';
import { MODE } from './index-entry.ts';
import type { IndexEntry } from './index-entry.ts';
import { writeIndex } from './index-writer.ts';
import { Pace } from './pace.ts';
import { planCheckout } from './plan.ts';
import type { Plan } from './plan.ts';
import { worktreeError, WorktreeWriter } from './worktree-writer.ts';

export interface CheckoutContext {
  readonly store: BlobSource;
  /** Absolute; exists, and holds nothing but perhaps the gitdir as `.git`. */
  readonly worktree: string;
  readonly gitdir: string;
  /** null for an unborn branch: nothing is written then, no index either, as git does. */
  readonly treeOid: string | null;
  /** Called about every 100 ms and at the end. Must not throw. */
  readonly onProgress?: (files: number, totalFiles: number) => void;
  readonly signal?: AbortSignal;
  /** Most files and directories; 5 million unless told. */
  readonly limitEntries?: number;
}

export interface CheckoutOutcome {
  /** Regular files and symlinks. */
  readonly files: number;
  /** Of their contents. */
  readonly bytes: number;
  /** Files that Git LFS would replace: they are left as the pointers that they are. */
  readonly lfsPointers: number;
  /** Submodules: empty directories. */
  readonly gitlinks: number;
}

const DEFAULT_LIMIT_ENTRIES = 5_000_000;
const PROGRESS_MS = 100;
const SLASH = 0x2f;

/**
 * Throws the codes of planCheckout and WorktreeWriter, or the signal's reason. What was written
 * until then stays; the index is written last, so that its absence marks an unfinished worktree.
 */
export async function checkOut(context: CheckoutContext): Promise<CheckoutOutcome> {
  const { store, worktree, gitdir, treeOid, signal } = context;
  if (treeOid === null) return { files: 0, bytes: 0, lfsPointers: 0, gitlinks: 0 };
  const pace = new Pace(signal);
  const limits = {
    limitEntries: context.limitEntries ?? DEFAULT_LIMIT_ENTRIES,
    worktreeBytes: Buffer.byteLength(worktree) + 1,
  };
  const plan = await planCheckout(store, treeOid, limits, pace);
  const writer = new WorktreeWriter(store, worktree, readAttributes(store, plan.entries));
  const tally = await writeFiles(writer, plan, pace, context.onProgress);
  const gitlinks = plan.entries.filter((entry) => entry.mode === MODE.gitlink);
  for (const entry of gitlinks) writer.makeGitlink(entry);
  writeIndexFile(gitdir, plan);
  return { ...tally, gitlinks: gitlinks.length };
}

/**
 * All directories and regular files, then all symlinks: nothing is ever written through one. A
 * directory is made right before what is in it, so that the disk keeps them together: 50,000 files
 * in 5,000 directories took 1.7 to 2.5 s on ext4, and 2.3 to 3.5 s with all directories first.
 */
async function writeFiles(
  writer: WorktreeWriter,
  { entries, directories }: Plan,
  pace: Pace,
  onProgress: CheckoutContext['onProgress'],
): Promise<Omit<CheckoutOutcome, 'gitlinks'>> {
  const symlinks = entries.filter((entry) => entry.mode === MODE.symlink);
  const regulars = entries.filter(({ mode }) => mode === MODE.regular || mode === MODE.executable);
  const totalFiles = regulars.length + symlinks.length;
  const tally = { files: 0, bytes: 0, lfsPointers: 0 };
  let reportAt = performance.now() + PROGRESS_MS;
  let made = 0;
  const makeDirectories = (entry: IndexEntry | null): void => {
    for (let next = directories[made]; next !== undefined; next = directories[++made]) {
      if (entry !== null && !precedes(next, entry.path)) return;
      writer.makeDirectory(next);
    }
  };
  for (const entry of [...regulars, ...symlinks]) {
    const isSymlink = entry.mode === MODE.symlink;
    makeDirectories(isSymlink ? null : entry);
    const written = isSymlink ? writer.makeSymlink(entry) : writer.writeFile(entry);
    tally.files++;
    tally.bytes += written.bytes;
    if (written.lfsPointer) tally.lfsPointers++;
    if (!pace.due) continue;
    if (performance.now() >= reportAt) {
      onProgress?.(tally.files, totalFiles);
      reportAt = performance.now() + PROGRESS_MS;
    }
    await pace.turn();
  }
  makeDirectories(null);
  onProgress?.(tally.files, totalFiles);
  return tally;
}

/** Both lists are in the index's order, in which a directory counts with a slash at its end. */
function precedes(directory: Buffer, path: Buffer): boolean {
  const shared = Math.min(directory.length, path.length);
  const order = directory.compare(path, 0, shared, 0, shared);
  if (order !== 0) return order < 0;
  return path.length > directory.length && SLASH <= path[directory.length]!;
}

function writeIndexFile(gitdir: string, { entries, cacheTree }: Plan): void {
  const path = join(gitdir, 'index');
  try {
    writeIndex(path, entries, cacheTree);
  } catch (error) {
    throw worktreeError(error, Buffer.from(path));
  }
}
