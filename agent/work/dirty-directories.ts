/**
 * Which directories of a worktree have to be read again, and how much below them. Named by their
 * prefix: empty for the root, else with a slash at the end.
 */
import type { BytePath } from '../repository/byte-path.ts';

/** Its own entries; all below as well; all below, as each may be another directory than it was. */
export type Extent = 'own' | 'below' | 'anew';
const EXTENTS: readonly Extent[] = ['own', 'below', 'anew'];

export class DirtyDirectories {
  #extents = new Map<BytePath, Extent>();

  get size(): number {
    return this.#extents.size;
  }

  /** A smaller extent than what is marked already changes nothing. */
  mark(prefix: BytePath, extent: Extent): void {
    const before = this.#extents.get(prefix);
    if (before === undefined || EXTENTS.indexOf(extent) > EXTENTS.indexOf(before)) {
      this.#extents.set(prefix, extent);
    }
  }

  /** All of them, none of which is dirty any more; a directory comes before those below it. */
  take(): ReadonlyMap<BytePath, Extent> {
    const taken = [...this.#extents].sort(([a], [b]) => a.length - b.length);
    this.#extents = new Map();
    return new Map(taken);
  }

  putBack(taken: ReadonlyMap<BytePath, Extent>): void {
    for (const [prefix, extent] of taken) this.mark(prefix, extent);
  }
}
