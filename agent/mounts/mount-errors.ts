/**
 * What the file system says, in the words of the error table: an errno in, a MountError with the
 * path and the attempted step out. What is not an errno known here passes through unchanged.
 */
import { MountError, errnoOf } from '../errors.ts';
import type { ErrorCode } from '../errors.ts';

const CODE_OF_ERRNO: Readonly<Record<string, ErrorCode>> = {
  ENOSPC: 'MOUNT_NO_SPACE',
  EDQUOT: 'MOUNT_NO_SPACE',
  EACCES: 'MOUNT_PERMISSION',
  EPERM: 'MOUNT_PERMISSION',
  EROFS: 'MOUNT_PERMISSION',
  EIO: 'MOUNT_IO',
  EMFILE: 'MOUNT_IO',
  ENFILE: 'MOUNT_IO',
  ENOMEM: 'MOUNT_IO',
  ENAMETOOLONG: 'MOUNT_PATH_FORBIDDEN',
  ELOOP: 'MOUNT_PATH_FORBIDDEN',
  ENOTDIR: 'MOUNT_PATH_FORBIDDEN',
};

/** Runs `work`; an errno in it becomes a MountError: `cannot <step>: ENOSPC`. */
export async function withMountErrors<T>(
  mountPath: string,
  step: string,
  work: () => Promise<T>,
): Promise<T> {
  try {
    return await work();
  } catch (error) {
    const errno = errnoOf(error) ?? '';
    const code = CODE_OF_ERRNO[errno];
    if (error instanceof MountError || code === undefined) throw error;
    const data = { mount_path: mountPath, errno };
    throw new MountError(code, `cannot ${step}: ${errno}`, { cause: error, data });
  }
}

/** The value of `work`, or null where the path (or a parent of it) does not exist. */
export async function unlessAbsent<T>(work: Promise<T>): Promise<T | null> {
  try {
    return await work;
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return null;
    throw error;
  }
}
