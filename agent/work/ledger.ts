/**
 * The ledger of work at risk: everything in one worktree that would be lost with the disk. Read in
 * this process from the files alone: nothing is written, no git is started, and nothing that the
 * repository's configuration names is run. What cannot be read makes the reading "unknown", and
 * that counts as at risk: a ledger never says "clean" without having looked.
 */
import { ObjectStore } from '../pack/object-store.ts';
import type { AtRisk, Head } from '../status.ts';
import { displayPath, isUtf8, toBytePath } from '../repository/byte-path.ts';
import type { BytePath } from '../repository/byte-path.ts';
import { CommitSource } from '../repository/commits.ts';
import { Doubt, doubtOf } from '../repository/doubt.ts';
import { FileContent } from '../repository/file-content.ts';
import { readObject } from '../repository/objects.ts';
import { readOperation } from '../repository/operation.ts';
import type { Operation } from '../repository/operation.ts';
import { Pace } from '../repository/pace.ts';
import { readBytesAsText } from '../repository/read-file.ts';
import { countStashes, readRefs } from '../repository/refs.ts';
import type { RefTable } from '../repository/refs.ts';
import { readClonedTags, readFetchedTags } from '../repository/remote-tags.ts';
import type { RemoteTags } from '../repository/remote-tags.ts';
import { findGitdir, openRepository } from '../repository/repository.ts';
import type { Repository } from '../repository/repository.ts';
import { findStaged } from '../repository/staged.ts';
import { PathTally } from './tally.ts';
import { readTracked } from '../repository/tracked.ts';
import type { Tracked } from '../repository/tracked.ts';
import { readUnpushed } from '../repository/unpushed.ts';
import type { UnpushedReading } from '../repository/unpushed.ts';
import { findUnstaged } from '../repository/unstaged.ts';
import { findUntracked } from '../repository/untracked.ts';
import type { WalkedTree } from '../repository/untracked.ts';

export interface LedgerContext {
  readonly worktree: string;
  /** The user's home, for their own git configuration and ignore file. */
  readonly home?: string;
  /** Tags that came with the clone; without them, what a clone by git itself leaves tells. */
  readonly clonedTags?: RemoteTags;
}

/** A reading asks for few objects; most of them are small trees. */
const OBJECT_CACHE_BYTES = 4 * 2 ** 20;

/** AtRisk without what only a history of readings tells. */
export type Risk = Omit<AtRisk, 'since' | 'checked_at'>;

export interface LedgerReading {
  /** null when nothing would be lost. */
  readonly risk: Risk | null;
  /** null when it cannot be read. */
  readonly head: Head | null;
  /** Directories whose entries the reading depends on, absolute; ignored ones are not among them. */
  readonly directories: readonly BytePath[];
  /** Git directories (own and common, and those of submodules), absolute. */
  readonly gitdirs: readonly BytePath[];
  /** Newest change of a tracked or untracked file (ctime, milliseconds since the epoch). */
  readonly changedAtMs: number;
  /** Whether a change of that entry is nobody's work. @param directory absolute. */
  isIgnored(directory: BytePath, name: BytePath): boolean;
}

/** One reading from scratch; see Ledger for a series of them. */
export async function takeLedger(
  context: LedgerContext & { readonly signal?: AbortSignal },
): Promise<LedgerReading> {
  using ledger = new Ledger(context);
  return await ledger.take(context.signal);
}

/** Keeps from reading to reading what stays true: objects, commits, contents already compared. */
export class Ledger implements Disposable {
  readonly #worktree: BytePath;
  readonly #home: BytePath | undefined;
  /** What was the remote's once stays known: later fetches and packing hide where a tag is from. */
  readonly #remoteTags: Map<string, string>;
  readonly #knowsClone: boolean;
  readonly #contents: ConstructorParameters<typeof FileContent>[2] = new Map();
  readonly #submodules = new Map<BytePath, Ledger>();
  #objects: { readonly store: ObjectStore; readonly commondir: BytePath } | undefined;
  #commits: { readonly source: CommitSource; readonly key: string } | undefined;

  constructor(context: LedgerContext) {
    this.#worktree = toBytePath(context.worktree);
    this.#home = context.home === undefined ? undefined : toBytePath(context.home);
    this.#remoteTags = new Map(context.clonedTags);
    this.#knowsClone = context.clonedTags !== undefined;
  }

