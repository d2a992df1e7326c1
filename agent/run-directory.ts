/** The daemon's own directory: made for its user alone when it is not there yet. */
import { mkdir } from 'node:fs/promises';
import { AgentError, errnoOf } from './errors.ts';

/** @throws RUN_DIR_UNUSABLE */
export async function makeRunDirectory(path: string): Promise<void> {
  try {
    await mkdir(path, { recursive: true, mode: 0o700 });
  } catch (error) {
    const errno = errnoOf(error);
    if (errno === undefined) throw error;
    throw new AgentError('RUN_DIR_UNUSABLE', `cannot make the run directory ${path}: ${errno}`, {
      cause: error,
    });
  }
}
