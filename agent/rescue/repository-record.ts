/** What the manifest says of one repository. */
import { displayPath } from '../repository/byte-path.ts';
import type { BytePath } from '../repository/byte-path.ts';
import { readOperation } from '../repository/operation.ts';
import { pathAs } from './format.ts';
import type { RemoteTrust, RepositoryRecord } from './format.ts';
import { withoutUserinfo } from './remote-url.ts';
import type { Surveyed } from './survey.ts';
import type { WantedObjects } from './wanted-objects.ts';

/** @param bundle the member's name. @param relative a place, seen from the mount. */
export function recordOf(
  surveyed: Surveyed,
  trust: RemoteTrust,
  wanted: WantedObjects | null,
  bundle: string | null,
  relative: (place: BytePath) => BytePath,
): RepositoryRecord {
  const { number, kind, repository, hasWorktree, sharesWith, head } = surveyed;
  const { worktree, gitdir, config } = repository;
  const url = config.get('remote.origin.url');
  const gitPath = pathAs(relative(gitdir));
  return {
    number,
    kind,
    ...(hasWorktree ? pathAs(relative(worktree)) : {}),
    has_worktree: hasWorktree,
    ...('path' in gitPath ? { gitdir: gitPath.path } : { gitdir_base64: gitPath.path_base64 }),
    shares_with: sharesWith,
    url: url === undefined ? null : displayPath(withoutUserinfo(url)),
    head,
    operation: readOperation(gitdir),
    remote: trust,
    prerequisites: [...(wanted?.prerequisites ?? [])],
    bundle,
    missing: [...(wanted?.missing ?? [])],
  };
}
