/**
 * The repositories of a rescue in; out: where the worktree and the Git directory of each go. A Git
 * directory goes only where git itself puts one: in its worktree, or as a submodule's or a linked
 * worktree's in another; and a worktree only into the mount. A linked one that stood outside of it goes
 * there again only when that is asked for; else it finds a place in the mount's Git directory, where
 * no rescue can say what it meets.
 */
import { MODE } from '../checkout/index-entry.ts';
import { AgentError } from '../errors.ts';
import { displayPath } from '../repository/byte-path.ts';
import type { BytePath } from '../repository/byte-path.ts';
import { gitdirOf, pathOf } from './format.ts';
import type { RepositoryRecord } from './format.ts';
import { checkAbsolutePath, checkWorktreePath, refusedPath } from './path-rules.ts';

export interface RepositoryPlan {
  readonly record: RepositoryRecord;
  /** Relative to the mount, empty for the mount; absolute for a linked worktree outside; null: none. */
  readonly worktree: BytePath | null;
  /** Where it stood, when that is not where it goes. */
  readonly stoodAt: BytePath | null;
  /** Relative to the mount. */
  readonly gitdir: BytePath;
  /** Whose objects it uses; its own number unless it is a linked worktree. */
  readonly owner: number;
}

export interface PlacedRepositories {
  readonly placed: readonly RepositoryPlan[];
  /** By number: what is not put back, and why. */
  readonly leftOut: ReadonlyMap<number, { readonly what: string; readonly why: string }>;
}

const ID = /^[^/.\0][^/\0]{0,200}$/;
const OUTSIDE = 'it stood outside the mount, and only linked worktrees can be put elsewhere';
/** For linked worktrees that stood outside the mount; `git worktree move` takes them further. */
export const WORKTREES = '.git/mount-agent-worktrees';

/** @throws RESCUE_INVALID, RESCUE_PATH_REFUSED. */
export function placeRepositories(
  records: readonly RepositoryRecord[],
  outsideWorktrees: boolean,
): PlacedRepositories {
  const placed: RepositoryPlan[] = [];
  const leftOut = new Map<number, { what: string; why: string }>();
  for (const [at, record] of records.entries()) {
    const { number, kind, has_worktree: hasWorktree, shares_with: shared } = record;
    if (number !== at || (kind === 'mount') !== (at === 0)) {
      throw new AgentError('RESCUE_INVALID', `repository ${number} is out of order`);
    }
    const stoodAt = hasWorktree ? pathOf(record) : null;
    const isOutside = stoodAt?.startsWith('/') === true;
    if (isOutside) checkAbsolutePath(stoodAt);
    if ((isOutside && kind !== 'linked') || leftOut.has(shared ?? -1)) {
      const what = `the ${kind} repository at ${displayPath(stoodAt ?? '')}`;
      leftOut.set(number, { what, why: OUTSIDE });
      continue;
    }
    const gitdir = gitdirFor(record, stoodAt, placed);
    const goesElsewhere = isElsewhere(record, stoodAt, outsideWorktrees);
    if (stoodAt !== null && !isOutside && !goesElsewhere && kind !== 'mount') {
      checkWorktreePath(stoodAt, MODE.directory);
    }
    const worktree = goesElsewhere ? placeInGitdir(gitdir, number, placed) : stoodAt;
    const moved = worktree === stoodAt ? null : stoodAt;
    placed.push({ record, worktree, stoodAt: moved, gitdir, owner: shared ?? number });
  }
  if (placed[0]?.worktree !== '') throw new AgentError('RESCUE_INVALID', 'there is no mount in it');
  refuseOverlaps(placed);
  return { placed, leftOut };
}

/** Outside the mount, or where an earlier restore has put one from there. */
function isElsewhere(
  { kind }: RepositoryRecord,
  worktree: BytePath | null,
  outsideWorktrees: boolean,
): boolean {
  if (kind !== 'linked' || worktree === null) return false;
  if (worktree.startsWith(`${WORKTREES}/`)) return true;
  return worktree.startsWith('/') && !outsideWorktrees;
}

/** A name that nothing else has, and that is no path. */
function placeInGitdir(
  gitdir: BytePath,
  number: number,
  placed: readonly RepositoryPlan[],
): BytePath {
  const id = gitdir.slice(gitdir.lastIndexOf('/') + 1);
  checkWorktreePath(id, MODE.directory);
  const place = `${WORKTREES}/${id}`;
  return placed.some(({ worktree }) => worktree === place) ? `${place}-${number}` : place;
}

function gitdirFor(
  record: RepositoryRecord,
  worktree: BytePath | null,
  placed: readonly RepositoryPlan[],
): BytePath {
  const { kind, number, shares_with: shared } = record;
  if ((kind === 'linked') !== (shared !== null)) {
    throw new AgentError('RESCUE_INVALID', `repository ${number}: whose objects does it use?`);
  }
  if (kind === 'mount') return '.git';
  const given = gitdirOf(record);
  if (kind === 'linked') {
    const owner = placed.find((plan) => plan.record.number === shared);
    const id = given.slice(given.lastIndexOf('/') + 1);
    if (owner === undefined || owner.record.kind === 'linked' || !ID.test(id)) {
      throw refusedPath(given, 'is no Git directory of a linked worktree');
    }
    return `${owner.gitdir}/worktrees/${id}`;
  }
  if (kind === 'submodule' && given.startsWith('.git/modules/')) {
    checkWorktreePath(given.slice('.git/'.length), MODE.directory);
    return given;
  }
  if (worktree === null || worktree === '' || worktree.startsWith('/')) {
    throw refusedPath(given, 'is no Git directory of a submodule');
  }
  // Where it stood elsewhere, it comes back where every repository has it.
  return `${worktree}/.git`;
}

/** A Git directory lies in another one only as its submodule's or its linked worktree's. */
function refuseOverlaps(placed: readonly RepositoryPlan[]): void {
  const gitdirs = new Set<BytePath>();
  for (const { gitdir } of placed) {
    if (gitdirs.has(gitdir)) throw refusedPath(gitdir, 'is the Git directory of two repositories');
    gitdirs.add(gitdir);
  }
  for (const { gitdir } of placed) {
    for (let end = gitdir.lastIndexOf('/'); end > 0; end = gitdir.lastIndexOf('/', end - 1)) {
      if (!gitdirs.has(gitdir.slice(0, end))) continue;
      if (/^\/(?:modules|worktrees)\/./.test(gitdir.slice(end))) break;
      throw refusedPath(gitdir, 'lies in another Git directory');
    }
  }
}
