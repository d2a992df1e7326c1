/**
 * A manifest in; out: where everything in the rescue goes, each path held against the rules before
 * anything is written: nothing leaves the mount but a linked worktree that stood outside it, nothing
 * reaches a `.git` but state that git reads and never runs, and no two members meet in one place.
 */
import { MODE } from '../checkout/index-entry.ts';
import { MAX_PATH_BYTES } from '../checkout/path-safety.ts';
import { AgentError } from '../errors.ts';
import { displayPath } from '../repository/byte-path.ts';
import type { BytePath } from '../repository/byte-path.ts';
import { pathOf } from './format.ts';
import type { MemberRecord, RescueManifest } from './format.ts';
import { gitdirPartOf } from './gitdir-rules.ts';
import { Places, checkWorktreePath, joinPath, refusedPath } from './path-rules.ts';
import { placeRepositories } from './repository-places.ts';
import type { PlacedRepositories, RepositoryPlan } from './repository-places.ts';

export interface PlanOptions {
  readonly withHooks: boolean;
  readonly withConfig: boolean;
  /** Whether linked worktrees that stood outside the mount are put back there. */
  readonly outsideWorktrees: boolean;
}

/** What becomes of a member. */
export type Sink =
  | {
      readonly to: 'worktree';
      readonly repository: number;
      readonly path: BytePath;
      readonly mode: number;
    }
  | { readonly to: 'link'; readonly repository: number; readonly path: BytePath }
  | { readonly to: 'directory'; readonly repository: number; readonly path: BytePath }
  | {
      readonly to: 'gitdir';
      readonly repository: number;
      readonly path: BytePath;
      readonly mode: number;
    }
  | { readonly to: 'config'; readonly repository: number; readonly path: BytePath }
  | { readonly to: 'bundle' | 'deleted' | 'modes'; readonly repository: number };

export interface NotRestored {
  readonly what: string;
  readonly why: string;
}

export interface RestorePlan {
  readonly repositories: readonly RepositoryPlan[];
  readonly sinks: ReadonlyMap<string, Sink>;
  readonly members: ReadonlyMap<string, MemberRecord>;
  readonly notRestored: readonly NotRestored[];
  readonly bytes: number;
  readonly files: number;
}

/** @throws RESCUE_INVALID, RESCUE_PATH_REFUSED. */
export function planRestore(manifest: RescueManifest, options: PlanOptions): RestorePlan {
  return new Planner(manifest, options).plan();
}

class Planner {
  readonly #manifest: RescueManifest;
  readonly #options: PlanOptions;
  readonly #sinks = new Map<string, Sink>();
  readonly #members = new Map<string, MemberRecord>();
  readonly #notRestored: NotRestored[] = [];
  readonly #repositories: PlacedRepositories;
  readonly #places = new Places();
  #bytes = 0;

  constructor(manifest: RescueManifest, options: PlanOptions) {
    this.#manifest = manifest;
    this.#options = options;
    this.#repositories = placeRepositories(manifest.repositories, options.outsideWorktrees);
  }

