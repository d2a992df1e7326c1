/**
 * Which tags the remote has, as far as this disk can tell: those that came with the clone, and
 * those of fetches since. A tag that nothing proves to be the remote's counts as local, so that a
 * doubt makes work "at risk" and never "safe".
 */
import { lstatSync } from 'node:fs';
import { fsPath, toBytePath } from './byte-path.ts';
import type { BytePath } from './byte-path.ts';
import { readBytesAsText } from './read-file.ts';
import { readPackedRefs } from './refs.ts';
import { statOrUndefined } from './repository.ts';
import type { Repository } from './repository.ts';

/** Full tag name → oid, as the remote had it. */
export type RemoteTags = ReadonlyMap<string, string>;

/** Seconds since the epoch at which `git clone` made this repository, from HEAD's first reflog line. */
const CLONED_AT = /^\S+ \S+ .*> (\d+) [+-]\d{4}\tclone: from /;

/**
 * packed-refs and HEAD's reflog are written one after the other; the reflog's time lacks its
 * fraction. Nobody commits, tags, leaves the branch and packs refs in a shorter time than this.
 */
const CLONE_TAKES_MS = 3_000;

/**
 * Tags that came with the clone: as its marker says (mounts/completion-marker.ts), or, of one that
 * git itself made, as packed-refs says as long as nobody packed refs since.
 */
export function readClonedTags(repository: Repository): RemoteTags {
  const { gitdir, commondir } = repository;
  const marked = readMarkedTags(commondir);
  if (marked !== undefined) return marked;
  const tags = new Map<string, string>();
  const packed = statOrUndefined(() => lstatSync(fsPath(`${commondir}/packed-refs`)));
  const clonedAt = CLONED_AT.exec(readBytesAsText(`${gitdir}/logs/HEAD`) ?? '')?.[1];
  // Whoever packs refs later writes the file anew, and then it proves nothing.
  if (packed === undefined || clonedAt === undefined) return tags;
  if (packed.mtimeMs >= Number(clonedAt) * 1000 + CLONE_TAKES_MS) return tags;
  for (const [name, oid] of readPackedRefs(commondir)) {
    if (name.startsWith('refs/tags/')) tags.set(name, oid);
  }
  return tags;
}

/** undefined without a marker, or with one from before it said so. Its text is anybody's. */
function readMarkedTags(commondir: BytePath): RemoteTags | undefined {
  const text = readBytesAsText(`${commondir}/mount-agent.json`);
  if (text === undefined) return undefined;
  let tags: unknown;
  try {
    tags = (JSON.parse(Buffer.from(text, 'latin1').toString()) as { tags?: unknown } | null)?.tags;
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
  if (typeof tags !== 'object' || tags === null) return undefined;
  const found = new Map<string, string>();
  for (const [name, oid] of Object.entries(tags)) {
    if (typeof oid === 'string') found.set(toBytePath(name), oid);
  }
  return found;
}

/** Tags that the fetch under way or the last one brought; FETCH_HEAD has a line for each. */
export function readFetchedTags(repository: Repository): RemoteTags {
  const tags = new Map<string, string>();
  for (const line of (readBytesAsText(`${repository.gitdir}/FETCH_HEAD`) ?? '').split('\n')) {
    const [oid, , source = ''] = line.split('\t');
    const name = /^tag '(.*)' of /.exec(source)?.[1];
    if (oid !== undefined && name !== undefined) tags.set(`refs/tags/${name}`, oid);
  }
  return tags;
}
