/**
 * A mount in; out: its repository, once nothing in it would be lost by a restore, or a refusal that
 * says what is there. "Fresh" is what the readers of the repository call clean: no change, no
 * untracked file, no commit, stash or operation that only this disk has.
 */
import { lstatSync } from 'node:fs';
import { AgentError } from '../errors.ts';
import { ObjectStore } from '../pack/object-store.ts';
import { displayPath, fsPath, toBytePath } from '../repository/byte-path.ts';
import type { BytePath } from '../repository/byte-path.ts';
import { CommitSource } from '../repository/commits.ts';
import { Doubt } from '../repository/doubt.ts';
import { FileContent } from '../repository/file-content.ts';
import { readObject } from '../repository/objects.ts';
import { readOperation } from '../repository/operation.ts';
import { Pace } from '../repository/pace.ts';
import { readBytesAsText } from '../repository/read-file.ts';
import { countStashes, readRefs } from '../repository/refs.ts';
import type { RefTable } from '../repository/refs.ts';
import { readClonedTags, readFetchedTags } from '../repository/remote-tags.ts';
import { findGitdir, openRepository } from '../repository/repository.ts';
import type { Repository } from '../repository/repository.ts';
import { findStaged } from '../repository/staged.ts';
import { readTracked } from '../repository/tracked.ts';
import { readUnpushed } from '../repository/unpushed.ts';
import { findUnstaged } from '../repository/unstaged.ts';
import { findUntracked } from '../repository/untracked.ts';
import { treeOf } from './links.ts';

const SHOWN = 5;

/** @throws RESCUE_TARGET_INVALID when there is no clone with a Git directory of its own. */
export function openClone(mount: string): Repository {
  const worktree = toBytePath(mount);
  try {
    const repository = openRepository(worktree);
    const own = `${worktree}/.git`;
    const isOwn = repository.gitdir === own && repository.commondir === own;
    if (isOwn && lstatSync(fsPath(own)).isDirectory()) return repository;
  } catch (error) {
    if (!(error instanceof Doubt)) throw error;
    throw notAClone(mount, error.message, error);
  }
  throw notAClone(mount, 'its Git directory stands elsewhere');
}

function notAClone(mount: string, why: string, cause?: Error): AgentError {
  const message = `expected a clone at ${mount}: ${why}`;
  return new AgentError('RESCUE_TARGET_INVALID', message, cause === undefined ? {} : { cause });
}

/** @throws RESCUE_TARGET_HAS_WORK with what was found. */
export async function requireFresh(repository: Repository, signal?: AbortSignal): Promise<void> {
  let found: string[];
  try {
    found = await findWork(repository, new Pace(signal));
  } catch (error) {
    if (!(error instanceof Doubt)) throw error;
    found = [`it cannot be read with certainty: ${error.message}`];
  }
  if (found.length === 0) return;
  const mount = displayPath(repository.worktree);
  throw new AgentError(
    'RESCUE_TARGET_HAS_WORK',
    `${mount} has work of its own: ${found.join('; ')}`,
  );
}

/** In words; empty when nothing would be lost. */
async function findWork(repository: Repository, pace: Pace): Promise<string[]> {
  using objects = ObjectStore.open(`${displayPath(repository.commondir)}/objects`);
  const refs = await readRefs(repository, pace);
  const operation = readOperation(repository.gitdir);
  const stashes = countStashes(repository, refs);
  const shallow = readBytesAsText(`${repository.commondir}/shallow`) ?? '';
  const commits = new CommitSource(objects, new Set(shallow.split('\n')));
  const tags = new Map([...readClonedTags(repository), ...readFetchedTags(repository)]);
  const unpushed = await readUnpushed(refs, tags, commits, pace);
  const paths = await findChanges(repository, objects, refs, pace);
  const found: string[] = [];
  if (operation !== null) found.push(`a ${operation} under way`);
  if (stashes > 0) found.push(`${stashes} in the stash`);
  if (unpushed.count > 0) found.push(`${unpushed.count} commits that are not pushed`);
  if (refs.otherHeads.size > 0) found.push(`${refs.otherHeads.size} linked worktrees`);
  if (paths.size > 0) found.push(describePaths(paths));
  return found;
}

async function findChanges(
  repository: Repository,
  objects: ObjectStore,
  refs: RefTable,
  pace: Pace,
): Promise<Set<BytePath>> {
  const paths = new Set<BytePath>();
  const onPath = (path: BytePath): void => void paths.add(path);
  const onChangedAt = (): void => undefined;
  const doubts: string[] = [];
  const tracked = await readTracked(repository.gitdir, pace, { repository, objects, doubts });
  if (doubts[0] !== undefined) throw new Doubt(doubts[0]);
  await findStaged({ objects, tracked, pace, onPath }, treeOfHead(objects, refs.head.oid));
  await findUnstaged({
    ...{ repository, tracked, pace, onPath, onChangedAt },
    content: new FileContent(repository, tracked, objects, new Map(), pace),
    // One that is there already is not where a restore puts its own.
    isSubmoduleChanged: (path) =>
      Promise.resolve(findGitdir(`${repository.worktree}/${path}`) !== undefined),
  });
  const onDoubt = (reason: string): void => {
    throw new Doubt(reason);
  };
  await findUntracked({ repository, tracked, pace, onPath, onChangedAt, onDoubt });
  return paths;
}

/** The tree of a commit; null for none. @throws Doubt */
export function treeOfHead(
  objects: Pick<ObjectStore, 'read'>,
  commitOid: string | null,
): string | null {
  if (commitOid === null) return null;
  const tree = treeOf(readObject(objects, commitOid, 'commit'));
  if (tree === undefined) throw new Doubt(`the commit ${commitOid} is damaged`);
  return tree;
}

function describePaths(paths: ReadonlySet<BytePath>): string {
  const shown = [...paths].slice(0, SHOWN).map((path) => JSON.stringify(displayPath(path)));
  const more = paths.size > SHOWN ? ` and ${paths.size - SHOWN} more` : '';
  return `${shown.join(', ')}${more}`;
}
