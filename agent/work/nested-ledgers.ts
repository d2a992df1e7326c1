/**
 * Repositories that would be lost together with one: submodules, repositories in its worktree that
 * its index does not have, and its linked worktrees, wherever on this disk. Each has a ledger of its
 * own; what they hold is listed under their path and makes the whole at risk.
 */
import { readdirSync } from 'node:fs';
import { errnoOf } from '../errors.ts';
import { displayPath, fsPath, isUtf8 } from '../repository/byte-path.ts';
import type { BytePath } from '../repository/byte-path.ts';
import type { Pace } from '../repository/pace.ts';
import { readBytesAsText } from '../repository/read-file.ts';
import { findGitdir, resolveFrom } from '../repository/repository.ts';
import type { Repository } from '../repository/repository.ts';
import { parentOf } from '../repository/tracked-changes.ts';
import type { TrackedIndex } from '../repository/tracked-index.ts';
import type { RepositoryAtRisk } from '../status.ts';
import type { Ledger, LedgerReading } from './ledger.ts';
import type { WorktreeFiles } from './worktree-files.ts';

export interface NestedReading {
  /** Paths of submodules that `git status` lists as changed. */
  readonly changedSubmodules: readonly BytePath[];
  /** What makes the whole at risk and is in no other count. */
  readonly otherPaths: readonly BytePath[];
  readonly repositories: readonly RepositoryAtRisk[];
  readonly doubts: readonly string[];
  readonly changedAtMs: number;
}

interface Found {
  readonly kind: RepositoryAtRisk['kind'];
  /** In the worktree, or absolute for a linked worktree elsewhere. */
  readonly path: BytePath;
  readonly worktree: BytePath;
  /** Of a submodule: the commit that the index names. */
  readonly oid: string | null;
  /** Among the untracked paths already. */
  readonly isCounted: boolean;
}

type Create = (worktree: BytePath, onGitdir: () => void) => Ledger;

export class NestedLedgers implements Disposable {
  readonly #create: Create;
  readonly #ledgers = new Map<BytePath, Ledger>();

  constructor(create: Create) {
    this.#create = create;
  }

  get ledgers(): Iterable<Ledger> {
    return this.#ledgers.values();
  }

  async read(
    repository: Repository,
    index: TrackedIndex | undefined,
    files: WorktreeFiles,
    pace: Pace,
  ): Promise<NestedReading> {
    const found = index === undefined ? [] : [...findSubmodules(repository, index, files)];
    const nested = [...findNested(repository, files)];
    found.push(...nested);
    // A linked worktree inside is a nested repository as well, unless its directory is ignored.
    const counted = new Set(nested.map(({ worktree }) => worktree));
    for (const one of findLinked(repository)) {
      found.push({ ...one, isCounted: counted.has(one.worktree) });
    }
    const byWorktree = new Map(found.map((one) => [one.worktree, one]));
    this.#keepOnly(byWorktree);
    const sum = new NestedSum(repository);
    for (const one of byWorktree.values()) {
      if (!isUtf8(one.worktree)) {
        sum.doubts.push(`the path of ${displayPath(one.path)} is not UTF-8`);
        continue;
      }
      let ledger = this.#ledgers.get(one.worktree);
      if (ledger === undefined) {
        ledger = this.#create(one.worktree, () => {
          // Another repository now, or none: the directory that it lies in says which.
          if (one.path !== one.worktree) files.mark(parentOf(one.path));
        });
        this.#ledgers.set(one.worktree, ledger);
      }
      sum.add(one, await ledger.take(pace.signal));
    }
    return sum;
  }

  [Symbol.dispose](): void {
    this.#keepOnly(new Map());
  }

  #keepOnly(found: ReadonlyMap<BytePath, Found>): void {
    for (const [worktree, ledger] of this.#ledgers) {
      if (found.has(worktree)) continue;
      ledger[Symbol.dispose]();
      this.#ledgers.delete(worktree);
    }
  }
}

class NestedSum implements NestedReading {
  readonly changedSubmodules: BytePath[] = [];
  readonly otherPaths: BytePath[] = [];
  readonly repositories: RepositoryAtRisk[] = [];
  readonly doubts: string[] = [];
  changedAtMs = 0;
  readonly #repository: Repository;

