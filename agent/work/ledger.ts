/**
 * The ledger of work at risk: everything in one worktree that would be lost with the disk. Read in
 * this process from the files alone: nothing is written or started, and nothing that the repository's
 * configuration names is run. It keeps what it read and reads again what changed; what cannot be read
 * makes the reading "unknown": a ledger never says "clean" without having looked.
 */
import type { ObjectStore } from '../pack/object-store.ts';
import { displayPath, toBytePath } from '../repository/byte-path.ts';
import type { BytePath } from '../repository/byte-path.ts';
import { doubtOf } from '../repository/doubt.ts';
import { trustOf } from '../repository/entry-stats.ts';
import { FileContent } from '../repository/file-content.ts';
import type { IgnoreRules } from '../repository/ignore-rules.ts';
import { Pace } from '../repository/pace.ts';
import type { RemoteTags } from '../repository/remote-tags.ts';
import { openRepository } from '../repository/repository.ts';
import type { Repository } from '../repository/repository.ts';
import { isSparseNoMore } from '../repository/sparse-directories.ts';
import { findChangedDirectories } from '../repository/tracked-changes.ts';
import { readTrackedIndex } from '../repository/tracked-index.ts';
import type { TrackedIndex } from '../repository/tracked-index.ts';
import type { Head } from '../status.ts';
import type { IgnoredReading } from './directory-table.ts';
import { History, NO_HISTORY } from './history.ts';
import type { HistoryReading } from './history.ts';
import { LedgerWatch } from './ledger-watch.ts';
import type { Watching } from './ledger-watch.ts';
import { NestedLedgers } from './nested-ledgers.ts';
import { RepositoryObjects } from './repository-objects.ts';
import { summarize } from './risk.ts';
import type { Risk } from './risk.ts';
import { SharedInputs } from './shared-inputs.ts';
import { StagedPaths } from './staged-paths.ts';
import type { StagedReading } from './staged-paths.ts';
import { WorktreeFiles } from './worktree-files.ts';

export interface LedgerContext {
  readonly worktree: string;
  /** The user's home, for their own git configuration and ignore file. */
  readonly home?: string;
  /** Tags that came with the clone; without them, what a clone by git itself leaves tells. */
  readonly clonedTags?: RemoteTags;
}

export interface LedgerReading {
  /** null when nothing would be lost. */
  readonly risk: Risk | null;
  /** null when it cannot be read. */
  readonly head: Head | null;
  /** Its Git directory and that which linked worktrees share, absolute; none when there is none. */
  readonly gitdirs: readonly BytePath[];
  /** Newest change of a tracked or untracked file (ctime, milliseconds since the epoch). */
  readonly changedAtMs: number;
  /** Ignored files beside others, and the directories that are ignored as a whole: information only. */
  readonly ignored: IgnoredReading;
}

/** One reading as it grows; a part that cannot be read leaves its reason and the rest goes on. */
interface Round {
  readonly repository: Repository;
  readonly objects: ObjectStore;
  readonly pace: Pace;
  readonly doubts: string[];
}

/** One reading from scratch; see Ledger for a series of them. */
export async function takeLedger(
  context: LedgerContext & { readonly signal?: AbortSignal },
): Promise<LedgerReading> {
  using ledger = new Ledger(context);
  return await ledger.take(context.signal);
}

export class Ledger implements Disposable {
  readonly #worktree: BytePath;
  readonly #home: BytePath | undefined;
  readonly #history: History;
  readonly #nested: NestedLedgers;
  readonly #watch: LedgerWatch;
  readonly #contents: ConstructorParameters<typeof FileContent>[3] = new Map();
  #files = new WorktreeFiles();
  readonly #objects = new RepositoryObjects();
  readonly #shared = new SharedInputs();
  readonly #staged = new StagedPaths();
  #index: TrackedIndex | undefined;
  #historyReading: HistoryReading = NO_HISTORY;

