/**
 * A rescue file and a directory that does not exist yet in; a repository of its own there out, as the
 * lost clone was. The clone at the mount only lends what the remote has: its objects, by hard links or
 * copies, so that neither can harm the other. Without a clone, or with one that lacks what the work
 * builds on, the directory gets what the rescue itself holds. It comes into being by one rename.
 */
import { cpSync, linkSync, mkdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { AgentError, errnoOf } from '../errors.ts';
import { asStorageError } from '../pack/storage-error.ts';
import { displayPath, toBytePath } from '../repository/byte-path.ts';
import type { BytePath } from '../repository/byte-path.ts';
import type { Repository } from '../repository/repository.ts';
import { openClone } from './fresh-clone.ts';
import { kindAt } from './kind-at.ts';
import { draftName, sweepDirectoryDrafts } from './drafts.ts';
import { list } from './publish.ts';
import { restore } from './restore.ts';
import type { RestoreOutcome, RestoreProgress } from './restore.ts';
import { assignment } from './restored-config.ts';
import { salvage } from './salvage.ts';
import { readHeader } from './shelf.ts';

export interface BesideContext {
  readonly file: string;
  /** A clone of the repository, if there is one; what it holds is only read. */
  readonly mount: string;
  /** Absent, or an empty directory. */
  readonly into: string;
  readonly withHooks?: boolean;
  readonly withConfig?: boolean;
  readonly signal: AbortSignal;
  readonly onProgress?: (progress: RestoreProgress) => void;
}

/** @throws what restore() throws; RESCUE_TARGET_HAS_WORK when something is at `into`. */
export async function restoreBeside(context: BesideContext): Promise<RestoreOutcome> {
  requireVacant(context.into);
  const clone = cloneAt(context.mount);
  try {
    return await comeIntoBeing(context.into, (draft) => restoreInto(context, clone, draft));
  } catch (error) {
    const isIncomplete = error instanceof AgentError && error.code === 'RESCUE_OBJECTS_MISSING';
    if (!isIncomplete) throw error;
    return await salvageInto(context, clone === null ? null : `${context.mount}/.git/objects`);
  }
}

/** null when there is none to lend anything. */
function cloneAt(mount: string): Repository | null {
  try {
    return openClone(mount);
  } catch (error) {
    if (error instanceof AgentError && error.code === 'RESCUE_TARGET_INVALID') return null;
    throw error;
  }
}

async function restoreInto(
  context: BesideContext,
  clone: Repository | null,
  draft: string,
): Promise<RestoreOutcome> {
  const { file, into, mount } = context;
  const url = clone?.config.get('remote.origin.url') ?? toBytePath((await readHeader(file)).url);
  makeRepository(`${draft}/.git`, url);
  if (clone !== null) {
    lendObjects(toBytePath(`${mount}/.git/objects`), `${draft}/.git/objects`);
  }
  return restore({ ...context, mount: draft, mountPath: into });
}

function salvageInto(
  { file, into, signal, onProgress }: BesideContext,
  cloneObjects: string | null,
): Promise<RestoreOutcome> {
  return comeIntoBeing(into, (draft) => salvage({ file, draft, cloneObjects, signal, onProgress }));
}

async function comeIntoBeing<T>(into: string, fill: (draft: string) => Promise<T>): Promise<T> {
  const [parent, name] = [dirname(into), basename(into)];
  const draft = join(parent, draftName(name));
  try {
    mkdirSync(parent, { recursive: true });
    sweepDirectoryDrafts(parent, name);
    mkdirSync(draft);
    const outcome = await fill(draft);
    renameSync(draft, into);
    return outcome;
  } catch (error) {
    throw asStorageError(error, `restoring into ${into}`);
  } finally {
    rmSync(draft, { recursive: true, force: true });
  }
}

function requireVacant(into: string): void {
  const kind = kindAt(toBytePath(into));
  if (kind === 'nothing' || (kind === 'directory' && list(toBytePath(into)).length === 0)) return;
  throw new AgentError('RESCUE_TARGET_HAS_WORK', `${into} is there already`, {
    remedy: 'Give --into a directory that does not exist.',
  });
}

/** What `git init` and a remote make: a clone before its first commit. */
function makeRepository(gitdir: string, url: BytePath): void {
  for (const name of ['objects/pack', 'objects/info', 'refs/heads', 'refs/tags']) {
    mkdirSync(join(gitdir, name), { recursive: true });
  }
  writeFileSync(join(gitdir, 'HEAD'), 'ref: refs/heads/restored\n');
  const lines = [
    ['core.repositoryformatversion', '0'],
    ['core.filemode', 'true'],
    ['core.bare', 'false'],
    ['core.logallrefupdates', 'true'],
    ['remote.origin.url', url],
    ['remote.origin.fetch', '+refs/heads/*:refs/remotes/origin/*'],
  ] as const;
  const text = lines.map(([key, value]) => assignment(key, value)).join('');
  writeFileSync(join(gitdir, 'config'), text, 'latin1');
}

/** Packs and loose objects never change: a hard link is as good as a copy, where it can be made. */
function lendObjects(from: BytePath, to: string): void {
  for (const { name, isDirectory } of list(from)) {
    if (!isDirectory || !/^(?:pack|[0-9a-f]{2})$/.test(name)) continue;
    mkdirSync(join(to, name), { recursive: true });
    for (const file of list(`${from}/${name}`)) {
      if (file.isDirectory || /^tmp_|\.(?:keep|promisor|lock)$/.test(file.name)) continue;
      lend(displayPath(`${from}/${name}/${file.name}`), join(to, name, file.name));
    }
  }
}

function lend(from: string, to: string): void {
  try {
    linkSync(from, to);
  } catch (error) {
    if (!['EXDEV', 'EPERM', 'EMLINK', 'ENOTSUP'].includes(errnoOf(error) ?? '')) throw error;
    cpSync(from, to);
  }
}
