/**
 * Where a clone is built before it is put in place: `.mount-agent-<hash>/clone` beside the mount
 * path, so on its file system. Invariant: at any moment the mount path is absent, empty, or a
 * complete clone, because it comes into being by one rename(2) of a clone with its marker.
 * Nothing is removed but what carries our owner file (or holds nothing at all).
 */
import { createHash } from 'node:crypto';
import { chown, lstat, mkdir, open, readdir, rename, rm, rmdir } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { MountError, errnoOf } from '../errors.ts';
import { writeMarker } from './completion-marker.ts';
import type { Completion, MountIdentity } from './completion-marker.ts';
import { unlessAbsent, withMountErrors } from './mount-errors.ts';
import { createParents, findMissingParents, inspectMountPath } from './mount-path-state.ts';
import type { MountContext } from './mount-path-state.ts';
import {
  OWNER_FILE,
  OWNER_FILE_DRAFT,
  isOtherLiveProcess,
  readStagingOwner,
  writeStagingOwner,
} from './staging-owner.ts';

const NAME_PREFIX = '.mount-agent-';
/** What git reads first; the clone itself has made its packs durable. */
const DURABLE_IN_GITDIR = ['HEAD', 'config', 'packed-refs', 'index'];

/** The same for every run, so that a later one finds what an earlier one left. */
export function stagingDirectoryOf(mountPath: string): string {
  const hash = createHash('sha256').update(mountPath).digest('hex').slice(0, 16);
  return join(dirname(mountPath), NAME_PREFIX + hash);
}

/**
 * Removes what an ended run left of the mount path's staging.
 * @throws MountError MOUNT_PATH_OCCUPIED when something else bears its name, or its run still lives.
 */
export async function sweepStaging(mountPath: string): Promise<void> {
  const directory = stagingDirectoryOf(mountPath);
  await withMountErrors(mountPath, `sweep ${directory}`, async () => {
    const stats = await unlessAbsent(lstat(directory));
    if (stats === null) return;
    if (!stats.isDirectory()) throw inTheWay(mountPath, directory, 'is not a directory');
    if (stats.uid !== process.geteuid?.()) {
      throw inTheWay(mountPath, directory, `belongs to another user (uid ${stats.uid})`);
    }
    const owner = readStagingOwner(directory);
    if (owner === null) {
      // A run that ended right after mkdir; more than the draft of an owner file is not ours.
      const entries = await readdir(directory);
      if (entries.some((name) => name !== OWNER_FILE_DRAFT)) {
        throw inTheWay(mountPath, directory, 'was not made by mount-agent');
      }
    } else if (owner.mountPath !== mountPath) {
      throw inTheWay(mountPath, directory, 'was made for another mount_path');
    } else if (await isOtherLiveProcess(owner)) {
      throw inTheWay(mountPath, directory, `is in use by process ${owner.pid}`);
    }
    await removeStaging(directory);
  });
}

/** Creates missing parents and an empty staging; the caller disposes of it. */
export async function createStaging(
  identity: MountIdentity,
  context: MountContext,
): Promise<Staging> {
  const { mountPath } = identity;
  const createdParents = await createParents(mountPath, context);
  const staging = new Staging(identity, context, createdParents);
  await withMountErrors(mountPath, `create ${staging.directory}`, async () => {
    try {
      // With an owner, its processes must be able to reach the clone; the rest stays closed.
      await mkdir(staging.directory, context.owner === null ? 0o700 : 0o711);
    } catch (error) {
      if (errnoOf(error) !== 'EEXIST') throw error;
      throw inTheWay(mountPath, staging.directory, 'came into being beside this run');
    }
    try {
      await fillStaging(staging, mountPath, context);
    } catch (error) {
      await removeStaging(staging.directory);
      throw error;
    }
  });
  return staging;
}

async function fillStaging(
  { directory, clonePath }: Staging,
  mountPath: string,
  { owner }: MountContext,
): Promise<void> {
  await writeStagingOwner(directory, mountPath);
  await mkdir(clonePath);
  if (owner !== null) await chown(clonePath, owner.uid, owner.gid);
}

