/**
 * The watches of one ledger, and what they said since its last reading: which directories are
 * dirty, whether the index or the rest of the Git directory is, and whether it was somebody's work.
 * Without watches everything is dirty before each reading.
 */
import { listGitDirectories } from '../repository/git-directories.ts';
import type { BytePath } from '../repository/byte-path.ts';
import { isDirectory } from '../repository/repository.ts';
import type { Repository } from '../repository/repository.ts';
import { parentOf } from '../repository/tracked-changes.ts';
import type { TrackedIndex } from '../repository/tracked-index.ts';
import type { Place, WatchSet } from './watch-set.ts';
import type { WorktreeFiles } from './worktree-files.ts';

export interface Watching {
  readonly watches: WatchSet;
  /** Something changed that a reading would show. */
  readonly onDirty: () => void;
  /** `.git` of this worktree itself came, went or was replaced. */
  readonly onGitdir?: () => void;
}

export interface DirtyParts {
  readonly history: boolean;
  readonly index: boolean;
}

type IsIgnored = (prefix: BytePath, name: BytePath, directory: boolean) => boolean;

/** Rewritten by looking alone: git refreshes the index when somebody asks for the status. */
const QUIET_GIT_FILES = new Set(['index', 'FETCH_HEAD', 'gc.pid', 'gc.log']);
const NOTED_LIMIT = 1_000;

export class LedgerWatch {
  readonly #worktree: BytePath;
  readonly #watching: Watching | undefined;
  readonly #places = new Map<BytePath, Place>();
  readonly #gitPlaces = new Map<BytePath, Place>();
  #history = true;
  #index = true;
  #all = true;
  #inputs = false;
  /** Some of the entries that changed, by directory: was it somebody's work? */
  readonly #noted = new Map<BytePath, Set<BytePath>>();
  #notedCount = 0;
  #isActive = false;
  #ask: { readonly files: WorktreeFiles; readonly index: TrackedIndex } | undefined;

  constructor(worktree: BytePath, watching: Watching | undefined) {
    this.#worktree = worktree;
    this.#watching = watching;
  }

  markAll(): void {
    this.#all = true;
    this.#history = true;
    this.#index = true;
  }

  /** What all files are read by has changed: no watch has missed anything. */
  markInputs(): void {
    this.#inputs = true;
    this.#history = true;
  }

  markUnwatched(): void {
    for (const [prefix, place] of this.#places) if (!place.held) this.#ask?.files.mark(prefix);
    if ([...this.#gitPlaces.values()].some(({ held }) => !held)) {
      this.#history = true;
      this.#index = true;
    }
  }

  takeDirty(): DirtyParts {
    if (this.#watching === undefined) this.markAll();
    const dirty = { history: this.#history, index: this.#index };
    this.#history = false;
    this.#index = false;
    return dirty;
  }

  markHistory(): void {
    this.#history = true;
  }

  putBack({ history, index }: DirtyParts): void {
    this.#history ||= history;
    this.#index ||= index;
  }

  /** From now on `files` hears which directories to read again. */
  passOn(files: WorktreeFiles, index: TrackedIndex): void {
    this.#ask = { files, index };
    if (this.#all) files.mark('', 'anew');
    else if (this.#inputs) files.mark('', 'below');
    this.#all = false;
    this.#inputs = false;
  }

  /** Forgets what was noted. */
  isActive(isIgnored: IsIgnored): boolean {
    let active = this.#isActive || this.#notedCount >= NOTED_LIMIT;
    for (const [prefix, names] of this.#noted) {
      for (const name of active ? [] : names) {
        const directory = isDirectory(`${this.#worktree}/${prefix}${name}`);
        active ||= !isIgnored(prefix, name, directory);
      }
    }
    this.#noted.clear();
    this.#notedCount = 0;
    this.#isActive = false;
    return active;
  }

  /** @param prefix of a directory in the worktree; empty for the root, else with a slash at its end. */
  open(prefix: BytePath): void {
    if (this.#watching === undefined || this.#places.has(prefix)) return;
    const path = prefix === '' ? this.#worktree : `${this.#worktree}/${prefix.slice(0, -1)}`;
    const place = this.#watching.watches.open(path, prefix === '', (name, gone) => {
      this.#onFiles(prefix, name, gone);
    });
    this.#places.set(prefix, place);
  }

  close(prefix: BytePath): void {
    this.#places.get(prefix)?.close();
    this.#places.delete(prefix);
  }

  /** Something happened there that no watch told of: it will have one. */
  prefer(prefix: BytePath): void {
    const place = this.#places.get(prefix);
    if (place?.held === false) this.#watching?.watches.prefer(place);
  }

  /** All that matter and are not watched yet; those that are gone are let go of. */
  openGitDirectories({ gitdir, commondir }: Repository): void {
    if (this.#watching === undefined || !this.#history) return;
    const wanted = new Set([gitdir, commondir].flatMap(listGitDirectories));
    for (const [path, place] of this.#gitPlaces) {
      // After lost events none needs to watch what stands there now.
      if (wanted.has(path) && place.held && !this.#all) continue;
      place.close();
      this.#gitPlaces.delete(path);
    }
    for (const path of wanted) {
      if (this.#gitPlaces.has(path)) continue;
      const place = this.#watching.watches.open(path, true, (name, gone) => {
        this.#onGit(path === gitdir, name, gone);
      });
      this.#gitPlaces.set(path, place);
    }
  }

  closeAll(): void {
    for (const places of [this.#places, this.#gitPlaces]) {
      for (const place of places.values()) place.close();
      places.clear();
    }
    this.#ask = undefined;
    this.markAll();
  }

  #onFiles(prefix: BytePath, name: BytePath | null, gone: boolean): void {
    if (name !== null && this.#isNobodysWork(prefix, name)) return;
    if (prefix === '' && name === '.git') this.#onGitdir();
    if (gone) {
      this.close(prefix);
      this.#ask?.files.mark(parentOf(prefix));
      if (prefix === '') this.#onGitdir();
    }
    this.#ask?.files.note(prefix, name);
    if (name === null) this.#isActive = true;
    else this.#note(prefix, name);
    this.#watching?.onDirty();
  }

  /** An ignored file, by its name alone: storms of them cost nothing else. */
  #isNobodysWork(prefix: BytePath, name: BytePath): boolean {
    if (this.#ask === undefined || this.#all || name.startsWith('.git')) return false;
    const { files, index } = this.#ask;
    return !files.isHolding(prefix, name) && files.isIgnored(index, prefix, name, false);
  }

  #note(prefix: BytePath, name: BytePath): void {
    const names = this.#noted.get(prefix);
    if (names === undefined) this.#noted.set(prefix, new Set([name]));
    else if (!names.has(name) && this.#notedCount < NOTED_LIMIT) names.add(name);
    else return;
    this.#notedCount++;
  }

  #onGitdir(): void {
    this.markAll();
    this.#watching?.onGitdir?.();
  }

  #onGit(isOwn: boolean, name: BytePath | null, gone: boolean): void {
    if (name?.endsWith('.lock') === true) return;
    const isIndex = name !== null && (name === 'index' || name.startsWith('sharedindex.'));
    if (isIndex && isOwn) this.#index = true;
    else this.#history = true;
    if (gone || name === null) this.#index = true;
    if (name === null || !QUIET_GIT_FILES.has(name)) this.#isActive = true;
    this.#watching?.onDirty();
  }
}
