/**
 * A rescue file and a directory that does not exist yet in; a repository of its own there out, as the
 * lost clone was. The clone at the mount only lends what the remote has: its objects, by hard links or
 * copies, so that neither can harm the other. The directory comes into being by one rename.
 */
import { randomBytes } from 'node:crypto';
import { cpSync, linkSync, mkdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { AgentError, errnoOf } from '../errors.ts';
import { asStorageError } from '../pack/storage-error.ts';
import { displayPath, toBytePath } from '../repository/byte-path.ts';
import type { BytePath } from '../repository/byte-path.ts';
import { kindAt, openClone } from './fresh-clone.ts';
import { list } from './publish.ts';
import { restore } from './restore.ts';
import type { RestoreOutcome, RestoreProgress } from './restore.ts';
import { assignment } from './restored-config.ts';

export interface BesideContext {
  readonly file: string;
  /** A clone of the repository; what it holds is only read. */
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
  const { into, mount } = context;
  requireVacant(into);
  const { config } = openClone(mount);
  const draft = join(dirname(into), `.${basename(into)}.${randomBytes(4).toString('hex')}`);
  try {
    mkdirSync(dirname(into), { recursive: true });
    mkdirSync(draft);
    makeRepository(`${draft}/.git`, config.get('remote.origin.url') ?? '');
    lendObjects(toBytePath(`${mount}/.git/objects`), `${draft}/.git/objects`);
    const outcome = await restore({ ...context, mount: draft, mountPath: into });
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
