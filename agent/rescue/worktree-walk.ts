/**
 * A worktree in; what stands in it beside the files of its index out: files, symlinks, empty
 * directories, nested repositories. Ignored ones only when asked. Nothing is followed or opened.
 */
import { readdirSync } from 'node:fs';
import type { Dirent } from 'node:fs';
import { errnoOf } from '../errors.ts';
import { displayPath, fsPath } from '../repository/byte-path.ts';
import type { BytePath } from '../repository/byte-path.ts';
import { isIgnored, readDirectoryRules, readSharedRules } from '../repository/ignore-rules.ts';
import type { IgnoreRules } from '../repository/ignore-rules.ts';
import type { Pace } from '../repository/pace.ts';
import { findGitdir } from '../repository/repository.ts';
import type { Repository } from '../repository/repository.ts';

export interface WalkContext {
  readonly repository: Pick<Repository, 'worktree' | 'commondir' | 'config' | 'home'>;
  /** Every path of the index; and the directories that lead to them, without a slash. */
  readonly tracked: ReadonlySet<BytePath>;
  readonly trackedDirectories: ReadonlySet<BytePath>;
  readonly includeIgnored: boolean;
  readonly pace: Pace;
  readonly onFile: (path: BytePath) => void;
  readonly onEmptyDirectory: (path: BytePath) => void;
  /** Every directory but the worktree's own. */
  readonly onDirectory: (path: BytePath) => void;
  /** A directory with a repository of its own. */
  readonly onRepository: (path: BytePath) => void;
  readonly onLeftOut: (reason: string) => void;
}

export async function walkWorktree(context: WalkContext): Promise<void> {
  const { repository, includeIgnored } = context;
  const rules = includeIgnored ? undefined : readSharedRules(repository as Repository);
  await new Walk(context).enter('', rules);
}

class Walk {
  readonly #context: WalkContext;

  constructor(context: WalkContext) {
    this.#context = context;
  }

  /** @param prefix empty, or with a slash at its end. */
  async enter(prefix: BytePath, above: IgnoreRules | undefined): Promise<void> {
    const { repository, pace, includeIgnored } = this.#context;
    const entries = this.#list(prefix);
    if (entries === undefined) return;
    if (entries.length === 0 && prefix !== '') {
      this.#context.onEmptyDirectory(prefix.slice(0, -1));
      return;
    }
    const hasRules = !includeIgnored && entries.some(({ name }) => name === '.gitignore');
    const rules = hasRules ? readDirectoryRules(repository as Repository, prefix, above) : above;
    for (const entry of entries) {
      if (pace.due) await pace.rest();
      if (prefix === '' && entry.name === '.git') continue;
      if (entry.isDirectory()) await this.#directory(prefix, entry.name, rules);
      else this.#file(prefix, entry, rules);
    }
  }

  async #directory(
    prefix: BytePath,
    name: BytePath,
    rules: IgnoreRules | undefined,
  ): Promise<void> {
    const { repository, tracked, trackedDirectories } = this.#context;
    const path = prefix + name;
    const isTracked = tracked.has(path) || trackedDirectories.has(path);
    // What is tracked may lie in a directory that is ignored; what lies beside it there is ignored.
    if (isIgnored(rules, path, name, true) && !tracked.has(path)) return;
    const isSubmodule = tracked.has(path);
    if ((isSubmodule || !isTracked) && findGitdir(`${repository.worktree}/${path}`) !== undefined) {
      this.#context.onRepository(path);
      return;
    }
    this.#context.onDirectory(path);
    await this.enter(`${path}/`, rules);
  }

  #file(prefix: BytePath, entry: Dirent, rules: IgnoreRules | undefined): void {
    const { tracked, onFile, onLeftOut } = this.#context;
    const path = prefix + entry.name;
    if (tracked.has(path)) return;
    if (isIgnored(rules, path, entry.name, false)) return;
    if (entry.isFile() || entry.isSymbolicLink()) onFile(path);
    else onLeftOut(`${displayPath(path)} is neither a file nor a symlink`);
  }

  #list(prefix: BytePath): Dirent[] | undefined {
    const place = fsPath(`${this.#context.repository.worktree}/${prefix}`);
    try {
      return readdirSync(place, { encoding: 'latin1', withFileTypes: true });
    } catch (error) {
      const errno = errnoOf(error) ?? '';
      if (['ENOENT', 'ENOTDIR', 'ELOOP'].includes(errno)) return undefined;
      if (!['EACCES', 'EPERM', 'EIO', 'ENAMETOOLONG'].includes(errno)) throw error;
      this.#context.onLeftOut(`${displayPath(prefix)} cannot be read (${errno})`);
      return undefined;
    }
  }
}
