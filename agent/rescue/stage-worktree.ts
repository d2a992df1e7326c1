/**
 * The rest of a worktree: files that the rescue did not have to carry, because they are what a checkout
 * of HEAD's tree writes, by the attributes of that tree alone. In: the tree, what the rescue has and
 * what was deleted; out: those files in the stage, but for the ones that the clone's worktree has
 * already, and the paths that go.
 */
import { readAttributes } from '../checkout/attribute-files.ts';
import type { Attributes } from '../checkout/attributes.ts';
import { convertToWorktree } from '../checkout/convert.ts';
import type { Conversion } from '../checkout/convert.ts';
import { EarlyCheckout } from '../checkout/early-checkout.ts';
import { MODE } from '../checkout/index-entry.ts';
import type { IndexEntry } from '../checkout/index-entry.ts';
import { Pace } from '../checkout/pace.ts';
import { AgentError } from '../errors.ts';
import type { ObjectStore } from '../pack/object-store.ts';
import { displayPath } from '../repository/byte-path.ts';
import type { BytePath } from '../repository/byte-path.ts';
import type { RepositoryPlan } from './repository-places.ts';
import type { Stage } from './stage.ts';

/** Of the clone's index; none but for the mount. */
export interface PresentFiles {
  readonly entries: readonly IndexEntry[];
  /** Whether each file is as the index says; else they are only known to be the clone's. */
  readonly trusted: boolean;
}

export interface WorktreeContext {
  readonly stage: Stage;
  readonly plan: RepositoryPlan;
  readonly store: ObjectStore;
  /** null before the first commit. */
  readonly treeOid: string | null;
  /** Files and links that the rescue carries. */
  readonly carried: ReadonlySet<BytePath>;
  readonly deleted: readonly BytePath[];
  readonly present: PresentFiles;
  readonly signal: AbortSignal;
}

/** @returns the paths of `present` that must go. */
export async function stageWorktree(context: WorktreeContext): Promise<BytePath[]> {
  const { store, carried, present, signal } = context;
  const pace = new Pace(signal);
  const gone = new Deleted(context.deleted);
  const kept = new Map<BytePath, IndexEntry>();
  for (const entry of present.entries) kept.set(textOf(entry), entry);
  const entries = await entriesOf(context, pace);
  const attributes = readAttributes(store, entries);
  const presentAttributes = readAttributes(store, present.entries);
  const wanted = new Set<BytePath>(carried);
  for (const entry of entries) {
    const path = textOf(entry);
    if (carried.has(path) || gone.has(path)) continue;
    wanted.add(path);
    const there = present.trusted ? kept.get(path) : undefined;
    const isSame = there?.oid === entry.oid && there.mode === entry.mode;
    const conversion = conversionFor(attributes, path);
    if (!isSame || !isEqual(conversion, conversionFor(presentAttributes, path))) {
      stageEntry(context, entry, path, conversion);
    }
    if (pace.due) await pace.turn();
  }
  return [...kept.keys()].filter((path) => !wanted.has(path));
}

async function entriesOf(
  { plan, store, treeOid }: WorktreeContext,
  pace: Pace,
): Promise<readonly IndexEntry[]> {
  if (treeOid === null) return [];
  const checkout = new EarlyCheckout(displayPath(plan.worktree ?? ''), treeOid);
  return (await checkout.complete(store, pace)).entries;
}

function stageEntry(
  { stage, plan, store }: WorktreeContext,
  entry: IndexEntry,
  path: BytePath,
  conversion: Conversion | null,
): void {
  const { tree, path: place } = stage.inWorktree(plan, path);
  const { oid, mode } = entry;
  if (mode === MODE.gitlink) {
    tree.directory(place);
    return;
  }
  if (mode === MODE.symlink) {
    tree.link(place, contentOf(store, oid, path));
    return;
  }
  if (!store.has(oid)) throw gone(oid, path);
  using file = tree.checkedOutFile(place, mode === MODE.executable);
  if (conversion === null) store.writeBlob(oid, file.fd);
  else file.write(convertToWorktree(contentOf(store, oid, path), conversion, oid));
  file.finish();
}

function contentOf(store: ObjectStore, oid: string, path: BytePath): Buffer {
  const object = store.read(oid);
  if (object === undefined) throw gone(oid, path);
  return object.content;
}

function gone(oid: string, path: BytePath): AgentError {
  const message = `the content of ${displayPath(path)}, ${oid}, is neither in the rescue nor in the clone`;
  return new AgentError('RESCUE_OBJECTS_MISSING', message, { data: { oid } });
}

function conversionFor(attributes: Attributes, path: BytePath): Conversion | null {
  return attributes.empty ? null : attributes.conversionFor(path);
}

function isEqual(one: Conversion | null, other: Conversion | null): boolean {
  return JSON.stringify(one) === JSON.stringify(other);
}

function textOf({ path }: IndexEntry): BytePath {
  return path.toString('latin1');
}

/** Paths that were deleted; one with a slash at its end stands for all below it. */
class Deleted {
  readonly #paths: ReadonlySet<BytePath>;

  constructor(paths: readonly BytePath[]) {
    this.#paths = new Set(paths);
  }

  has(path: BytePath): boolean {
    if (this.#paths.has(path)) return true;
    for (let end = path.indexOf('/'); end !== -1; end = path.indexOf('/', end + 1)) {
      if (this.#paths.has(path.slice(0, end + 1))) return true;
    }
    return false;
  }
}

/** What the rescue has of a repository's worktree. */
export function carriedPaths(
  sinks: Iterable<{ readonly to: string; readonly repository: number; readonly path?: BytePath }>,
  repository: number,
): Set<BytePath> {
  const found = new Set<BytePath>();
  for (const { to, repository: owner, path } of sinks) {
    if (owner !== repository || path === undefined) continue;
    if (to === 'worktree' || to === 'link') found.add(path);
  }
  return found;
}
