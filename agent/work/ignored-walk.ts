/**
 * Directories that are ignored as a whole in, what lies in them out, as `git ls-files --others
 * --ignored --exclude-standard` lists it: a repository there is one file, links are not followed.
 * Entries are taken a few at a time, so that the largest directory is no long turn.
 */
import { lstatSync, opendirSync } from 'node:fs';
import type { Dir, Dirent, Stats } from 'node:fs';
import { errnoOf } from '../errors.ts';
import { fsPath } from '../repository/byte-path.ts';
import type { BytePath } from '../repository/byte-path.ts';
import { isSystemError } from '../repository/doubt.ts';
import { findGitdir } from '../repository/repository.ts';

export interface IgnoredSum {
  readonly files: number;
  readonly bytes: number;
  /** False: there are more, that could not be read or are too many. */
  readonly isWhole: boolean;
}

export interface IgnoredWalkContext {
  readonly worktree: BytePath;
  readonly limitFiles: number;
  /** Asked after every few entries; work goes on when it has rested. */
  readonly pace: { readonly due: boolean; rest(): Promise<void> };
}

const ENTRIES_AT_ONCE = 64;
const GONE = new Set(['ENOENT', 'ENOTDIR', 'ELOOP']);

/** @param directories in the worktree, without a slash at the end. */
export async function countIgnored(
  context: IgnoredWalkContext,
  directories: readonly BytePath[],
): Promise<IgnoredSum> {
  const walk = new IgnoredWalk(context);
  for (const directory of directories) {
    await walk.enter(`${context.worktree}/${directory}`);
    if (walk.isFull) break;
  }
  return walk;
}

class IgnoredWalk implements IgnoredSum {
  files = 0;
  bytes = 0;
  isWhole = true;
  readonly #context: IgnoredWalkContext;
  /** Of the worktree: another file system that is mounted there is not lost with it. */
  readonly #device: number | undefined;

  constructor(context: IgnoredWalkContext) {
    this.#context = context;
    this.#device = this.#attempt(() => lstat(context.worktree))?.dev;
  }

  get isFull(): boolean {
    return this.files >= this.#context.limitFiles;
  }

  async enter(from: BytePath): Promise<void> {
    const pending = [from];
    for (let path = pending.pop(); path !== undefined; path = pending.pop()) {
      if (this.isFull) {
        this.isWhole = false;
        return;
      }
      const directory = this.#open(path);
      if (directory === undefined) continue;
      try {
        await this.#read(directory, path, pending);
      } finally {
        directory.closeSync();
      }
    }
  }

  /** @returns undefined for what is gone, cannot be read, or is one file by itself. */
  #open(path: BytePath): Dir | undefined {
    return this.#attempt(() => {
      const stats = lstat(path);
      if (stats?.isDirectory() !== true || stats.dev !== this.#device) return undefined;
      if (lstat(`${path}/.git`) !== undefined && findGitdir(path) !== undefined) {
        this.files++;
        return undefined;
      }
      return opendirSync(fsPath(path), { encoding: 'latin1', bufferSize: ENTRIES_AT_ONCE });
    });
  }

  async #read(directory: Dir, path: BytePath, pending: BytePath[]): Promise<void> {
    const { pace } = this.#context;
    for (;;) {
      const entry = this.#attempt(() => directory.readSync());
      if (entry == null || this.isFull) break;
      if (entry.isDirectory()) {
        if (entry.name !== '.git') pending.push(`${path}/${entry.name}`);
      } else {
        this.#addFile(entry, `${path}/${entry.name}`);
      }
      if (pace.due) await pace.rest();
    }
    if (this.isFull) this.isWhole = false;
  }

  #addFile(entry: Dirent, path: BytePath): void {
    if (entry.name === '.git' || !(entry.isFile() || entry.isSymbolicLink())) return;
    const stats = this.#attempt(() => lstat(path));
    if (stats === undefined) return;
    this.files++;
    this.bytes += stats.size;
  }

  /** What vanished is an answer; what cannot be read leaves the sum a part of the whole. */
  #attempt<T>(look: () => T): T | undefined {
    try {
      return look();
    } catch (error) {
      if (!isSystemError(error)) throw error;
      if (!GONE.has(errnoOf(error) ?? '')) this.isWhole = false;
      return undefined;
    }
  }
}

function lstat(path: BytePath): Stats | undefined {
  return lstatSync(fsPath(path), { throwIfNoEntry: false });
}
