/**
 * HEAD's tree against the index: the paths that `git status` lists with an X. Both sides are in
 * Git's order, so one pass meets them; directories whose tree the index already knows under the
 * same oid (its cache-tree) are passed over unread.
 */
import { MODE } from '../checkout/index-entry.ts';
import type { IndexEntry } from '../checkout/index-entry.ts';
import { canonicalMode, parseTree } from '../checkout/tree.ts';
import type { BytePath } from './byte-path.ts';
import { Doubt } from './doubt.ts';
import { readObject } from './objects.ts';
import type { ObjectSource } from './objects.ts';
import type { Pace } from './pace.ts';
import type { Tracked } from './tracked.ts';

const DEPTH_LIMIT = 2048;

export interface StagedContext {
  readonly objects: ObjectSource;
  readonly tracked: Tracked;
  readonly pace: Pace;
  readonly onPath: (path: BytePath) => void;
}

/** @param headTree oid of HEAD's tree; null while there is no commit. */
export async function findStaged(context: StagedContext, headTree: string | null): Promise<void> {
  if (headTree !== null && context.tracked.cachedTrees.get('') === headTree) return;
  const range = { prefix: '', start: 0, end: context.tracked.entries.length };
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
  readonly #entries: readonly IndexEntry[];
  readonly #paths: readonly BytePath[];

  constructor(context: StagedContext) {
    this.#context = context;
    this.#entries = context.tracked.entries;
    this.#paths = context.tracked.paths;
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
    const { cachedTrees } = this.#context.tracked;
    const name = range.prefix.slice(0, -1);
    if (range.end > range.start && cachedTrees.get(name) === item.oid) return;
    const sole = this.#entries[range.start];
    if (sole?.mode === MODE.directory && this.#paths[range.start] === range.prefix) {
      // A sparse index holds whole directories that are not checked out.
      if (sole.oid !== item.oid) throw new Doubt('a sparse index differs from HEAD');
      return;
    }
    await this.compare(item.oid, range, depth + 1);
  }

  #compareFile(path: BytePath, item: TreeItem, start: number, end: number): void {
    const entry = end > start ? this.#entries[start] : undefined;
    if (entry === undefined || entry.intentToAdd) {
      this.#context.onPath(path);
    } else if (entry.stage === 0 && (entry.oid !== item.oid || entry.mode !== item.mode)) {
      this.#context.onPath(path);
    }
  }

  /** Reports entries of the range that come before `key`: HEAD does not have them. */
  async #addedBefore(key: BytePath | undefined, range: Range): Promise<number> {
    const { onPath, pace } = this.#context;
    const limit = key === undefined ? undefined : range.prefix + key;
    let at = range.start;
    for (; at < range.end; at++) {
      const entry = this.#entries[at];
      const path = this.#paths[at];
      if (entry === undefined || path === undefined) break;
      if (limit !== undefined && path >= limit) break;
      if (entry.mode === MODE.directory) throw new Doubt('a sparse index differs from HEAD');
      if (entry.stage === 0 && !entry.intentToAdd) onPath(path);
      if (pace.due) await pace.rest();
    }
    return at;
  }

  /** Where the entries of `path` (all stages of a file, all below a directory) end. */
  #endOf(path: BytePath, start: number, end: number): number {
    if (!path.endsWith('/')) {
      let at = start;
      while (at < end && this.#paths[at] === path) at++;
      return at;
    }
    // '0' is the byte after '/'.
    const after = `${path.slice(0, -1)}0`;
    let low = start;
    let high = end;
    while (low < high) {
      const middle = (low + high) >> 1;
      const found = this.#paths[middle];
      if (found !== undefined && found < after) low = middle + 1;
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
