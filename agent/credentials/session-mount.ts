/**
 * In: the session's resources. Out: what the files are made from: each mount with its key and the
 * directories under which git may see it, and the token that stands for a host outside any mount.
 */
import { realpath } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { errnoOf } from '../errors.ts';
import type { Resource } from '../resource.ts';
import { mountKey } from '../mount-key.ts';

export interface SessionMount {
  readonly key: string;
  readonly resource: Resource;
  /** The mount path, and the real one where a parent is a symbolic link: git compares both. */
  readonly directories: readonly string[];
}

export async function sessionMounts(resources: readonly Resource[]): Promise<SessionMount[]> {
  return Promise.all(
    resources.map(async (resource) => ({
      key: mountKey(resource.mountPath),
      resource,
      directories: [...new Set([resource.mountPath, await realPathOf(resource.mountPath)])],
    })),
  );
}

/** The real path of what exists of `path`, with the rest, which is yet to be created, appended. */
async function realPathOf(path: string): Promise<string> {
  try {
    return await realpath(path);
  } catch (error) {
    if (errnoOf(error) !== 'ENOENT' || dirname(path) === path) throw error;
    return join(await realPathOf(dirname(path)), basename(path));
  }
}

/** The scheme and host that a token belongs to, as git's configuration names it. */
export function originOf(resource: Resource): string {
  return `${resource.protocol}://${resource.host}`;
}

/** One mount for each scheme and host of which the session has exactly one distinct token. */
export function defaultMounts(mounts: readonly SessionMount[]): SessionMount[] {
  const firsts = new Map<string, SessionMount>();
  const ambiguous = new Set<string>();
  for (const mount of mounts) {
    const origin = originOf(mount.resource);
    const first = firsts.get(origin);
    if (first === undefined) firsts.set(origin, mount);
    else if (!first.resource.token.equals(mount.resource.token)) ambiguous.add(origin);
  }
  return [...firsts].filter(([origin]) => !ambiguous.has(origin)).map(([, mount]) => mount);
}
