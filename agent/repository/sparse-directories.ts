/**
 * A directory entry of a sparse index in; out, when such a directory is on disk all the same, the
 * entries that it stands for, read from its tree. So does git before it compares the two (sparse-index.c,
 * clear_skip_worktree_from_present_files); here what is not on disk below stays one entry.
 */
import {
  createEntry,
  EntryArena,
  EXTENDED_FLAG,
  FLAG,
  IndexEntry,
  MODE,
} from '../checkout/index-entry.ts';
import { canonicalMode, parseTree } from '../checkout/tree.ts';
import type { BytePath } from './byte-path.ts';
import { doubtOf } from './doubt.ts';
import { isRealDirectory } from './listing.ts';
import { readObject } from './objects.ts';
import type { ObjectSource } from './objects.ts';
import type { Repository } from './repository.ts';
import type { TrackedIndex } from './tracked-index.ts';

export interface SparseContext {
  readonly repository: Repository;
  readonly objects: ObjectSource;
  /** Why a directory cannot be expanded. */
  readonly doubts: string[];
}

const FLAGS_AT = 60;
const FIXED_BYTES = 64;
/** No component that git would have in an index. */
const UNSAFE = /^(?:\.{0,2}|\.git|.*\/.*)$/is;

/** Whether a directory is on disk that the index has as one entry. */
export function isSparseNoMore({ worktree }: Repository, index: TrackedIndex): boolean {
  return index.sparse.some((position) => isThere(worktree, index.path(position)));
}

/** @returns in the order of the index; what is not on disk, and no directory, as it is. */
export function expandSparse(context: SparseContext, entry: IndexEntry): readonly IndexEntry[] {
  if (entry.mode !== MODE.directory) return [entry];
  if (!isThere(context.repository.worktree, entry.path.toString('latin1'))) return [entry];
  try {
    return [...entriesOf(context, new EntryArena(), entry.path, entry.oid)];
  } catch (error) {
    const reason = doubtOf(error);
    if (reason === undefined) throw error;
    context.doubts.push(reason);
    return [entry];
  }
}

function* entriesOf(
  context: SparseContext,
  arena: EntryArena,
  prefix: Buffer,
  treeOid: string,
): Generator<IndexEntry> {
  for (const item of parseTree(readObject(context.objects, treeOid, 'tree'))) {
    const { name, oid } = item;
    if (UNSAFE.test(name.toString('latin1'))) continue;
    const mode = canonicalMode(item);
    if (mode !== MODE.directory) {
      yield asSkipped(createEntry(arena, mode, oid, prefix, name));
      continue;
    }
    const path = Buffer.concat([prefix, name, Buffer.from('/')]);
    if (isThere(context.repository.worktree, path.toString('latin1'))) {
      yield* entriesOf(context, arena, path, oid);
    } else {
      yield asSkipped(createEntry(arena, mode, oid, path, Buffer.alloc(0)));
    }
  }
}

/** Marked as git marks what a sparse checkout leaves out. */
function asSkipped(entry: IndexEntry): IndexEntry {
  const fixed = Buffer.alloc(FIXED_BYTES);
  entry.copyFixedTo(fixed, 0);
  fixed.writeUInt16BE(FLAG.extended, FLAGS_AT);
  fixed.writeUInt16BE(EXTENDED_FLAG.skipWorktree, FLAGS_AT + 2);
  return new IndexEntry(fixed, 0, entry.path, 0, entry.pathBytes);
}

/** @param path with a slash at the end. */
function isThere(worktree: BytePath, path: BytePath): boolean {
  return isRealDirectory(`${worktree}/${path.slice(0, -1)}`);
}