  /** @param watching without it each reading looks at everything. */
  constructor(context: LedgerContext, watching?: Watching) {
    this.#worktree = toBytePath(context.worktree);
    this.#home = context.home === undefined ? undefined : toBytePath(context.home);
    this.#history = new History(context.clonedTags);
    this.#nested = new NestedLedgers((worktree, onGitdir) => {
      const home = context.home === undefined ? {} : { home: context.home };
      const nested = watching === undefined ? undefined : { ...watching, onGitdir };
      return new Ledger({ worktree: displayPath(worktree), ...home }, nested);
    });
    this.#watch = new LedgerWatch(this.#worktree, watching);
  }

  /** Everything is looked at again by the next reading. */
  markAll(): void {
    this.#watch.markAll();
    for (const ledger of this.#nested.ledgers) ledger.markAll();
  }

  /** What no watch reports is looked at again by the next reading. */
  markUnwatched(): void {
    this.#watch.markUnwatched();
    for (const ledger of this.#nested.ledgers) ledger.markUnwatched();
  }

  /** Whether something happened since the last reading that is somebody's work. */
  get isActive(): boolean {
    const index = this.#index;
    const own = this.#watch.isActive((prefix, name, directory) =>
      index === undefined ? false : this.#files.isIgnored(index, prefix, name, directory),
    );
    // Each is asked: asking forgets what was noted.
    return [...this.#nested.ledgers].map((ledger) => ledger.isActive).includes(true) || own;
  }

  async take(signal?: AbortSignal): Promise<LedgerReading> {
    try {
      const repository = openRepository(this.#worktree, this.#home);
      const objects = this.#objects.of(repository);
      return await this.#read({ repository, objects, pace: new Pace(signal), doubts: [] });
    } catch (error) {
      const reason = doubtOf(error);
      if (reason === undefined) throw error;
      this.#forget();
      return { ...NOTHING_READ, risk: summarize({ doubts: [reason] }) };
    }
  }

  [Symbol.dispose](): void {
    this.#forget();
  }

  async #read(round: Round): Promise<LedgerReading> {
    const { repository, objects, pace, doubts } = round;
    const { rules, isOther } = this.#shared.look(repository);
    if (isOther) this.#watch.markInputs();
    this.#watch.openGitDirectories(repository);
    const dirty = this.#watch.takeDirty();
    let staged: StagedReading | undefined;
    try {
      if (dirty.history) {
        objects.refresh();
        this.#historyReading = await this.#history.read(repository, objects, pace);
      }
      await this.#readIndex(round, dirty.index);
      if (this.#index !== undefined) {
        await this.#readFiles(round, this.#index, rules);
        const { headTree } = this.#historyReading;
        staged = await this.#staged.read(this.#index, headTree, objects, pace);
        if (staged.doubt !== null) doubts.push(staged.doubt);
      }
    } catch (error) {
      this.#watch.putBack(dirty);
      throw error;
    } finally {
      this.#objects.rest();
    }
    doubts.push(...this.#historyReading.doubts, ...this.#files.doubts);
    // What was in doubt is looked at again by the next reading, whatever happened.
    if (this.#historyReading.doubts.length > 0) this.#watch.markHistory();
    return await this.#summarize(round, staged?.paths);
  }

  async #summarize(
    { repository, pace, doubts }: Round,
    staged: ReadonlySet<BytePath> | undefined,
  ): Promise<LedgerReading> {
    const history = this.#historyReading;
    const nested = await this.#nested.read(repository, this.#index, this.#files, pace);
    doubts.push(...nested.doubts);
    const parts = { doubts, history, staged, index: this.#index, files: this.#files, nested };
    return {
      risk: summarize(parts),
      head: history.head,
      gitdirs: [repository.gitdir, repository.commondir],
      changedAtMs: Math.max(this.#files.readings.changedAtMs, nested.changedAtMs),
      ignored: this.#files.readings.ignored,
    };
  }

  /** The index, when it changed; of the files, those whose entries changed are looked at again. */
  async #readIndex(round: Round, isDirty: boolean): Promise<void> {
    const { repository, pace, doubts } = round;
    const before = this.#index;
    if (!isDirty && before !== undefined && !isSparseNoMore(repository, before)) return;
    try {
      const index = await readTrackedIndex(repository.gitdir, pace, round);
      const isFollowing = before !== undefined && index.mtimeMs >= before.mtimeMs;
      const changed = isFollowing ? await findChangedDirectories(before, index, pace) : [];
      for (const prefix of changed) {
        const isSame = before?.attributesOid(prefix) === index.attributesOid(prefix);
        this.#files.mark(prefix, isSame ? 'own' : 'below');
      }
      if (!isFollowing) this.#files.mark('', 'below');
      this.#index = index;
    } catch (error) {
      const reason = doubtOf(error);
      if (reason === undefined) throw error;
      doubts.push(reason);
      this.#index = undefined;
    }
  }

  async #readFiles(round: Round, index: TrackedIndex, sharedRules?: IgnoreRules): Promise<void> {
    const { repository, objects, pace, doubts } = round;
    const files = this.#files;
    this.#watch.passOn(files, index);
    try {
      await files.update({
        repository,
        index,
        sharedRules,
        pace,
        content: new FileContent(repository, index, objects, this.#contents, pace),
        trust: trustOf(repository.config),
        watch: this.#watch,
      });
    } catch (error) {
      const reason = doubtOf(error);
      if (reason === undefined) throw error;
      doubts.push(reason);
    }
  }

  /** Without a repository nothing that was read is true any more. */
  #forget(): void {
    this.#objects.close();
    this.#watch.closeAll();
    this.#nested[Symbol.dispose]();
    this.#files = new WorktreeFiles();
    this.#index = undefined;
    this.#historyReading = NO_HISTORY;
  }
}

const NOTHING_READ = {
  head: null,
  gitdirs: [],
  changedAtMs: 0,
  ignored: { files: 0, bytes: 0, directories: [] },
} as const;
