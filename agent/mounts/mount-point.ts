/**
 * Whether something is mounted exactly at a directory: nothing can be renamed over a mount point.
 * The device number tells it everywhere but for bind mounts; those Linux lists in proc(5)'s
 * mountinfo.
 */
import { lstat, readFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { unlessAbsent } from './mount-errors.ts';

const MOUNTINFO = '/proc/self/mountinfo';
/** Counted from 0; the mount point relative to the process's root. */
const MOUNT_POINT_FIELD = 4;

export async function isMountPoint(directory: string): Promise<boolean> {
  const [self, parent] = await Promise.all([lstat(directory), lstat(dirname(directory))]);
  if (self.dev !== parent.dev) return true;
  const mountinfo = (await unlessAbsent(readFile(MOUNTINFO, 'utf8'))) ?? '';
  return mountinfo
    .split('\n')
    .some((line) => unescapeOctal(line.split(' ')[MOUNT_POINT_FIELD] ?? '') === directory);
}

/** Space, tab, newline and backslash stand as `\040` and so on. */
function unescapeOctal(field: string): string {
  return field.replace(/\\([0-7]{3})/g, (_, octal: string) =>
    String.fromCharCode(Number.parseInt(octal, 8)),
  );
}
