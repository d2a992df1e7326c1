/**
 * HEAD's tree against the index: the paths that `git status` lists with an X. Both sides are in
 * Git's order, so one pass meets them; directories whose tree the index already knows under the
 * same oid (its cache-tree) are passed over unread.
 */
import { MODE } from '../checkout/index-entry.ts';
import { canonicalMode, parseTree } from '../checkout/tree.ts';
import type { BytePath } from './byte-path.ts';
import { Doubt } from './doubt.ts';
import { readObject } from './objects.ts';
import type { ObjectSource } from './objects.ts';
import type { Pace } from './pace.ts';

const DEPTH_LIMIT = 2048;

/** An index, entries by position in Git's order. */
export interface StagedIndex {
  readonly count: number;
  path(position: number): BytePath;
  oid(position: number): string;
  mode(position: number): number;
  stage(position: number): number;
  isIntentToAdd(position: number): boolean;
  /** Directory (empty for the root, no slash at the end) → oid of its tree, where it is known. */
  readonly cachedTrees: { get(directory: BytePath): string | undefined };
}

export interface StagedContext {
  readonly objects: ObjectSource;
  readonly tracked: StagedIndex;
  readonly pace: Pace;
  readonly onPath: (path: BytePath) => void;
}

/** @param headTree oid of HEAD's tree; null while there is no commit. */
export async function findStaged(context: StagedContext, headTree: string | null): Promise<void> {
  if (headTree !== null && context.tracked.cachedTrees.get('') === headTree) return;
  const range = { prefix: '', start: 0, end: context.tracked.count };
  await new StagedWalk(context).compare(headTree, range, 0);
}

/** The index entries below one directory. */
interface Range {
  /** Empty, or a path that ends in a slash. */
  readonly prefix: BytePath;
  readonly start: number;
  readonly end: number;
}

interface TreeItem {
  /** The name, with a slash at its end for a directory: Git's order is the order of these. */
  readonly key: BytePath;
  readonly mode: number;
  readonly oid: string;
}

class StagedWalk {
  readonly #context: StagedContext;
  readonly #index: StagedIndex;

  constructor(context: StagedContext) {
    this.#context = context;
    this.#index = context.tracked;
  }

  async compare(tree: string | null, range: Range, depth: number): Promise<void> {
    if (depth > DEPTH_LIMIT) throw new Doubt(`${range.prefix} is too deep`);
    const { pace } = this.#context;
    const items = tree === null ? [] : this.#readTree(tree);
    let at = range.start;
    for (const item of items) {
      at = await this.#addedBefore(item.key, { ...range, start: at });
      const end = this.#endOf(range.prefix + item.key, at, range.end);
      if (item.mode === MODE.directory) {
        await this.#compareDirectory(
          item,
          { prefix: range.prefix + item.key, start: at, end },
          depth,
        );
      } else {
        this.#compareFile(range.prefix + item.key, item, at, end);
      }
      at = end;
      if (pace.due) await pace.rest();
    }
    await this.#addedBefore(undefined, { ...range, start: at });
  }

  async #compareDirectory(item: TreeItem, range: Range, depth: number): Promise<void> {
    const index = this.#index;
    const { start, end, prefix } = range;
    if (end > start && index.cachedTrees.get(prefix.slice(0, -1)) === item.oid) return;
    if (end > start && index.mode(start) === MODE.directory && index.path(start) === prefix) {
      await this.#compareTrees(item.oid, index.oid(start), prefix, depth);
      return;
    }
    await this.compare(item.oid, range, depth + 1);
  }

  /** A sparse index holds whole directories that are not checked out: their trees stand for files. */
  async #compareTrees(
    head: string | null,
    own: string | null,
    prefix: BytePath,
    depth: number,
  ): Promise<void> {
    if (head === own) return;
    if (depth > DEPTH_LIMIT) throw new Doubt(`${prefix} is too deep`);
    const { onPath, pace } = this.#context;
    const items = [head, own].map((tree) => (tree === null ? [] : this.#readTree(tree)));
    const [before, after] = items.map((list) => new Map(list.map((item) => [item.key, item])));
    for (const key of new Set(items.flat().map((item) => item.key))) {
      const [one, other] = [before?.get(key), after?.get(key)];
      const path = prefix + key;
      if (key.endsWith('/')) {
        await this.#compareTrees(one?.oid ?? null, other?.oid ?? null, path, depth + 1);
      } else if (one?.oid !== other?.oid || one?.mode !== other?.mode) {
        onPath(path);
      }
      if (pace.due) await pace.rest();
    }
  }

  #compareFile(path: BytePath, item: TreeItem, start: number, end: number): void {
    const index = this.#index;
    if (end <= start || index.isIntentToAdd(start)) {
      this.#context.onPath(path);
    } else if (index.stage(start) === 0) {
      const isSame = index.oid(start) === item.oid && index.mode(start) === item.mode;
      if (!isSame) this.#context.onPath(path);
    }
  }

  /** Reports entries of the range that come before `key`: HEAD does not have them. */
  async #addedBefore(key: BytePath | undefined, range: Range): Promise<number> {
    const { onPath, pace } = this.#context;
    const index = this.#index;
    const limit = key === undefined ? undefined : range.prefix + key;
    let at = range.start;
    for (; at < range.end; at++) {
      const path = index.path(at);
      if (limit !== undefined && path >= limit) break;
      if (index.mode(at) === MODE.directory) await this.#compareTrees(null, index.oid(at), path, 0);
      else if (index.stage(at) === 0 && !index.isIntentToAdd(at)) onPath(path);
      if (pace.due) await pace.rest();
    }
    return at;
  }

  /** Where the entries of `path` (all stages of a file, all below a directory) end. */
  #endOf(path: BytePath, start: number, end: number): number {
    if (!path.endsWith('/')) {
      let at = start;
      while (at < end && this.#index.path(at) === path) at++;
      return at;
    }
    // '0' is the byte after '/'.
    const after = `${path.slice(0, -1)}0`;
    let low = start;
    let high = end;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.#index.path(middle) < after) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  #readTree(oid: string): TreeItem[] {
    const content = readObject(this.#context.objects, oid, 'tree');
    return parseTree(content).map((entry) => {
      const name = entry.name.toString('latin1');
      const mode = canonicalMode(entry);
      return { key: mode === MODE.directory ? `${name}/` : name, mode, oid: entry.oid };
    });
  }
}
