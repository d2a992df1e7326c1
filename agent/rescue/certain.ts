/**
 * What the remote certainly has, so that it is left out of a rescue. In: a repository's remote-tracking
 * refs and tags, and what the remote shows now, if it was asked. A ref of a remote that is a directory
 * of this disk proves nothing: that directory is lost with it.
 */
import type { CommitSource } from '../repository/commits.ts';
import { doubtOf } from '../repository/doubt.ts';
import { readClonedTags, readFetchedTags } from '../repository/remote-tags.ts';
import type { RemoteTags } from '../repository/remote-tags.ts';
import type { Repository } from '../repository/repository.ts';
import type { RemoteTrust } from './format.ts';
import type { Root } from './object-roots.ts';
import { isElsewhere, normalUrl } from './remote-url.ts';

export interface CertainContext {
  readonly repository: Repository;
  readonly roots: readonly Root[];
  readonly commits: CommitSource;
  readonly has: (oid: string) => boolean;
  /** What a remote at this URL shows now: full ref name → oid; null when it was not asked. */
  readonly shown: { readonly url: string; readonly refs: ReadonlyMap<string, string> | null };
  readonly clonedTags: RemoteTags | undefined;
}

export interface Certain {
  readonly commits: ReadonlySet<string>;
  readonly tags: ReadonlySet<string>;
  readonly trust: RemoteTrust;
}

export const NOTHING_CERTAIN: Certain = { commits: new Set(), tags: new Set(), trust: 'none' };

export function findCertain(context: CertainContext): Certain {
  const { roots, commits: source, has, shown } = context;
  const commits = new Set<string>();
  const tags = new Set<string>();
  let trust: RemoteTrust = shown.refs === null ? 'none' : 'confirmed';
  const add = (oid: string): void => {
    const commit = has(oid) ? peel(source, oid) : null;
    if (commit !== null) commits.add(commit);
    if (commit !== null && commit !== oid) tags.add(oid);
  };
  const shownOids = new Set(shown.refs?.values());
  for (const { ref, oid } of roots) {
    if (ref?.startsWith('refs/remotes/') !== true) continue;
    const url = urlOf(context.repository, ref);
    if (url === undefined || !isElsewhere(url)) continue;
    const isAsked = shown.refs !== null && normalUrl(url) === normalUrl(shown.url);
    if (isAsked && !shownOids.has(oid)) continue;
    if (!isAsked) trust = 'believed';
    add(oid);
  }
  for (const [name, oid] of shown.refs ?? []) {
    if (/^refs\/(?:heads|tags)\//.test(name)) add(oid);
  }
  if (shown.refs === null && trust !== 'none') {
    const remoteTags = tagsOf(context);
    for (const { ref, oid } of roots) {
      if (ref?.startsWith('refs/tags/') === true && remoteTags.get(ref) === oid) add(oid);
    }
  }
  return { commits, tags, trust };
}

/** The remote whose name the ref begins with; names may have slashes. */
function urlOf({ config }: Repository, ref: string): string | undefined {
  const path = ref.slice('refs/remotes/'.length);
  for (let end = path.indexOf('/'); end > 0; end = path.indexOf('/', end + 1)) {
    const url = config.get(`remote.${path.slice(0, end)}.url`);
    if (url !== undefined) return url;
  }
  return undefined;
}

function tagsOf({ repository, clonedTags }: CertainContext): RemoteTags {
  const tags = new Map(clonedTags ?? readClonedTags(repository));
  for (const [name, oid] of readFetchedTags(repository)) tags.set(name, oid);
  return tags;
}

function peel(commits: CommitSource, oid: string): string | null {
  try {
    return commits.peel(oid);
  } catch (error) {
    if (doubtOf(error) === undefined) throw error;
    return null;
  }
}