  plan(): RestorePlan {
    const { placed, leftOut } = this.#repositories;
    this.#notRestored.push(...leftOut.values());
    for (const { worktree, gitdir, stoodAt } of placed) {
      if (worktree === null || worktree === '') continue;
      if (stoodAt !== null) this.#tellMoved(stoodAt, worktree);
      this.#places.occupy(worktree, 'directory');
      if (gitdir !== `${worktree}/.git`) this.#places.occupy(`${worktree}/.git`, 'file');
    }
    for (const member of this.#manifest.members) this.#takeMember(member);
    return {
      repositories: placed,
      sinks: this.#sinks,
      members: this.#members,
      notRestored: this.#notRestored,
      bytes: this.#bytes,
      files: this.#sinks.size,
    };
  }

  #takeMember(member: MemberRecord): void {
    if (this.#members.has(member.name)) throw invalid(`the member ${member.name} comes twice`);
    this.#members.set(member.name, member);
    const { kind, repository } = member;
    if (kind === 'header' || kind === 'readme' || kind === 'patch' || kind === 'superseded') return;
    const { placed, leftOut } = this.#repositories;
    if (repository !== undefined && leftOut.has(repository)) return;
    const plan = placed.find(({ record }) => record.number === repository);
    if (plan === undefined) throw invalid(`the member ${member.name} belongs to no repository`);
    const sink = this.#sinkFor(member, plan);
    if (sink === null) return;
    this.#sinks.set(member.name, sink);
    this.#bytes += member.size;
  }

  #sinkFor(member: MemberRecord, plan: RepositoryPlan): Sink | null {
    const { kind } = member;
    const repository = plan.record.number;
    switch (kind) {
      case 'bundle':
        if (member.name !== plan.record.bundle || plan.owner !== repository) {
          throw invalid(`${member.name} is not the bundle of repository ${repository}`);
        }
        return { to: 'bundle', repository };
      case 'deleted':
      case 'modes':
        return { to: kind, repository };
      case 'file':
      case 'symlink':
      case 'directory':
        return this.#worktreeSink(member, plan);
      case 'git':
      case 'config':
      case 'hook':
        return this.#gitdirSink(member, plan, kind);
      case 'apart':
        this.#hold(member, 'its name stands for .git on some file systems');
        return null;
      case 'header':
      case 'readme':
      case 'patch':
      case 'superseded':
        return null;
    }
  }

  #worktreeSink(member: MemberRecord, { record, worktree }: RepositoryPlan): Sink {
    const path = pathOf(member);
    const { number: repository } = record;
    if (worktree === null) throw refusedPath(path, 'belongs to a repository without a worktree');
    const { kind } = member;
    checkWorktreePath(path, kind === 'symlink' ? MODE.symlink : MODE.regular);
    this.#places.occupy(joinPath(worktree, path), kind === 'directory' ? 'directory' : 'file');
    if (kind === 'symlink') {
      if (member.size === 0 || member.size > MAX_PATH_BYTES) {
        throw refusedPath(path, `is a link of ${member.size} bytes`);
      }
      return { to: 'link', repository, path };
    }
    if (kind === 'directory') return { to: 'directory', repository, path };
    return { to: 'worktree', repository, path, mode: modeOf(member, 0o644) };
  }

  #gitdirSink(
    member: MemberRecord,
    { record, gitdir }: RepositoryPlan,
    kind: 'git' | 'config' | 'hook',
  ): Sink | null {
    const path = pathOf(member);
    // The restore writes these two itself: they say where things are, which is not the rescue's to say.
    if (record.kind === 'linked' && (path === 'gitdir' || path === 'commondir')) return null;
    const part = gitdirPartOf(path);
    const fits = { git: 'state', config: 'config', hook: 'hook' }[kind];
    if (part === 'unknown' && kind === 'git') {
      this.#hold(member, 'what it is to git is not known');
      return null;
    }
    if (part !== fits) throw refusedPath(`${gitdir}/${path}`, `is no ${kind} of a Git directory`);
    this.#places.occupy(joinPath(gitdir, path), 'file');
    const { number: repository } = record;
    if (kind === 'config') return { to: 'config', repository, path };
    if (kind === 'git') return { to: 'gitdir', repository, path, mode: modeOf(member, 0o644) };
    if (this.#options.withHooks) {
      return { to: 'gitdir', repository, path, mode: modeOf(member, 0o755) };
    }
    this.#hold(member, 'git would run it; --hooks brings it back');
    return null;
  }

  #tellMoved(stoodAt: BytePath, worktree: BytePath): void {
    this.#notRestored.push({
      what: `the place of the linked worktree ${displayPath(stoodAt)}`,
      why: `it was outside the mount; it is at ${displayPath(worktree)} now, with all that was in it (git worktree move)`,
    });
  }

  #hold(member: MemberRecord, why: string): void {
    this.#notRestored.push({ what: displayPath(pathOf(member)), why });
  }
}

function modeOf({ mode }: MemberRecord, otherwise: number): number {
  return mode === undefined ? otherwise : Number.parseInt(mode, 8) & 0o777;
}

function invalid(message: string): AgentError {
  return new AgentError('RESCUE_INVALID', message);
}
