/**
 * What stands at a mount path and above it, before anything is written there: absent, an empty
 * directory, or a complete clone of ours; a MountError for everything else. Links are never
 * followed: the path must be its own real path, component by component.
 */
import { chmod, lchown, lstat, mkdir, opendir } from 'node:fs/promises';
import { dirname } from 'node:path';
import { MountError, errnoOf } from '../errors.ts';
import type { ErrorCode } from '../errors.ts';
import type { Head } from '../status.ts';
import { adoptClone } from './adopt.ts';
import type { MountIdentity, Owner } from './completion-marker.ts';
import { unlessAbsent, withMountErrors } from './mount-errors.ts';
import { isMountPoint } from './mount-point.ts';

export interface MountContext {
  /** Who shall own the clones; null is the user that runs the daemon. */
  readonly owner: Owner | null;
}

export type MountPathState =
  { readonly kind: 'absent' | 'empty' } | { readonly kind: 'complete'; readonly head: Head };

export async function inspectMountPath(
  identity: MountIdentity,
  context: MountContext,
): Promise<MountPathState> {
  const { mountPath } = identity;
  return withMountErrors(mountPath, `look at ${mountPath}`, async () => {
    const stats = await unlessAbsent(lstat(mountPath));
    if (stats === null) return { kind: 'absent' };
    if (stats.isSymbolicLink()) throw refusal('MOUNT_PATH_OCCUPIED', mountPath, 'is a link');
    if (!stats.isDirectory()) throw refusal('MOUNT_PATH_OCCUPIED', mountPath, 'is a file');
    if (!mayBelongTo(stats.uid, context)) {
      throw refusal('MOUNT_PATH_OCCUPIED', mountPath, `belongs to another user (uid ${stats.uid})`);
    }
    const mounted = await isMountPoint(mountPath);
    if (!(await isEmpty(mountPath))) {
      const head = await adoptClone(identity).catch((error: unknown) => {
        // A fresh volume is not empty either (lost+found); what it is helps more than what it holds.
        throw mounted && error instanceof MountError ? mountPoint(mountPath) : error;
      });
      return { kind: 'complete', head };
    }
    if (mounted) throw mountPoint(mountPath);
    return { kind: 'empty' };
  });
}

/** The parents of the mount path that do not exist yet, from the top; the others are real directories. */
export async function findMissingParents(mountPath: string): Promise<string[]> {
  const missing: string[] = [];
  await withMountErrors(mountPath, `look at the parents of ${mountPath}`, async () => {
    for (const parent of parentsFromTop(mountPath)) {
      const stats = missing.length > 0 ? null : await unlessAbsent(lstat(parent));
      if (stats === null) missing.push(parent);
      else if (!stats.isDirectory()) {
        const what = stats.isSymbolicLink() ? 'a symbolic link' : 'not a directory';
        const message = `lies below ${parent}, which is ${what}`;
        throw refusal('MOUNT_PATH_FORBIDDEN', mountPath, message);
      }
    }
  });
  return missing;
}

/**
 * Creates the missing parents, 0755 whatever the umask, for the owner: given away from the lowest
 * up, so that nobody can put a link above one that is still to be given.
 */
export async function createParents(mountPath: string, context: MountContext): Promise<string[]> {
  const created: string[] = [];
  for (const parent of await findMissingParents(mountPath)) {
    await withMountErrors(mountPath, `create ${parent}`, async () => {
      try {
        await mkdir(parent);
      } catch (error) {
        // Another mount below the same parent was faster; the second look judges what is there.
        if (errnoOf(error) === 'EEXIST') return;
        throw error;
      }
      created.push(parent);
      await chmod(parent, 0o755);
    });
  }
  if (context.owner !== null) await giveAway(created.toReversed(), context.owner, mountPath);
  return created;
}

async function giveAway(
  directories: readonly string[],
  { uid, gid }: Owner,
  mountPath: string,
): Promise<void> {
  for (const directory of directories) {
    await withMountErrors(mountPath, `give ${directory} to its owner`, () =>
      lchown(directory, uid, gid),
    );
  }
}

function parentsFromTop(mountPath: string): string[] {
  const parents: string[] = [];
  for (let at = dirname(mountPath); at !== '/'; at = dirname(at)) parents.unshift(at);
  return parents;
}

/** The daemon's user or the clones' owner. */
function mayBelongTo(uid: number, { owner }: MountContext): boolean {
  return uid === process.geteuid?.() || uid === owner?.uid;
}

async function isEmpty(directory: string): Promise<boolean> {
  const entries = await opendir(directory);
  try {
    return (await entries.read()) === null;
  } finally {
    await entries.close();
  }
}

function mountPoint(mountPath: string): MountError {
  return refusal('MOUNT_PATH_IS_MOUNT_POINT', mountPath, 'is a mount point');
}

function refusal(code: ErrorCode, mountPath: string, what: string): MountError {
  return new MountError(code, `${mountPath} ${what}`, { data: { mount_path: mountPath } });
}
