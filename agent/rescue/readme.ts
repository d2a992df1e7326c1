/** The `README.txt` of a rescue: how to get the work out with tar and git alone, in a screenful. */
import type { RescueHeader } from './format.ts';

export function readmeOf({ url, mount_path, created_at, counts }: RescueHeader): string {
  return `What was at risk in ${mount_path}
a clone of ${url}
taken at ${created_at} by mount-agent

${counts.commits} commits, ${counts.stashes} stashes, ${counts.changed_files} changed files, ${counts.untracked_files} untracked files, ${counts.deleted_files} deleted files
in ${counts.repositories} ${counts.repositories === 1 ? 'repository' : 'repositories'}.

"mount-agent restore FILE" puts all of it back into a fresh clone. Without mount-agent:

  mkdir saved && tar -xpzf FILE -C saved
  git clone ${url} web && cd web

repositories/0 is the mount itself. manifest.json says which others there are, and lists every
member with its size and SHA-256. A file without manifest.json is not whole.

Commits, stashes, reflogs (all of them, under refs/rescued/):
  git fetch ../saved/repositories/0/work.bundle '+refs/*:refs/rescued/*'

Files as they were, on top of the commit that HEAD was at:
  git checkout --detach OID                 ("oid" of "head" in ../saved/rescue.json)
  xargs -0 rm -rf -- < ../saved/repositories/0/deleted
  cp -a ../saved/repositories/0/worktree/. .   (and symlinks/, directories/, again/: see docs/rescue.md)

patches/ and changes.diff are for reading, "git am" and "git apply". git/ is what stood in the Git
directory: the index, logs, a rebase under way. docs/rescue.md of mount-agent tells the rest.
`;
}
