/** A failed system call in, the AgentError that the user can act on out. Everything else passes. */
import { MountError, errnoOf } from '../errors.ts';

export function asStorageError(error: unknown, what: string): unknown {
  const errno = errnoOf(error);
  if (errno === undefined || !(error instanceof Error) || !('syscall' in error)) return error;
  const full = errno === 'ENOSPC' || errno === 'EDQUOT';
  const denied = errno === 'EACCES' || errno === 'EPERM' || errno === 'EROFS';
  const code = full ? 'MOUNT_NO_SPACE' : denied ? 'MOUNT_PERMISSION' : 'MOUNT_IO';
  return new MountError(code, `${what}: ${error.message}`, { cause: error, data: { errno } });
}