  async take(signal?: AbortSignal): Promise<LedgerReading> {
    const reading = new Reading(new Pace(signal));
    const repository = await reading.attempt(() => openRepository(this.#worktree, this.#home));
    if (repository === undefined) {
      this.#closeObjects();
      return reading.finish();
    }
    reading.gitdirs.push(repository.gitdir, repository.commondir);
    const objects = await reading.attempt(() => this.#openObjects(repository));
    if (objects === undefined) return reading.finish();
    const refs = await reading.attempt(() => readRefs(repository, reading.pace));
    if (refs !== undefined) await this.#readHistory(reading, repository, objects, refs);
    reading.operation = readOperation(repository.gitdir);
    const tracked = await reading.attempt(() => readTracked(repository.gitdir, reading.pace));
    if (tracked !== undefined) await this.#readFiles(reading, repository, objects, refs, tracked);
    return reading.finish();
  }

  [Symbol.dispose](): void {
    this.#closeObjects();
    for (const ledger of this.#submodules.values()) ledger[Symbol.dispose]();
    this.#submodules.clear();
  }

  async #readHistory(
    reading: Reading,
    repository: Repository,
    objects: ObjectStore,
    refs: RefTable,
  ): Promise<void> {
    reading.head = refs.head;
    this.#learnRemoteTags(repository);
    reading.stashes = countStashes(repository, refs);
    const commits = this.#commitSource(repository, objects);
    reading.unpushed = await reading.attempt(() =>
      readUnpushed(refs, this.#remoteTags, commits, reading.pace),
    );
  }

  async #readFiles(
    reading: Reading,
    repository: Repository,
    objects: ObjectStore,
    refs: RefTable | undefined,
    tracked: Tracked,
  ): Promise<void> {
    const { tally, pace } = reading;
    const onChangedAt = (ctimeMs: number): void => {
      if (ctimeMs > reading.changedAtMs) reading.changedAtMs = ctimeMs;
    };
    for (const path of tracked.conflicts) tally.add('conflicted', path);
    if (refs !== undefined) {
      await reading.attempt(() => {
        const onPath = (path: BytePath): void => {
          tally.add('staged', path);
        };
        const headTree = treeOf(objects, refs.head);
        return findStaged({ objects, tracked, pace, onPath }, headTree);
      });
    }
    await reading.attempt(() =>
      findUnstaged({
        repository,
        tracked,
        content: new FileContent(repository, objects, this.#contents, pace),
        pace,
        onPath: (path) => {
          tally.add('unstaged', path);
        },
        onChangedAt,
        isSubmoduleChanged: (path, oid) => this.#readSubmodule(reading, repository, path, oid),
      }),
    );
    const walked = await reading.attempt(() =>
      findUntracked({
        repository,
        tracked,
        pace,
        onPath: (path, sizeBytes) => {
          tally.add('untracked', path);
          tally.untrackedBytes += sizeBytes;
        },
        onChangedAt,
        onDoubt: (reason) => reading.doubts.add(reason),
      }),
    );
    if (walked !== undefined) reading.addTree(this.#worktree, walked);
  }

  /**
   * Git lists a submodule as changed when its HEAD is another or it has changes of its own. What
   * it holds beyond that, commits and stashes, makes the mount at risk under the submodule's path.
   */
  async #readSubmodule(
    reading: Reading,
    repository: Repository,
    path: BytePath,
    oid: string,
  ): Promise<boolean> {
    const worktree = `${this.#worktree}/${path}`;
    if (findGitdir(worktree) === undefined) return false;
    if (!isUtf8(worktree)) throw new Doubt(`the path of a submodule is not UTF-8`);
    let ledger = this.#submodules.get(path);
    if (ledger === undefined) {
      const home = this.#home === undefined ? {} : { home: displayPath(this.#home) };
      ledger = new Ledger({ worktree: displayPath(worktree), ...home });
      this.#submodules.set(path, ledger);
    }
    const nested = await ledger.take(reading.pace.signal);
    reading.addNested(nested);
    const { risk, head, gitdirs } = nested;
    if (risk?.unknown != null) reading.doubts.add(`${displayPath(path)}: ${risk.unknown}`);
    const changes =
      risk === null ? 0 : risk.staged + risk.unstaged + risk.untracked + risk.conflicted;
    if (changes > 0 || head?.oid !== oid) return true;
    // A linked worktree that was added to the index: its commits are this repository's own.
    const shared = gitdirs.includes(repository.commondir);
    if (risk !== null && !shared) reading.tally.add('nested', `${path}/`);
    return false;
  }

  #learnRemoteTags(repository: Repository): void {
    const proven = [readFetchedTags(repository)];
    if (!this.#knowsClone) proven.push(readClonedTags(repository));
    for (const tags of proven) for (const [name, oid] of tags) this.#remoteTags.set(name, oid);
  }

  #openObjects(repository: Repository): ObjectStore {
    const { commondir } = repository;
    if (this.#objects?.commondir === commondir) {
      this.#objects.store.refresh();
      return this.#objects.store;
    }
    this.#closeObjects();
    if (!isUtf8(commondir)) throw new Doubt('the path of the Git directory is not UTF-8');
    const store = ObjectStore.open(`${displayPath(commondir)}/objects`, {
      cacheBytes: OBJECT_CACHE_BYTES,
    });
    this.#objects = { store, commondir };
    return store;
  }

  #closeObjects(): void {
    this.#objects?.store.close();
    this.#objects = undefined;
    this.#commits = undefined;
  }

  /** The cache lives as long as the cuts in history (`git fetch --depth`) stay where they are. */
  #commitSource(repository: Repository, objects: ObjectStore): CommitSource {
    const key = readBytesAsText(`${repository.commondir}/shallow`) ?? '';
    if (this.#commits?.key !== key) {
      const source = new CommitSource(objects, new Set(key.split('\n')));
      this.#commits = { source, key };
    }
    return this.#commits.source;
  }
}

/** One reading as it grows; a part that cannot be read leaves its reason and the rest goes on. */
class Reading {
  readonly pace: Pace;
  readonly tally = new PathTally();
  readonly doubts = new Set<string>();
  readonly directories: BytePath[] = [];
  readonly gitdirs: BytePath[] = [];
  readonly #isIgnored: LedgerReading['isIgnored'][] = [];
  head: Head | null = null;
  changedAtMs = 0;
  operation: Operation | null = null;
  stashes = 0;
  unpushed: UnpushedReading | undefined;

