/**
 * The index as a rescue walks it: entries in Git's order with their paths as byte strings, the
 * paths in conflict, and the trees that the index knows (its cache-tree).
 */
import { readIndex } from '../checkout/index-reader.ts';
import { MODE } from '../checkout/index-entry.ts';
import type { IndexEntry } from '../checkout/index-entry.ts';
import { displayPath, isUtf8 } from './byte-path.ts';
import type { IndexedAttributes } from './attributes.ts';
import type { BytePath } from './byte-path.ts';
import { collectTrees } from './cached-trees.ts';
import { Doubt } from './doubt.ts';
import type { Pace } from './pace.ts';
import { expandSparse } from './sparse-directories.ts';
import type { SparseContext } from './sparse-directories.ts';
import type { StagedIndex } from './staged.ts';

export interface Tracked extends StagedIndex, IndexedAttributes {
  readonly entries: readonly IndexEntry[];
  /** Of the entry at the same position. */
  readonly paths: readonly BytePath[];
  readonly conflicts: ReadonlySet<BytePath>;
  /** Directory (empty for the root, no slash at the end) → oid of its tree, where it is known. */
  readonly cachedTrees: ReadonlyMap<BytePath, string>;
  /** Oids of the directories that a sparse index has as one entry each, expanded here or not. */
  readonly sparseTrees: readonly string[];
  /** The index's REUC extension as it stands. */
  readonly resolveUndo: Buffer | null;
  /** Of the index file: an entry that is not older may hide a later change of the same size. */
  readonly mtimeSec: number;
  readonly mtimeNsec: number;
}

const ATTRIBUTES = /(^|\/)\.gitattributes$/;
const NSEC_PER_SEC = 1_000_000_000n;

/**
 * @param sparse undefined where there is no worktree.
 * @throws AgentError (INDEX_INVALID) for what Git could not read either.
 */
export async function readTracked(
  gitdir: BytePath,
  pace: Pace,
  sparse: SparseContext | undefined,
): Promise<Tracked> {
  if (!isUtf8(gitdir)) throw new Doubt('the path of the Git directory is not UTF-8');
  const index = readIndex(displayPath(gitdir));
  const { cacheTree, resolveUndo, mtimeNs } = index;
  const directories = index.entries.filter(({ mode }) => mode === MODE.directory);
  const entries =
    sparse === undefined || directories.length === 0
      ? index.entries
      : index.entries.flatMap((one) => expandSparse(sparse, one));
  const paths: BytePath[] = [];
  const conflicts = new Set<BytePath>();
  const attributes = new Map<BytePath, string>();
  for (const entry of entries) {
    const path = entry.path.toString('latin1');
    paths.push(path);
    if (entry.stage !== 0) conflicts.add(path);
    if (ATTRIBUTES.test(path)) attributes.set(path.replace(ATTRIBUTES, '$1'), entry.oid);
    if (pace.due) await pace.rest();
  }
  const entry = (position: number): IndexEntry => entries[position]!;
  return {
    count: entries.length,
    path: (position) => paths[position]!,
    oid: (position) => entry(position).oid,
    mode: (position) => entry(position).mode,
    stage: (position) => entry(position).stage,
    isIntentToAdd: (position) => entry(position).intentToAdd,
    entries,
    paths,
    conflicts,
    cachedTrees: collectTrees(cacheTree),
    sparseTrees: directories.map(({ oid }) => oid),
    resolveUndo,
    attributesOid: (prefix) => attributes.get(prefix),
    mtimeSec: Number(mtimeNs / NSEC_PER_SEC),
    mtimeNsec: Number(mtimeNs % NSEC_PER_SEC),
  };
}
