/**
 * `.git/mount-agent.json`: written into a clone when everything else in it is, so that a clone
 * with it is whole. It says of which url and for which mount path; its reader trusts no more than
 * that, because the clone's user can write it.
 */
import { open } from 'node:fs/promises';
import { join } from 'node:path';
import { displayPath, toBytePath } from '../repository/byte-path.ts';
import { readPackedRefs } from '../repository/refs.ts';
import type { Resource } from '../resource.ts';
import type { Head } from '../status.ts';
import { readJsonObject } from './json-file.ts';
import type { Owner } from '../host.ts';

export type { Owner };

export type MountIdentity = Pick<Resource, 'url' | 'mountPath'>;

export interface Completion {
  readonly head: Head;
  readonly clonedAt: Date;
}

const MARKER = 'mount-agent.json';
const VERSION = 1;

export async function writeMarker(
  gitdir: string,
  { url, mountPath }: MountIdentity,
  { head, clonedAt }: Completion,
  owner: Owner | null,
): Promise<void> {
  const path = join(gitdir, MARKER);
  await using file = await open(path, 'wx', 0o644);
  const marker = {
    version: VERSION,
    url,
    mount_path: mountPath,
    cloned_at: clonedAt.toISOString(),
    head,
    tags: readTags(gitdir),
  };
  await file.writeFile(`${JSON.stringify(marker, null, 2)}\n`);
  await file.sync();
  // Not by path: the clone's owner, who is not to gain by this, may have put a link there by now.
  if (owner !== null) await file.chown(owner.uid, owner.gid);
}

/**
 * Full name → oid of the tags that came with the clone: once refs are packed anew nothing else tells
 * them from later ones. Read by repository/remote-tags.ts.
 */
function readTags(gitdir: string): Readonly<Record<string, string>> {
  const refs = [...readPackedRefs(toBytePath(gitdir))];
  const tags = refs.filter(([name]) => name.startsWith('refs/tags/'));
  return Object.fromEntries(tags.map(([name, oid]) => [displayPath(name), oid]));
}

/** What a marker says, or null when there is none that could be ours. */
export function readMarker(gitdir: string): MountIdentity | null {
  const { version, url, mount_path: mountPath } = readJsonObject(join(gitdir, MARKER)) ?? {};
  if (version !== VERSION || typeof url !== 'string' || typeof mountPath !== 'string') return null;
  return { url, mountPath };
}