  constructor(pace: Pace) {
    this.pace = pace;
  }

  async attempt<T>(part: () => T | Promise<T>): Promise<T | undefined> {
    try {
      return await part();
    } catch (error) {
      const reason = doubtOf(error);
      if (reason === undefined) throw error;
      this.doubts.add(reason);
      return undefined;
    }
  }

  addTree(worktree: BytePath, walked: WalkedTree): void {
    for (const prefix of walked.entered) this.directories.push(`${worktree}/${prefix}`);
    const base = `${worktree}/`;
    this.#isIgnored.push((directory, name) => {
      const place = `${directory}/`;
      return place.startsWith(base) && walked.isIgnored(place.slice(base.length), name);
    });
  }

  addNested(nested: LedgerReading): void {
    for (const directory of nested.directories) this.directories.push(directory);
    this.gitdirs.push(...nested.gitdirs);
    this.changedAtMs = Math.max(this.changedAtMs, nested.changedAtMs);
    this.#isIgnored.push((directory, name) => nested.isIgnored(directory, name));
  }

  finish(): LedgerReading {
    return {
      risk: this.#risk(),
      head: this.head,
      directories: this.directories,
      gitdirs: [...new Set(this.gitdirs)],
      changedAtMs: this.changedAtMs,
      isIgnored: (directory, name) => this.#isIgnored.some((ask) => ask(directory, name)),
    };
  }

  #risk(): Risk | null {
    const { tally, stashes, operation, unpushed } = this;
    const { conflicted, staged, unstaged, untracked } = tally.counts;
    const unknown = this.doubts.size === 0 ? null : [...this.doubts].slice(0, 5).join('; ');
    const unpushedCommits = unpushed?.count ?? 0;
    const safe = tally.total + stashes + unpushedCommits === 0 && operation === null;
    if (safe && unknown === null) return null;
    return {
      staged,
      unstaged,
      untracked,
      conflicted,
      untracked_bytes: tally.untrackedBytes,
      unpushed_commits: unpushedCommits,
      stashes,
      operation,
      paths: tally.shown,
      paths_total: tally.total,
      branches: unpushed?.branches ?? [],
      unknown,
    };
  }
}

/** @returns null for a branch without a commit. */
function treeOf(objects: ObjectStore, head: Head): string | null {
  if (head.oid === null) return null;
  const commit = readObject(objects, head.oid, 'commit');
  const tree = /^tree ([0-9a-f]{40})\n/.exec(commit.toString('latin1', 0, 46))?.[1];
  if (tree === undefined) throw new Doubt(`the commit ${head.oid} is damaged`);
  return tree;
}