export class Staging implements AsyncDisposable {
  readonly directory: string;
  /** The worktree to be: empty at first, with `.git` and everything else when it is published. */
  readonly clonePath: string;
  /** Parents of the mount path that were not there before. */
  readonly createdParents: readonly string[];
  readonly #identity: MountIdentity;
  readonly #context: MountContext;
  #published = false;

  constructor(identity: MountIdentity, context: MountContext, createdParents: readonly string[]) {
    this.#identity = identity;
    this.#context = context;
    this.createdParents = createdParents;
    this.directory = stagingDirectoryOf(identity.mountPath);
    this.clonePath = join(this.directory, 'clone');
  }

  /** Puts the finished clone in place: marker, fsync, a last look at the mount path, rename, fsync. */
  async publish(completion: Completion): Promise<void> {
    const { mountPath } = this.#identity;
    await withMountErrors(mountPath, `publish the clone at ${mountPath}`, async () => {
      const gitdir = join(this.clonePath, '.git');
      await writeMarker(gitdir, this.#identity, completion, this.#context.owner);
      // Together: a file system with a journal writes that once for all of them.
      await Promise.all([
        ...DURABLE_IN_GITDIR.map((name) => unlessAbsent(sync(join(gitdir, name)))),
        ...[gitdir, this.clonePath].map(sync),
      ]);
      // The clones of other mounts, or anybody, may have changed what is there since the first look.
      await this.#expectVacant();
      await renameIntoPlace(this.clonePath, mountPath);
      this.#published = true;
      await sync(dirname(mountPath));
      await removeStaging(this.directory);
    });
  }

  /** Removes the staging and what is in it, unless it was published. */
  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#published) return;
    const { mountPath } = this.#identity;
    await withMountErrors(mountPath, `remove ${this.directory}`, () =>
      removeStaging(this.directory),
    );
  }

  async #expectVacant(): Promise<void> {
    const { mountPath } = this.#identity;
    const missing = await findMissingParents(mountPath);
    if (missing.length > 0) {
      throw inTheWay(mountPath, missing[0] ?? '', 'went away while the clone was made');
    }
    const { kind } = await inspectMountPath(this.#identity, this.#context);
    if (kind === 'complete') {
      throw inTheWay(mountPath, mountPath, 'was filled while the clone was made');
    }
  }
}

async function renameIntoPlace(clonePath: string, mountPath: string): Promise<void> {
  try {
    await rename(clonePath, mountPath);
  } catch (error) {
    const errno = errnoOf(error) ?? '';
    const options = { cause: error, data: { mount_path: mountPath, errno } };
    if (['ENOTEMPTY', 'EEXIST', 'ENOTDIR'].includes(errno)) {
      const message = `${mountPath} was filled while the clone was made`;
      throw new MountError('MOUNT_PATH_OCCUPIED', message, options);
    }
    if (['EBUSY', 'EXDEV'].includes(errno)) {
      throw new MountError('MOUNT_PATH_IS_MOUNT_POINT', `${mountPath} is a mount point`, options);
    }
    throw error;
  }
}

/** The owner file goes last but the directory itself: what is left of a crash is still marked. */
async function removeStaging(directory: string): Promise<void> {
  const entries = (await unlessAbsent(readdir(directory))) ?? [];
  for (const name of entries.filter((entry) => entry !== OWNER_FILE)) {
    await rm(join(directory, name), { recursive: true, force: true, maxRetries: 3 });
  }
  await rm(join(directory, OWNER_FILE), { force: true });
  await unlessAbsent(rmdir(directory));
}

async function sync(path: string): Promise<void> {
  await using file = await open(path, 'r');
  await file.sync();
}

function inTheWay(mountPath: string, path: string, what: string): MountError {
  return new MountError('MOUNT_PATH_OCCUPIED', `${path} ${what}`, {
    data: { mount_path: mountPath, path },
  });
}
