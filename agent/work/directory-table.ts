/**
 * The directories of a worktree as they were last read, by prefix (empty for the root, else with a
 * slash at the end), and the sums over them: what one says takes the place of what it said before.
 */
import type { BytePath } from '../repository/byte-path.ts';
import type { DirectoryReading } from '../repository/directory-reading.ts';
import { NONE } from '../repository/empty-reading.ts';

/** Ignored files beside others, and the directories that are ignored as a whole. */
export interface IgnoredReading {
  readonly files: number;
  readonly bytes: number;
  /** Paths in the worktree; the same array as before while none came or went. */
  readonly directories: readonly BytePath[];
}

export class DirectoryTable {
  readonly totals = {
    unstaged: 0,
    untracked: 0,
    untrackedBytes: 0,
    ignoredFiles: 0,
    ignoredBytes: 0,
  };
  /** Newest change ever seen of a file that counts (ctime, milliseconds since the epoch). */
  changedAtMs = 0;
  readonly #readings = new Map<BytePath, DirectoryReading>();
  readonly #telling = new Set<BytePath>();
  readonly #ignoring = new Map<BytePath, readonly BytePath[]>();
  #ignoredDirectories: readonly BytePath[] | undefined;

  get(prefix: BytePath): DirectoryReading | undefined {
    return this.#readings.get(prefix);
  }

  has(prefix: BytePath): boolean {
    return this.#readings.has(prefix);
  }

  /** Directories with something in them that would be lost. */
  *telling(): Generator<readonly [BytePath, DirectoryReading]> {
    for (const prefix of this.#telling) {
      const reading = this.#readings.get(prefix);
      if (reading !== undefined) yield [prefix, reading];
    }
  }

  get ignored(): IgnoredReading {
    this.#ignoredDirectories ??= [...this.#ignoring]
      .flatMap(([prefix, names]) => names.map((name) => prefix + name))
      .sort();
    const { ignoredFiles: files, ignoredBytes: bytes } = this.totals;
    return { files, bytes, directories: this.#ignoredDirectories };
  }

  set(prefix: BytePath, reading: DirectoryReading): void {
    this.#remove(prefix);
    this.#setIgnored(prefix, reading.ignoredDirectories);
    this.#readings.set(prefix, reading);
    this.#add(reading, 1);
    const { unstaged, untracked, nested, changedAtMs } = reading;
    if (unstaged.size + untracked.size + nested.length > 0) this.#telling.add(prefix);
    this.changedAtMs = Math.max(this.changedAtMs, changedAtMs);
  }

  delete(prefix: BytePath): void {
    this.#remove(prefix);
    this.#setIgnored(prefix, NONE);
  }

  #remove(prefix: BytePath): void {
    const reading = this.#readings.get(prefix);
    if (reading === undefined) return;
    this.#readings.delete(prefix);
    this.#telling.delete(prefix);
    this.#add(reading, -1);
  }

  #setIgnored(prefix: BytePath, names: readonly BytePath[]): void {
    const before = this.#ignoring.get(prefix) ?? NONE;
    if (before.length === names.length && before.every((name, at) => name === names[at])) return;
    this.#ignoredDirectories = undefined;
    if (names.length === 0) this.#ignoring.delete(prefix);
    else this.#ignoring.set(prefix, names);
  }

  #add(reading: DirectoryReading, sign: 1 | -1): void {
    const { totals } = this;
    totals.unstaged += sign * reading.unstaged.size;
    totals.untracked += sign * (reading.untracked.size + reading.nested.length);
    totals.untrackedBytes += sign * reading.untrackedBytes;
    totals.ignoredFiles += sign * reading.ignoredFiles;
    totals.ignoredBytes += sign * reading.ignoredBytes;
  }
}
