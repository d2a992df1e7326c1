/**
 * Counts paths by what is the matter with them; a path counts once in the total however often it
 * is named, and the first few are kept for people to read.
 */
import { displayPath } from '../repository/byte-path.ts';
import type { BytePath } from '../repository/byte-path.ts';

const SHOWN_LIMIT = 50;

export type PathKind = 'conflicted' | 'staged' | 'unstaged' | 'untracked' | 'nested';

export class PathTally {
  readonly counts: Record<PathKind, number> = {
    conflicted: 0,
    staged: 0,
    unstaged: 0,
    untracked: 0,
    nested: 0,
  };
  untrackedBytes = 0;
  total = 0;
  /** Of tracked paths, of which there are only so many. */
  readonly #named = new Set<BytePath>();
  readonly #shown: string[] = [];

  add(kind: PathKind, path: BytePath): void {
    this.counts[kind]++;
    if (this.#named.has(path)) return;
    if (kind !== 'untracked') this.#named.add(path);
    this.total++;
    if (this.#shown.length < SHOWN_LIMIT) this.#shown.push(displayPath(path));
  }

  get shown(): readonly string[] {
    return this.#shown;
  }
}
