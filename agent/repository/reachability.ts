/**
 * Commits that can be reached from the tips and not from what the remote has: `git rev-list --count
 * TIPS --not REMOTE`. Walks from the youngest commit to the oldest, both sides at once, and ends as
 * soon as nothing is left that could still matter.
 */
import type { Commit, CommitSource } from './commits.ts';
import type { Pace } from './pace.ts';

/**
 * How many more commits of the remote are looked at once they all are older than the oldest
 * unpushed one: clocks differ, and a child may be dated before its parent.
 */
const SLOP = 64;

/** The unpushed commits themselves: oid → commit. */
export type Unpushed = ReadonlyMap<string, Commit>;

export async function findUnpushed(
  commits: CommitSource,
  tips: Iterable<string>,
  remoteTips: ReadonlySet<string>,
  pace: Pace,
): Promise<Unpushed> {
  const wanted = new Set(tips);
  // The ordinary case, without reading a single commit: nothing local that the remote has not.
  if ([...wanted].every((oid) => remoteTips.has(oid))) return new Map();
  const walk = new Walk(commits);
  for (const oid of remoteTips) {
    walk.add(oid, true);
    if (pace.due) await pace.rest();
  }
  for (const oid of wanted) walk.add(oid, false);
  while (walk.step()) if (pace.due) await pace.rest();
  return walk.unpushed;
}

/** The commits of `unpushed` that one tip leads to. */
export function reachable(unpushed: Unpushed, tip: string): ReadonlySet<string> {
  const seen = new Set<string>();
  const queue = [tip];
  for (let oid = queue.pop(); oid !== undefined; oid = queue.pop()) {
    const commit = unpushed.get(oid);
    if (commit === undefined || seen.has(oid)) continue;
    seen.add(oid);
    queue.push(...commit.parents);
  }
  return seen;
}

class Walk {
  readonly #commits: CommitSource;
  readonly #queue = new DateQueue();
  /** true: the remote has it. */
  readonly #seen = new Map<string, boolean>();
  readonly #found = new Map<string, Commit>();
  #pendingLocal = 0;
  #oldestFound = Infinity;
  #slop = SLOP;

  constructor(commits: CommitSource) {
    this.#commits = commits;
  }

  get unpushed(): Unpushed {
    return this.#found;
  }

  add(oid: string, remote: boolean): void {
    const seen = this.#seen.get(oid);
    if (seen === undefined) {
      this.#seen.set(oid, remote);
      this.#queue.push(this.#commits.read(oid));
      if (!remote) this.#pendingLocal++;
    } else if (remote && !seen) {
      this.#markRemote(oid);
    }
  }

  /** Takes the youngest commit; false when the walk is over. */
  step(): boolean {
    if (this.#pendingLocal === 0 && this.#done()) return false;
    const commit = this.#queue.pop();
    if (commit === undefined) return false;
    const remote = this.#seen.get(commit.oid) === true;
    if (!remote) {
      this.#pendingLocal--;
      this.#found.set(commit.oid, commit);
      this.#oldestFound = Math.min(this.#oldestFound, commit.date);
    }
    for (const parent of commit.parents) this.add(parent, remote);
    return true;
  }

  /** Only commits of the remote are left: they matter while one may lead to a commit found. */
  #done(): boolean {
    const next = this.#queue.peek();
    if (next === undefined || this.#found.size === 0) return true;
    if (next.date >= this.#oldestFound) {
      this.#slop = SLOP;
      return false;
    }
    return this.#slop-- <= 0;
  }

  /** A commit taken for local turns out to be the remote's, and so does what it leads to. */
  #markRemote(oid: string): void {
    const queue = [oid];
    for (let next = queue.pop(); next !== undefined; next = queue.pop()) {
      if (this.#seen.get(next) !== false) continue;
      this.#seen.set(next, true);
      const commit = this.#found.get(next);
      if (commit === undefined) {
        // Still queued: its parents are marked when it is taken.
        this.#pendingLocal--;
      } else {
        this.#found.delete(next);
        queue.push(...commit.parents);
      }
    }
  }
}

/** A binary heap, youngest commit first. */
class DateQueue {
  readonly #heap: Commit[] = [];

  peek(): Commit | undefined {
    return this.#heap[0];
  }

  push(commit: Commit): void {
    const heap = this.#heap;
    let at = heap.push(commit) - 1;
    while (at > 0) {
      const up = (at - 1) >> 1;
      const parent = heap[up];
      if (parent === undefined || parent.date >= commit.date) break;
      heap[at] = parent;
      at = up;
    }
    heap[at] = commit;
  }

  pop(): Commit | undefined {
    const heap = this.#heap;
    const top = heap[0];
    const last = heap.pop();
    if (top === undefined || last === undefined || heap.length === 0) return top;
    let at = 0;
    while (true) {
      const left = heap[2 * at + 1];
      const right = heap[2 * at + 2];
      if (left === undefined) break;
      const useRight = right !== undefined && right.date > left.date;
      const child = useRight ? right : left;
      if (child.date <= last.date) break;
      heap[at] = child;
      at = 2 * at + (useRight ? 2 : 1);
    }
    heap[at] = last;
    return top;
  }
}
