/**
 * Commits as the walk needs them: parents and date, parsed once and kept, because a commit never
 * changes. Tags are peeled on the way in (gitformat: commit, tag).
 */
import { Doubt } from './doubt.ts';
import { readObject } from './objects.ts';
import type { ObjectSource } from './objects.ts';

/** About 200 bytes each. */
const CACHE_LIMIT = 50_000;
const TAG_DEPTH_LIMIT = 10;

export interface Commit {
  readonly oid: string;
  readonly parents: readonly string[];
  /** Committer date, seconds since the epoch. */
  readonly date: number;
}

export class CommitSource {
  readonly #objects: ObjectSource;
  readonly #commits = new Map<string, Commit>();
  readonly #peeled = new Map<string, string | null>();
  /** Commits at which history was cut (`shallow`): their parents are not here. */
  readonly #shallow: ReadonlySet<string>;

  constructor(objects: ObjectSource, shallow: ReadonlySet<string>) {
    this.#objects = objects;
    this.#shallow = shallow;
  }

  /** @throws Doubt when the object is missing or no commit. */
  read(oid: string): Commit {
    const known = this.#commits.get(oid);
    if (known !== undefined) return known;
    const content = readObject(this.#objects, oid, 'commit');
    const commit = parseCommit(oid, content, this.#shallow.has(oid));
    if (this.#commits.size >= CACHE_LIMIT) this.#commits.clear();
    this.#commits.set(oid, commit);
    return commit;
  }

  /** The commit that a tag leads to; null when it leads to a tree or blob. */
  peel(oid: string): string | null {
    if (this.#commits.has(oid)) return oid;
    const known = this.#peeled.get(oid);
    if (known !== undefined) return known;
    const peeled = this.#follow(oid);
    this.#peeled.set(oid, peeled);
    return peeled;
  }

  #follow(oid: string): string | null {
    let current = oid;
    for (let depth = 0; depth < TAG_DEPTH_LIMIT; depth++) {
      const object = this.#objects.read(current);
      if (object === undefined) throw new Doubt(`the object ${current} of a ref is missing`);
      if (object.type === 'commit') return current;
      if (object.type !== 'tag') return null;
      const target = /^object ([0-9a-f]{40})\n/.exec(object.content.toString('latin1', 0, 48))?.[1];
      if (target === undefined) throw new Doubt(`the tag ${current} is damaged`);
      current = target;
    }
    throw new Doubt(`the tag ${oid} leads through too many others`);
  }
}

const HEADER =
  /^tree [0-9a-f]{40}\n((?:parent [0-9a-f]{40}\n)*)(?:author .*\n)?(?:committer .*?> ?(-?\d+))?/;

function parseCommit(oid: string, content: Buffer, cut: boolean): Commit {
  const header = HEADER.exec(content.toString('latin1'));
  if (header === null) throw new Doubt(`the commit ${oid} is damaged`);
  const [, lines = '', seconds = '0'] = header;
  const parents = cut
    ? []
    : lines
        .split('\n')
        .slice(0, -1)
        .map((line) => line.slice(7));
  return { oid, parents, date: Number(seconds) };
}
