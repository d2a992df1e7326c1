/**
 * A mount in; every repository in it out, each with its state files, the roots of its objects and the
 * plan of its worktree: the mount itself, submodules (checked out or not), nested repositories, linked
 * worktrees wherever they stand. What cannot be read as a repository is taken file by file.
 */
import type { ObjectStore } from '../pack/object-store.ts';
import { displayPath } from '../repository/byte-path.ts';
import type { BytePath } from '../repository/byte-path.ts';
import type { CommitSource } from '../repository/commits.ts';
import { doubtOf } from '../repository/doubt.ts';
import { GitConfig } from '../repository/git-config-reader.ts';
import type { Pace } from '../repository/pace.ts';
import { readObject } from '../repository/objects.ts';
import { findGitdir, openRepository } from '../repository/repository.ts';
import type { Repository } from '../repository/repository.ts';
import { readTracked } from '../repository/tracked.ts';
import type { Tracked } from '../repository/tracked.ts';
import type { Head } from '../status.ts';
import type { RepositoryRecord } from './format.ts';
import {
  headOf,
  listLinkedGitdirs,
  listModuleGitdirs,
  readShallow,
  worktreeOfLinked,
} from './git-layout.ts';
import { indexRoots } from './index-roots.ts';
import { treeOf } from './links.ts';
import { ObjectStores } from './object-stores.ts';
import { findRoots } from './object-roots.ts';
import type { Root } from './object-roots.ts';
import { contentOf, readStateFiles, stateSignature } from './state-files.ts';
import type { StateFile } from './state-files.ts';
import { planEverything, planWorktree } from './worktree-plan.ts';
import type { WorktreePlan } from './worktree-plan.ts';

export interface Surveyed {
  readonly number: number;
  readonly kind: RepositoryRecord['kind'];
  readonly repository: Repository;
  /** `repository.worktree` counts only when it has one. */
  readonly hasWorktree: boolean;
  readonly sharesWith: number | null;
  /** null where nothing but files can be read. */
  readonly store: ObjectStore | null;
  readonly commits: CommitSource | null;
  readonly shallow: ReadonlySet<string>;
  readonly state: readonly StateFile[];
  readonly signature: string;
  readonly roots: readonly Root[];
  readonly head: Head;
  readonly plan: WorktreePlan | null;
}

export interface SurveyContext {
  readonly mount: BytePath;
  readonly home: BytePath | undefined;
  readonly includeIgnored: boolean;
  readonly pace: Pace;
}

const NO_HEAD: Head = { ref: null, oid: null };

/** Disposing of it closes what it opened. */
export class Survey implements Disposable {
  readonly repositories: Surveyed[] = [];
  readonly leftOut: string[] = [];
  readonly #context: SurveyContext;
  /** Git directory → number, from the moment that its turn comes. */
  readonly #numbers = new Map<BytePath, number>();
  readonly #stores = new ObjectStores();

  private constructor(context: SurveyContext) {
    this.#context = context;
  }

  static async take(context: SurveyContext): Promise<Survey> {
    const survey = new Survey(context);
    try {
      await survey.#worktree(context.mount, 'mount');
      return survey;
    } catch (error) {
      survey[Symbol.dispose]();
      throw error;
    }
  }

  [Symbol.dispose](): void {
    this.#stores[Symbol.dispose]();
  }

