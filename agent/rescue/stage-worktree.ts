/**
 * The rest of a worktree: files that the rescue did not have to carry, because they are what a checkout
 * of HEAD's tree writes, by the attributes of that tree alone. In: the tree, what the rescue has and
 * what was deleted; out: those files in the stage, but for the ones that the clone's worktree has
 * already; and what there is to be done to the clone's own.
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
import type { Sink } from './restore-plan.ts';
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
  readonly carried: Carried;
  readonly deleted: readonly BytePath[];
  /** Permissions of files of the tree. */
  readonly modes: ReadonlyMap<BytePath, number>;
  readonly present: PresentFiles;
  readonly signal: AbortSignal;
}

/** What becomes of the files that are there; their paths lead through directories of the tree only. */
export interface PresentChanges {
  readonly removed: readonly BytePath[];
  readonly modes: readonly (readonly [path: BytePath, mode: number])[];
}

export async function stageWorktree(context: WorktreeContext): Promise<PresentChanges> {
  const { store, carried, modes, present, signal } = context;
  const pace = new Pace(signal);
  const gone = new Deleted(context.deleted);
  const kept = new Map<BytePath, IndexEntry>();
  for (const entry of present.entries) kept.set(textOf(entry), entry);
  const entries = await entriesOf(context, pace);
  const attributes = readAttributes(store, entries);
  const presentAttributes = readAttributes(store, present.entries);
  const wanted = new Set<BytePath>(carried.files);
  const changedModes: [BytePath, number][] = [];
  for (const entry of entries) {
    const path = textOf(entry);
    if (carried.covers(path) || gone.has(path)) continue;
    wanted.add(path);
    const there = present.trusted ? kept.get(path) : undefined;
    const isSame = there?.oid === entry.oid && there.mode === entry.mode;
    const conversion = conversionFor(attributes, path);
    const mode = modes.get(path);
    if (!isSame || !isEqual(conversion, conversionFor(presentAttributes, path))) {
      stageEntry(context, entry, path, conversion);
    } else if (mode !== undefined) {
      changedModes.push([path, mode]);
    }
    if (pace.due) await pace.turn();
  }
  const removed = [...kept.keys()].filter((path) => !wanted.has(path));
  return { removed, modes: changedModes };
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
  { stage, plan, store, modes }: WorktreeContext,
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
  const permissions = modes.get(path);
  using file =
    permissions === undefined
      ? tree.checkedOutFile(place, mode === MODE.executable)
      : tree.file(place, permissions);
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
export class Deleted {
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

/** What the rescue has of a repository's worktree; where the tree has something else, it wins. */
export class Carried {
  readonly files = new Set<BytePath>();
  readonly #directories = new Set<BytePath>();

  constructor(sinks: Iterable<Sink>, repository: number) {
    for (const sink of sinks) {
      if (sink.repository !== repository) continue;
      if (sink.to === 'worktree' || sink.to === 'link') this.files.add(sink.path);
      else if (sink.to === 'directory') this.#directories.add(sink.path);
      else continue;
      for (const above of directoriesAbove(sink.path)) this.#directories.add(above);
    }
  }

  /** Whether a file at `path` would be one of these, above one, or below one. */
  covers(path: BytePath): boolean {
    if (this.files.has(path) || this.#directories.has(path)) return true;
    return directoriesAbove(path).some((above) => this.files.has(above));
  }
}

/** `a/b/c` → `a/b`, `a`. */
function directoriesAbove(path: BytePath): BytePath[] {
  const found: BytePath[] = [];
  for (let end = path.lastIndexOf('/'); end > 0; end = path.lastIndexOf('/', end - 1)) {
    found.push(path.slice(0, end));
  }
  return found;
}
