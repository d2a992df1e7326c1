/**
 * Where the control socket stands: the one fact that its server and its clients share.
 */
import { join } from 'node:path';
import { AgentError } from '../errors.ts';

/** unix(7): sun_path holds 108 bytes with its NUL; a longer path would be cut off without a word. */
const LONGEST_SOCKET_PATH_BYTES = 107;

/** @throws AgentError RUN_DIR_UNUSABLE when the path is too long for a socket. */
export function controlPath(runDir: string): string {
  const path = join(runDir, 'agent.sock');
  const length = Buffer.byteLength(path);
  if (length > LONGEST_SOCKET_PATH_BYTES) {
    throw new AgentError(
      'RUN_DIR_UNUSABLE',
      `expected a socket path of at most ${LONGEST_SOCKET_PATH_BYTES} bytes, got ${length}: ${path}`,
      { remedy: 'Give --run-dir a shorter path.', data: { path, length } },
    );
  }
  return path;
}
