/**
 * The files of the worktree that the index does not have and no rule ignores, as `git status
 * --untracked-files=all` lists them (dir.c): a nested repository is one, ignored directories are
 * never entered. On the way: every directory that a watcher has to watch.
 */
import { lstatSync, readdirSync } from 'node:fs';
import type { Dirent } from 'node:fs';
import { MODE } from '../checkout/index-entry.ts';
import { errnoOf } from '../errors.ts';
import { displayPath, fsPath } from './byte-path.ts';
import type { BytePath } from './byte-path.ts';
import { isIgnored, readDirectoryRules, readSharedRules } from './ignore-rules.ts';
import type { IgnoreRules } from './ignore-rules.ts';
import type { Pace } from './pace.ts';
import { findGitdir, isDirectory, statOrUndefined } from './repository.ts';
import type { Repository } from './repository.ts';
import type { Tracked } from './tracked.ts';

export interface UntrackedContext {
  readonly repository: Repository;
  readonly tracked: Tracked;
  readonly pace: Pace;
  /** @param path ends in a slash for a nested repository; its size is not known here. */
  readonly onPath: (path: BytePath, sizeBytes: number) => void;
  readonly onChangedAt: (ctimeMs: number) => void;
  readonly onDoubt: (reason: string) => void;
}

/** Directories are named by their path: empty for the root, else with a slash at the end. */
export interface WalkedTree {
  readonly entered: readonly BytePath[];
  /** Whether a change of this file is nobody's work: ignored, and not in the index. */
  isIgnored(directory: BytePath, name: BytePath): boolean;
}

export async function findUntracked(context: UntrackedContext): Promise<WalkedTree> {
  const walk = new UntrackedWalk(context);
  await walk.enter('', readSharedRules(context.repository));
  return walk;
}

class UntrackedWalk implements WalkedTree {
  readonly #rules = new Map<BytePath, IgnoreRules | undefined>();
  readonly #context: UntrackedContext;
  readonly #files: ReadonlySet<BytePath>;
  readonly #directories = new Set<BytePath>();
  readonly #submodules = new Set<BytePath>();

  constructor(context: UntrackedContext) {
    this.#context = context;
    const { paths, entries } = context.tracked;
    this.#files = new Set(paths);
    for (const [position, path] of paths.entries()) {
      this.#addDirectories(path);
      if (entries[position]?.mode === MODE.gitlink) this.#submodules.add(path);
    }
  }

  get entered(): readonly BytePath[] {
    return [...this.#rules.keys()];
  }

  isIgnored(directory: BytePath, name: BytePath): boolean {
    const path = directory + name;
    return (
      !this.#files.has(path) &&
      !this.#directories.has(path) &&
      isIgnored(this.#rules.get(directory), path, name, this.#isDirectory(path))
    );
  }

  async enter(prefix: BytePath, above: IgnoreRules | undefined): Promise<void> {
    const { repository, pace } = this.#context;
    const entries = this.#list(prefix);
    if (entries === undefined) return;
    const rules = entries.some(({ name }) => name === '.gitignore')
      ? readDirectoryRules(repository, prefix, above)
      : above;
    this.#rules.set(prefix, rules);
    for (const entry of entries) {
      if (entry.isDirectory()) await this.#directory(prefix, entry.name, rules);
      else if (entry.isFile() || entry.isSymbolicLink()) this.#file(prefix, entry.name, rules);
      if (pace.due) await pace.rest();
    }
  }

  async #directory(
    prefix: BytePath,
    name: BytePath,
    rules: IgnoreRules | undefined,
  ): Promise<void> {
    const path = prefix + name;
    if (name === '.git' || this.#submodules.has(path)) return;
    if (isIgnored(rules, path, name, true)) return;
    if (!this.#directories.has(path) && this.#isRepository(path)) {
      this.#context.onPath(`${path}/`, 0);
    } else {
      await this.enter(`${path}/`, rules);
    }
  }

  #file(prefix: BytePath, name: BytePath, rules: IgnoreRules | undefined): void {
    const path = prefix + name;
    if (name === '.git' || this.#files.has(path) || isIgnored(rules, path, name, false)) return;
    const place = fsPath(`${this.#context.repository.worktree}/${path}`);
    const stats = statOrUndefined(() => lstatSync(place));
    if (stats === undefined) return;
    this.#context.onChangedAt(stats.ctimeMs);
    this.#context.onPath(path, stats.size);
  }

  #isDirectory(path: BytePath): boolean {
    return isDirectory(`${this.#context.repository.worktree}/${path}`);
  }

  #isRepository(path: BytePath): boolean {
    return findGitdir(`${this.#context.repository.worktree}/${path}`) !== undefined;
  }

  #addDirectories(path: BytePath): void {
    for (let at = path.lastIndexOf('/'); at > 0; at = path.lastIndexOf('/', at - 1)) {
      const directory = path.slice(0, at);
      if (this.#directories.has(directory)) return;
      this.#directories.add(directory);
    }
  }

  #list(prefix: BytePath): Dirent[] | undefined {
    const place = fsPath(`${this.#context.repository.worktree}/${prefix}`);
    try {
      return readdirSync(place, { encoding: 'latin1', withFileTypes: true });
    } catch (error) {
      const errno = errnoOf(error);
      // Gone in the meantime.
      if (errno === 'ENOENT' || errno === 'ENOTDIR' || errno === 'ELOOP') return undefined;
      if (errno !== 'EACCES' && errno !== 'EPERM' && errno !== 'EIO') throw error;
      this.#context.onDoubt(`the directory ${displayPath(prefix)} cannot be read (${errno})`);
      return undefined;
    }
  }
}