  constructor(repository: Repository) {
    this.#repository = repository;
  }

  add(
    { kind, path, oid, isCounted }: Found,
    { risk, head, gitdirs, changedAtMs }: LedgerReading,
  ): void {
    this.changedAtMs = Math.max(this.changedAtMs, changedAtMs);
    if (risk?.unknown != null) this.doubts.push(`${displayPath(path)}: ${risk.unknown}`);
    // Of a linked worktree, commits and stashes are this repository's own and counted there.
    const isShared = gitdirs.includes(this.#repository.commondir);
    const changes =
      risk === null ? 0 : risk.staged + risk.unstaged + risk.untracked + risk.conflicted;
    const history = risk === null || isShared ? 0 : risk.unpushed_commits + risk.stashes;
    const isChangedSubmodule = kind === 'submodule' && (changes > 0 || head?.oid !== oid);
    if (isChangedSubmodule) this.changedSubmodules.push(path);
    if (risk === null) return;
    const within = risk.repositories;
    const isAtRisk = changes + history > 0 || risk.operation !== null || risk.unknown !== null;
    if (!isAtRisk && within.length === 0) return;
    if (!isChangedSubmodule && !isCounted) this.otherPaths.push(`${path}/`);
    const shown = displayPath(path);
    if (isAtRisk) {
      this.repositories.push({
        path: shown,
        kind,
        staged: risk.staged,
        unstaged: risk.unstaged,
        untracked: risk.untracked,
        conflicted: risk.conflicted,
        untracked_bytes: risk.untracked_bytes,
        unpushed_commits: isShared ? 0 : risk.unpushed_commits,
        stashes: isShared ? 0 : risk.stashes,
        operation: risk.operation,
        unknown: risk.unknown,
      });
    }
    for (const one of within) {
      const inside = one.path.startsWith('/') ? one.path : `${shown}/${one.path}`;
      this.repositories.push({ ...one, path: inside });
    }
  }
}

function* findSubmodules(
  { worktree }: Repository,
  index: TrackedIndex,
  files: WorktreeFiles,
): Generator<Found> {
  for (const position of index.submodules) {
    const path = index.path(position);
    const prefix = parentOf(path);
    const reading = files.readings.get(prefix);
    if (reading?.present !== true || reading.unstaged.has(path.slice(prefix.length))) continue;
    const place = `${worktree}/${path}`;
    if (findGitdir(place) === undefined) continue;
    yield { kind: 'submodule', path, worktree: place, oid: index.oid(position), isCounted: false };
  }
}

function* findNested({ worktree }: Repository, files: WorktreeFiles): Generator<Found> {
  for (const [prefix, { nested }] of files.readings.telling()) {
    for (const name of nested) {
      const path = prefix + name;
      yield {
        ...{ kind: 'nested', path, worktree: `${worktree}/${path}` },
        ...{ oid: null, isCounted: true },
      };
    }
  }
}

/** Those that are there; asked of the repository's own worktree only. */
function* findLinked({ worktree, gitdir, commondir }: Repository): Generator<Found> {
  if (gitdir !== commondir) return;
  const inside = `${worktree}/`;
  for (const id of listNames(`${commondir}/worktrees`)) {
    const own = `${commondir}/worktrees/${id}`;
    const file = readBytesAsText(`${own}/gitdir`)?.trimEnd();
    if (file?.endsWith('/.git') !== true) continue;
    const place = resolveFrom(own, file.slice(0, -'/.git'.length));
    if (findGitdir(place) !== own) continue;
    const path = place.startsWith(inside) ? place.slice(inside.length) : place;
    yield { kind: 'worktree', path, worktree: place, oid: null, isCounted: false };
  }
}

function listNames(directory: BytePath): string[] {
  try {
    return readdirSync(fsPath(directory), 'latin1');
  } catch (error) {
    if (['ENOENT', 'ENOTDIR'].includes(errnoOf(error) ?? '')) return [];
    throw error;
  }
}
