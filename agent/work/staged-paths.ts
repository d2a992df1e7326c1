/** Which paths are staged: the index against HEAD's tree, compared again when one of them is another. */
import type { BytePath } from '../repository/byte-path.ts';
import { doubtOf } from '../repository/doubt.ts';
import type { ObjectSource } from '../repository/objects.ts';
import type { Pace } from '../repository/pace.ts';
import { findStaged } from '../repository/staged.ts';
import type { TrackedIndex } from '../repository/tracked-index.ts';

export interface StagedReading {
  readonly paths: ReadonlySet<BytePath>;
  readonly doubt: string | null;
}

const NONE: StagedReading = { paths: new Set(), doubt: null };

export class StagedPaths {
  #reading = NONE;
  #index: TrackedIndex | undefined;
  #headTree: string | null | undefined;

  /** @param headTree null without a commit, undefined when it cannot be told. */
  async read(
    index: TrackedIndex,
    headTree: string | null | undefined,
    objects: ObjectSource,
    pace: Pace,
  ): Promise<StagedReading> {
    if (headTree === undefined) return NONE;
    const isKnown = this.#index === index && this.#headTree === headTree;
    if (isKnown && this.#reading.doubt === null) return this.#reading;
    const paths = new Set<BytePath>();
    const onPath = (path: BytePath): void => void paths.add(path);
    let doubt: string | null = null;
    try {
      await findStaged({ objects, tracked: index, pace, onPath }, headTree);
    } catch (error) {
      doubt = doubtOf(error) ?? null;
      if (doubt === null) throw error;
    }
    this.#index = index;
    this.#headTree = headTree;
    this.#reading = { paths, doubt };
    return this.#reading;
  }
}