  async #worktree(worktree: BytePath, as: RepositoryRecord['kind']): Promise<void> {
    const { home } = this.#context;
    let repository: Repository;
    try {
      repository = openRepository(worktree, home);
    } catch (error) {
      const reason = doubtOf(error);
      if (reason === undefined) throw error;
      await this.#unreadable(worktree, as, reason);
      return;
    }
    if (this.#numbers.has(repository.gitdir)) return;
    const isLinked = repository.gitdir !== repository.commondir;
    if (isLinked && !this.#numbers.has(repository.commondir)) await this.#owner(repository);
    // Its owner may have found it meanwhile.
    if (this.#numbers.has(repository.gitdir)) return;
    const kind = isLinked ? 'linked' : this.#isModule(repository.gitdir) ? 'submodule' : as;
    await this.#repository(repository, kind, true);
  }

  async #repository(
    repository: Repository,
    kind: RepositoryRecord['kind'],
    hasWorktree: boolean,
  ): Promise<void> {
    const { pace } = this.#context;
    const { gitdir, commondir } = repository;
    const number = this.#next(gitdir);
    const signature = stateSignature(gitdir);
    const state = readStateFiles(gitdir);
    const shallow = readShallow(commondir);
    const { store, commits } = this.#stores.open(commondir, shallow);
    const id = gitdir === commondir ? null : gitdir.slice(gitdir.lastIndexOf('/') + 1);
    const roots = findRoots(state, (file) => contentOf(gitdir, file), id);
    const owner = gitdir === commondir ? undefined : this.#numbers.get(commondir);
    const branches = owner === undefined ? roots : (this.repositories[owner]?.roots ?? []);
    const headFile = state.find(({ path }) => path === 'HEAD');
    const head = headOf(headFile?.content?.toString('latin1') ?? '', branches);
    const sparse = { repository, objects: store, doubts: this.leftOut };
    const tracked = await this.#attempt(() =>
      readTracked(gitdir, pace, hasWorktree ? sparse : undefined),
    );
    const planned = hasWorktree && tracked !== undefined;
    const plan = planned
      ? await this.#attempt(() => this.#plan(repository, store, tracked, head))
      : undefined;
    if (tracked !== undefined) roots.push(...indexRoots(tracked, plan?.staged));
    const surveyed: Surveyed = {
      number,
      kind,
      repository,
      hasWorktree,
      sharesWith: owner ?? null,
      ...{ store, commits, shallow, state, signature, roots, head },
      plan: plan ?? (hasWorktree ? await planEverything(repository, this.#context.pace) : null),
    };
    this.repositories[number] = surveyed;
    await this.#inside(surveyed);
  }

  /** Repositories that this one leads to. */
  async #inside({ repository, plan }: Surveyed): Promise<void> {
    const { worktree, gitdir } = repository;
    for (const path of plan?.repositories ?? []) {
      await this.#worktree(`${worktree}/${path}`, 'nested');
    }
    for (const linked of listLinkedGitdirs(gitdir)) {
      if (this.#numbers.has(linked)) continue;
      const place = worktreeOfLinked(linked);
      if (place !== undefined && findGitdir(place) === linked)
        await this.#worktree(place, 'linked');
      else await this.#repository(this.#bare(linked, gitdir), 'linked', false);
    }
    for (const module of listModuleGitdirs(gitdir)) {
      if (this.#numbers.has(module)) continue;
      await this.#repository(this.#bare(module, module), 'submodule', false);
    }
  }

  /** The repository that a linked worktree belongs to stands outside of all that was found so far. */
  async #owner({ commondir }: Repository): Promise<void> {
    const worktree = /^(.+)\/\.git$/.exec(commondir)?.[1];
    if (worktree !== undefined && findGitdir(worktree) === commondir) {
      await this.#worktree(worktree, 'nested');
    } else {
      await this.#repository(this.#bare(commondir, commondir), 'nested', false);
    }
  }

  async #unreadable(
    worktree: BytePath,
    kind: RepositoryRecord['kind'],
    reason: string,
  ): Promise<void> {
    const gitdir = findGitdir(worktree) ?? `${worktree}/.git`;
    if (this.#numbers.has(gitdir)) return;
    const number = this.#next(gitdir);
    this.leftOut.push(`${displayPath(worktree)}: taken file by file, because ${reason}`);
    const repository = { ...this.#bare(gitdir, gitdir), worktree };
    this.repositories[number] = {
      number,
      kind,
      repository,
      hasWorktree: true,
      sharesWith: null,
      store: null,
      commits: null,
      shallow: new Set(),
      state: readStateFiles(gitdir, true),
      signature: stateSignature(gitdir),
      roots: [],
      head: NO_HEAD,
      plan: await planEverything(repository, this.#context.pace),
    };
  }

  #plan(
    repository: Repository,
    store: ObjectStore,
    tracked: Tracked,
    head: Head,
  ): Promise<WorktreePlan> {
    const { includeIgnored, pace } = this.#context;
    const headTree =
      treeOf(head.oid === null ? Buffer.alloc(0) : readObject(store, head.oid, 'commit')) ?? null;
    return planWorktree({ repository, store, tracked, headTree, includeIgnored, pace });
  }

  async #attempt<T>(part: () => T | Promise<T>): Promise<T | undefined> {
    try {
      return await part();
    } catch (error) {
      const reason = doubtOf(error);
      if (reason === undefined) throw error;
      this.leftOut.push(reason);
      return undefined;
    }
  }

  #next(gitdir: BytePath): number {
    const number = this.#numbers.size;
    this.#numbers.set(gitdir, number);
    return number;
  }

  #isModule(gitdir: BytePath): boolean {
    return [...this.#numbers.keys()].some((other) => gitdir.startsWith(`${other}/modules/`));
  }

  /** A repository without a worktree, or whose worktree does not lead to it. */
  #bare(gitdir: BytePath, commondir: BytePath): Repository {
    const { home } = this.#context;
    const config = new GitConfig(home);
    config.read(`${commondir}/config`);
    return { worktree: gitdir, gitdir, commondir, config, home };
  }
}
