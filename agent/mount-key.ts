/**
 * In: a mount path. Out: the short name that the mount's files in the run directory carry: of
 * [a-z0-9-] only, so that it needs no quoting anywhere, and the same after every restart.
 */
import { createHash } from 'node:crypto';
import { basename } from 'node:path';

export function mountKey(mountPath: string): string {
  const word = basename(mountPath)
    .toLowerCase()
    .replaceAll(/[^a-z0-9]+/g, '-')
    .slice(0, 32);
  const digest = createHash('sha256').update(mountPath).digest('hex').slice(0, 12);
  return `${word}-${digest}`.replace(/^-+/, '');
}
