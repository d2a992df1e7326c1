/**
 * Where a restore is put together before anything of it can be seen: `mount-agent-restore` in the Git
 * directory of the mount, on its file system. What stands there belongs to one run; the next one
 * begins anew. Invariant: outside of it nothing changes until all of it is whole and checked.
 */
import { mkdirSync, rmSync } from 'node:fs';
import { displayPath, fsPath } from '../repository/byte-path.ts';
import type { BytePath } from '../repository/byte-path.ts';
import { joinPath } from './path-rules.ts';
import type { RepositoryPlan } from './repository-places.ts';
import { StagedTree } from './staged-tree.ts';

export const STAGE_NAME = 'mount-agent-restore';

export interface StagedPlace {
  readonly tree: StagedTree;
  /** Relative to the tree. */
  readonly path: BytePath;
}

export class Stage implements Disposable {
  readonly root: BytePath;
  /** To be merged into the mount's worktree; nested repositories are in it. */
  readonly worktree: StagedTree;
  /** To be merged into the mount's Git directory; so are worktrees that find no place but there. */
  readonly gitdir: StagedTree;
  /** By number: linked worktrees outside the mount. */
  readonly outside = new Map<number, StagedTree>();

  /** @param gitdir of the mount, absolute; what an earlier run left in it is removed. */
  constructor(gitdir: BytePath) {
    this.root = `${gitdir}/${STAGE_NAME}`;
    rmSync(fsPath(this.root), { recursive: true, force: true });
    mkdirSync(fsPath(this.root), 0o700);
    this.worktree = new StagedTree(`${this.root}/worktree`);
    this.gitdir = new StagedTree(`${this.root}/gitdir`);
  }

  inWorktree({ record, worktree }: RepositoryPlan, path: BytePath): StagedPlace {
    if (worktree === null) throw new TypeError(`repository ${record.number} has no worktree`);
    if (worktree.startsWith('.git/')) {
      return { tree: this.gitdir, path: joinPath(worktree.slice('.git/'.length), path) };
    }
    if (!worktree.startsWith('/')) {
      return { tree: this.worktree, path: joinPath(worktree, path) };
    }
    let tree = this.outside.get(record.number);
    if (tree === undefined) {
      tree = new StagedTree(`${this.root}/outside-${record.number}`);
      this.outside.set(record.number, tree);
    }
    return { tree, path };
  }

  inGitdir({ gitdir }: RepositoryPlan, path: BytePath): StagedPlace {
    if (gitdir === '.git') return { tree: this.gitdir, path };
    if (gitdir.startsWith('.git/')) {
      return { tree: this.gitdir, path: `${gitdir.slice('.git/'.length)}/${path}` };
    }
    return { tree: this.worktree, path: `${gitdir}/${path}` };
  }

  /** Where the objects of a repository are until they are put in place; the path is UTF-8. */
  objectsDirectory(repository: number): string {
    return displayPath(`${this.root}/objects-${repository}`);
  }

  /** Made when it is not there yet. */
  packDirectory(repository: number): string {
    const path = `${this.objectsDirectory(repository)}/pack`;
    mkdirSync(path, { recursive: true });
    return path;
  }

  [Symbol.dispose](): void {
    rmSync(fsPath(this.root), { recursive: true, force: true });
  }
}
