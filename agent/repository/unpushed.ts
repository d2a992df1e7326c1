/**
 * Commits that only this disk has: what HEAD, branches, tags and other worktrees' HEADs lead to,
 * less what remote-tracking refs and the remote's own tags lead to. The stash is counted by itself.
 */
import type { AtRisk } from '../status.ts';
import { displayPath } from './byte-path.ts';
import type { CommitSource } from './commits.ts';
import type { Pace } from './pace.ts';
import { findUnpushed, reachable } from './reachability.ts';
import type { Unpushed } from './reachability.ts';
import type { RefTable } from './refs.ts';
import type { RemoteTags } from './remote-tags.ts';

export interface UnpushedReading {
  readonly count: number;
  readonly branches: AtRisk['branches'];
}

export async function readUnpushed(
  refs: RefTable,
  remoteTags: RemoteTags,
  commits: CommitSource,
  pace: Pace,
): Promise<UnpushedReading> {
  const remoteTips = new Set(refs.remotes.values());
  const named = new Map<string, string>();
  const { head } = refs;
  if (head.ref === null && head.oid !== null) named.set('HEAD', head.oid);
  for (const [name, oid] of refs.heads) named.set(name, oid);
  for (const [name, { ref, oid }] of refs.otherHeads) {
    if (ref === null && oid !== null) named.set(`worktrees/${name}/HEAD`, oid);
  }
  // Most tags are the remote's and lead to what its branches lead to: none of those is read
  // unless something local has to be told from it.
  const ownTags = [...refs.tags].filter(([name, oid]) => remoteTags.get(name) !== oid);
  for (const [name, oid] of ownTags) {
    const commit = commits.peel(oid);
    if (commit !== null) named.set(name, commit);
    if (pace.due) await pace.rest();
  }
  if ([...named.values()].every((oid) => remoteTips.has(oid))) return { count: 0, branches: [] };
  for (const [name, oid] of refs.tags) {
    if (remoteTags.get(name) !== oid) continue;
    const commit = commits.peel(oid);
    if (commit !== null) remoteTips.add(commit);
    if (pace.due) await pace.rest();
  }
  const unpushed = await findUnpushed(commits, named.values(), remoteTips, pace);
  return { count: unpushed.size, branches: listBranches(named, unpushed) };
}

/** Branches and detached HEADs with their own counts; a tag only where none of them has its commit. */
function listBranches(named: ReadonlyMap<string, string>, unpushed: Unpushed): AtRisk['branches'] {
  const branches: { ref: string; unpushed: number }[] = [];
  const held = new Set<string>();
  // Tags come last in `named`.
  for (const [name, oid] of named) {
    if (!unpushed.has(oid) || (name.startsWith('refs/tags/') && held.has(oid))) continue;
    const reached = reachable(unpushed, oid);
    for (const commit of reached) held.add(commit);
    branches.push({ ref: displayPath(name), unpushed: reached.size });
  }
  return branches;
}
