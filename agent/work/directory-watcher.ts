/**
 * chokidar, held to directories that a reading found: no files, nothing ignored, nothing that it
 * would find by itself. In: the directories to watch. Out: where something changed, and whether
 * some directory could not be watched, so that somebody has to look by himself.
 */
import { basename } from 'node:path/posix';
import { FSWatcher } from 'chokidar';
import { errnoOf } from '../errors.ts';
import { displayPath, isUtf8, toBytePath } from '../repository/byte-path.ts';
import type { BytePath } from '../repository/byte-path.ts';

export interface DirectoryWatcherContext {
  /** @param name of the entry that changed, null when the system does not say. */
  readonly onChange: (directory: BytePath, name: string | null) => void;
  /** No more directories can be watched: ENOSPC (watches) or EMFILE (instances). */
  readonly onLimit: (error: Error) => void;
  readonly onError: (error: unknown) => void;
}

const LIMIT_ERRNOS = new Set(['ENOSPC', 'EMFILE', 'ENFILE']);
/** Directories of one chokidar instance: only a new instance tells when its watches stand. */
const GROUP_SIZE = 100;
/** New directories come one by one; from so many small groups on they are all watched anew. */
const GROUP_LIMIT = 200;

/**
 * Told to look out for one entry, chokidar sets its watch without reading the directory and each
 * entry's stat data first: 0.35 s of CPU instead of 2.8 s for 50,000 files in 5,000 directories
 * (5.0.0, pinned; test/work/watch.test.ts notices when that ends). No entry has this name.
 */
const NO_ENTRY = '/';

interface Group {
  readonly watcher: FSWatcher;
  readonly paths: Set<string>;
}

export class DirectoryWatcher implements AsyncDisposable {
  readonly #context: DirectoryWatcherContext;
  readonly #groups = new Set<Group>();
  readonly #groupOf = new Map<string, Group>();
  #limited = false;
  #unwatchable = 0;

  constructor(context: DirectoryWatcherContext) {
    this.#context = context;
  }

  /** True while each directory is watched; otherwise changes have to be looked for. */
  get complete(): boolean {
    return !this.#limited && this.#unwatchable === 0;
  }

  get watched(): number {
    return this.#groupOf.size;
  }

  /**
   * Watches these and no others; the first ones matter most. Resolves when their watches stand.
   * @returns whether there were new ones: what happened in them before has to be looked for.
   */
  async watch(directories: Iterable<BytePath>): Promise<boolean> {
    const wanted = new Set<string>();
    this.#unwatchable = 0;
    for (const directory of directories) {
      // chokidar takes strings: a name that is not UTF-8 cannot be given to it.
      if (isUtf8(directory)) wanted.add(displayPath(directory).replace(/(?<=.)\/$/, ''));
      else this.#unwatchable++;
    }
    for (const path of [...this.#groupOf.keys()]) if (!wanted.has(path)) await this.#drop(path);
    if (this.#groups.size > GROUP_LIMIT) await this.#closeAll();
    const added = [...wanted].filter((path) => !this.#groupOf.has(path));
    for (let at = 0; at < added.length && !this.#limited; at += GROUP_SIZE) {
      await this.#add(added.slice(at, at + GROUP_SIZE));
    }
    return added.length > 0;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#closeAll();
  }

  async #add(paths: string[]): Promise<void> {
    const group: Group = {
      paths: new Set(paths),
      watcher: new FSWatcher({
        ignored: (path) => !group.paths.has(path),
        ignoreInitial: true,
        followSymlinks: false,
        ignorePermissionErrors: true,
        depth: 0,
        atomic: false,
      }),
    };
    this.#groups.add(group);
    for (const path of paths) this.#groupOf.set(path, group);
    group.watcher.on('raw', (_event, name, details) => {
      this.#onRaw(name, details);
    });
    // `once` would take an error for the end of the wait.
    const ready = new Promise<void>((resolve) => group.watcher.once('ready', resolve));
    group.watcher.on('error', (error) => {
      this.#onError(error);
    });
    group.watcher.add(paths, NO_ENTRY);
    await ready;
  }

  async #drop(path: string): Promise<void> {
    const group = this.#groupOf.get(path);
    if (group === undefined) return;
    this.#groupOf.delete(path);
    group.paths.delete(path);
    if (group.paths.size > 0) {
      group.watcher.unwatch(path);
      return;
    }
    this.#groups.delete(group);
    await group.watcher.close();
  }

  async #closeAll(): Promise<void> {
    const groups = [...this.#groups];
    this.#groups.clear();
    this.#groupOf.clear();
    await Promise.all(groups.map(({ watcher }) => watcher.close()));
  }

  #onRaw(name: unknown, details: unknown): void {
    const path = watchedPathOf(details);
    if (path === undefined || !this.#groupOf.has(path)) return;
    const entry = typeof name === 'string' ? name : null;
    // A directory that is deleted or moved says so under its own name. What comes in its place is
    // another one: it is let go of, and the next reading asks for it again.
    if (entry === basename(path)) void this.#drop(path);
    this.#context.onChange(toBytePath(path), entry);
  }

  #onError(error: unknown): void {
    if (!(error instanceof Error) || !LIMIT_ERRNOS.has(errnoOf(error) ?? '')) {
      this.#context.onError(error);
      return;
    }
    if (this.#limited) return;
    this.#limited = true;
    this.#context.onLimit(error);
  }
}

function watchedPathOf(details: unknown): string | undefined {
  if (typeof details !== 'object' || details === null || !('watchedPath' in details)) {
    return undefined;
  }
  return typeof details.watchedPath === 'string' ? details.watchedPath : undefined;
}
