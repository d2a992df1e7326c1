/**
 * HEAD's tree in, as far as it can be read; its files in the stage where the rescue does not carry them
 * and something has their content; and in words, which are nowhere. Bytes as Git stores them.
 */
import { MODE } from '../checkout/index-entry.ts';
import { canonicalMode, parseTree } from '../checkout/tree.ts';
import { EMPTY_BLOB_OID } from '../checkout/well-known-objects.ts';
import type { ObjectStore } from '../pack/object-store.ts';
import { displayPath } from '../repository/byte-path.ts';
import type { BytePath } from '../repository/byte-path.ts';
import { doubtOf } from '../repository/doubt.ts';
import type { Pace } from '../repository/pace.ts';
import { treeOf } from './links.ts';
import { checkWorktreePath, joinPath } from './path-rules.ts';
import type { RepositoryPlan } from './repository-places.ts';
import type { RestorePlan } from './restore-plan.ts';
import { Carried, Deleted } from './stage-worktree.ts';
import type { Stage } from './stage.ts';

export interface SalvageHeadContext {
  readonly stage: Stage;
  readonly store: ObjectStore;
  readonly plan: RestorePlan;
  readonly repository: RepositoryPlan;
  readonly deleted: readonly BytePath[];
  readonly modes: ReadonlyMap<BytePath, number>;
  readonly pace: Pace;
}

/** A tree may lead back to itself only by a broken hash: this is for memory. */
const LIMIT_ENTRIES = 5_000_000;
/** Git knows it without having it. */

/** @throws RESCUE_PATH_REFUSED for a name that no checkout would write. */
export async function salvageHead(context: SalvageHeadContext): Promise<string[]> {
  const { store, repository, plan, pace } = context;
  const { oid } = repository.record.head;
  if (oid === null) return [];
  const tree = treeOf(read(store, oid) ?? Buffer.alloc(0));
  if (tree === undefined) return [`all files of the commit ${oid} that were not changed`];
  const carried = new Carried(plan.sinks.values(), repository.record.number);
  const deleted = new Deleted(context.deleted);
  const missing: string[] = [];
  const pending: (readonly [path: BytePath, oid: string])[] = [['', tree]];
  let count = 0;
  for (let next = pending.pop(); next !== undefined; next = pending.pop()) {
    const [directory, treeOid] = next;
    const content = read(store, treeOid);
    if (content === undefined) {
      missing.push(`all unchanged files in ${displayPath(directory)}/ (tree ${treeOid})`);
      continue;
    }
    for (const entry of parseTree(content)) {
      const path = joinPath(directory, entry.name.toString('latin1'));
      const mode = canonicalMode(entry);
      checkWorktreePath(path, mode);
      if (++count > LIMIT_ENTRIES) return [...missing, 'more files than can be listed'];
      if (deleted.has(path) || deleted.has(`${path}/`) || mode === MODE.gitlink) continue;
      if (mode === MODE.directory) pending.push([path, entry.oid]);
      else if (!carried.covers(path) && !stageFile(context, path, mode, entry.oid)) {
        missing.push(`${displayPath(path)} (${entry.oid})`);
      }
      if (pace.due) await pace.rest();
    }
  }
  return missing;
}

/** @returns false when nothing has its content. */
function stageFile(
  { stage, store, repository, modes }: SalvageHeadContext,
  path: BytePath,
  mode: number,
  oid: string,
): boolean {
  const { tree, path: place } = stage.inWorktree(repository, path);
  if (mode === MODE.symlink) {
    const target = read(store, oid);
    if (target !== undefined) tree.link(place, target);
    return target !== undefined;
  }
  const isEmpty = oid === EMPTY_BLOB_OID;
  if (!isEmpty && !store.has(oid)) return false;
  using file = tree.file(place, modes.get(path) ?? mode & 0o777);
  if (!isEmpty) store.writeBlob(oid, file.fd);
  file.finish();
  return true;
}

function read(store: ObjectStore, oid: string): Buffer | undefined {
  try {
    return store.read(oid)?.content;
  } catch (error) {
    if (doubtOf(error) === undefined) throw error;
    return undefined;
  }
}
