/**
 * What the Git directory of one repository holds that only this disk has: commits, stash entries,
 * an operation under way; and where HEAD is. Read again only when something in the Git directory
 * has changed; a part that cannot be read leaves a reason, and the others go on.
 */
import type { ObjectStore } from '../pack/object-store.ts';
import { CommitSource } from '../repository/commits.ts';
import { Doubt, doubtOf } from '../repository/doubt.ts';
import { readObject } from '../repository/objects.ts';
import { readOperation } from '../repository/operation.ts';
import type { Operation } from '../repository/operation.ts';
import type { Pace } from '../repository/pace.ts';
import { readBytesAsText } from '../repository/read-file.ts';
import { countStashes, readRefs } from '../repository/refs.ts';
import { readClonedTags, readFetchedTags } from '../repository/remote-tags.ts';
import type { RemoteTags } from '../repository/remote-tags.ts';
import type { Repository } from '../repository/repository.ts';
import { readUnpushed } from '../repository/unpushed.ts';
import type { UnpushedReading } from '../repository/unpushed.ts';
import type { Head } from '../status.ts';

export interface HistoryReading {
  /** null when it cannot be read. */
  readonly head: Head | null;
  /** Of HEAD's tree; null for a branch without a commit, undefined when it cannot be read. */
  readonly headTree: string | null | undefined;
  readonly stashes: number;
  readonly operation: Operation | null;
  readonly unpushed: UnpushedReading;
  readonly doubts: readonly string[];
}

export const NO_HISTORY: HistoryReading = {
  head: null,
  headTree: undefined,
  stashes: 0,
  operation: null,
  unpushed: { count: 0, branches: [] },
  doubts: [],
};

export class History {
  /** What was the remote's once stays known: later fetches and packing hide where a tag is from. */
  readonly #remoteTags: Map<string, string>;
  readonly #knowsClone: boolean;
  #commits: { readonly source: CommitSource; readonly key: string } | undefined;
  #objects: ObjectStore | undefined;

  /** @param clonedTags tags that came with the clone; without them, what git itself leaves tells. */
  constructor(clonedTags: RemoteTags | undefined) {
    this.#remoteTags = new Map(clonedTags);
    this.#knowsClone = clonedTags !== undefined;
  }

  async read(repository: Repository, objects: ObjectStore, pace: Pace): Promise<HistoryReading> {
    const doubts: string[] = [];
    const attempt = async <T>(part: () => T | Promise<T>): Promise<T | undefined> => {
      try {
        return await part();
      } catch (error) {
        const reason = doubtOf(error);
        if (reason === undefined) throw error;
        doubts.push(reason);
        return undefined;
      }
    };
    const operation = (await attempt(() => readOperation(repository.gitdir))) ?? null;
    const refs = await attempt(() => readRefs(repository, pace));
    if (refs === undefined) return { ...NO_HISTORY, operation, doubts };
    this.#learnRemoteTags(repository);
    const stashes = (await attempt(() => countStashes(repository, refs))) ?? 0;
    const commits = this.#commitSource(repository, objects);
    const unpushed = await attempt(() => readUnpushed(refs, this.#remoteTags, commits, pace));
    const headTree = await attempt(() => treeOf(objects, refs.head));
    const { head } = refs;
    return {
      head,
      headTree,
      stashes,
      operation,
      unpushed: unpushed ?? NO_HISTORY.unpushed,
      doubts,
    };
  }

  #learnRemoteTags(repository: Repository): void {
    const proven = [readFetchedTags(repository)];
    if (!this.#knowsClone) proven.push(readClonedTags(repository));
    for (const tags of proven) for (const [name, oid] of tags) this.#remoteTags.set(name, oid);
  }

  /** The cache lives as long as the cuts in history (`git fetch --depth`) stay where they are. */
  #commitSource(repository: Repository, objects: ObjectStore): CommitSource {
    const key = readBytesAsText(`${repository.commondir}/shallow`) ?? '';
    if (this.#commits?.key !== key || this.#objects !== objects) {
      const source = new CommitSource(objects, new Set(key.split('\n')));
      this.#commits = { source, key };
      this.#objects = objects;
    }
    return this.#commits.source;
  }
}

/** @returns null for a branch without a commit. */
function treeOf(objects: ObjectStore, head: Head): string | null {
  if (head.oid === null) return null;
  const commit = readObject(objects, head.oid, 'commit');
  const tree = /^tree ([0-9a-f]{40})\n/.exec(commit.toString('latin1', 0, 46))?.[1];
  if (tree === undefined) throw new Doubt(`the commit ${head.oid} is damaged`);
  return tree;
}
