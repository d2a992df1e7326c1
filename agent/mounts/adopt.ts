/**
 * After a restart: a directory at the mount path in, its Head out when it is this resource's
 * complete clone; otherwise a MountError that says why not, and the directory is left alone.
 * Reads a handful of small files; no network, nothing executed, nothing written.
 */
import { lstat } from 'node:fs/promises';
import { join } from 'node:path';
import { MountError } from '../errors.ts';
import type { Head } from '../status.ts';
import { readMarker } from './completion-marker.ts';
import type { MountIdentity } from './completion-marker.ts';
import { readHead } from './head.ts';
import { unlessAbsent } from './mount-errors.ts';

/** @throws MountError MOUNT_PATH_OCCUPIED, or MOUNT_INCOMPLETE for a clone of ours that lost parts. */
export async function adoptClone(identity: MountIdentity): Promise<Head> {
  const { url, mountPath } = identity;
  const gitdir = join(mountPath, '.git');
  if (!(await isDirectory(gitdir))) {
    throw occupied(mountPath, 'is not empty and has no Git directory of its own');
  }
  const marker = readMarker(gitdir);
  if (marker === null) {
    throw occupied(mountPath, 'is a repository that mount-agent did not clone');
  }
  if (marker.url !== url) throw occupied(mountPath, `is the clone of another url than ${url}`);
  if (marker.mountPath !== mountPath) {
    throw occupied(mountPath, 'is a clone that was made for another mount_path');
  }
  // What git itself asks for before it calls a directory a repository.
  for (const part of ['objects', 'refs']) {
    if (!(await isDirectory(join(gitdir, part)))) throw incomplete(mountPath, part);
  }
  const head = readHead(gitdir);
  if (head === null) throw incomplete(mountPath, 'HEAD');
  return head;
}

async function isDirectory(path: string): Promise<boolean> {
  return (await unlessAbsent(lstat(path)))?.isDirectory() ?? false;
}

function occupied(mountPath: string, what: string): MountError {
  const data = { mount_path: mountPath };
  return new MountError('MOUNT_PATH_OCCUPIED', `${mountPath} ${what}`, { data });
}

function incomplete(mountPath: string, part: string): MountError {
  return new MountError('MOUNT_INCOMPLETE', `the clone at ${mountPath} has lost .git/${part}`, {
    data: { mount_path: mountPath },
  });
}
