/**
 * The one mutable table: phase, progress, error and work at risk of each mount. Steps write to it
 * through boot.ts, health/ reads it; its snapshot is the `/status` body of the contract.
 */
import type { ErrorReport } from './error-report.ts';
import { NO_PROGRESS } from './progress.ts';
import type { Progress } from './progress.ts';
import { NO_RESCUES } from './rescue-note.ts';
import type { RescueNotes } from './rescue-note.ts';
import type { Resource } from './resource.ts';
import type { Waiting } from './waiting.ts';
import type { WatchReport } from './watch-report.ts';

export type Phase =
  'pending' | 'connecting' | 'receiving' | 'indexing' | 'checking_out' | 'ready' | 'failed';

export type Health = 'pass' | 'warn' | 'fail';

export type Credential = 'ok' | 'rejected' | 'sso_required' | 'unknown';

export interface Head {
  /** Full ref name, or null when HEAD is detached. */
  readonly ref: string | null;
  /** null while the branch is unborn (empty repository). */
  readonly oid: string | null;
}

/** What would be lost with the disk; counts as `git status --porcelain=v2 --no-renames` has them. */
export interface AtRisk {
  readonly staged: number;
  readonly unstaged: number;
  readonly untracked: number;
  readonly conflicted: number;
  readonly untracked_bytes: number;
  readonly unpushed_commits: number;
  readonly stashes: number;
  /** `merge`, `rebase`, `cherry-pick`, `revert`, `bisect`, `am`, or null. */
  readonly operation: string | null;
  /** At most 50, relative to the mount path, `/` between components. */
  readonly paths: readonly string[];
  readonly paths_total: number;
  readonly branches: readonly { readonly ref: string; readonly unpushed: number }[];
  /** Submodules, nested repositories and linked worktrees that hold work themselves; at most 50. */
  readonly repositories: readonly RepositoryAtRisk[];
  /** Why the ledger cannot be sure, when it cannot; then work is counted as at risk. */
  readonly unknown: string | null;
  /** ISO 8601: when the work was first seen at risk, and when that was last checked. */
  readonly since: string;
  readonly checked_at: string;
}

/** The same counts of a repository that would be lost together with the mount. */
export interface RepositoryAtRisk {
  /** Relative to the mount path; absolute for a linked worktree elsewhere. */
  readonly path: string;
  readonly kind: 'submodule' | 'nested' | 'worktree';
  readonly staged: number;
  readonly unstaged: number;
  readonly untracked: number;
  readonly conflicted: number;
  readonly untracked_bytes: number;
  /** 0 in a linked worktree, whose commits and stashes are the mount's own. */
  readonly unpushed_commits: number;
  readonly stashes: number;
  readonly operation: string | null;
  readonly unknown: string | null;
}

export interface MountStatus extends RescueNotes {
  readonly type: 'github_repository';
  readonly url: string;
  readonly mount_path: string;
  readonly phase: Phase;
  readonly progress: Progress;
  readonly head: Head | null;
  readonly started_at: string | null;
  readonly ready_at: string | null;
  readonly attempts: number;
  readonly credential: Credential;
  /** Whether the host would take a push with the token; null until it has been asked. */
  readonly can_push: boolean | null;
  readonly error: ErrorReport | null;
  readonly at_risk: AtRisk | null;
  /** How changes in the mount are seen; null before the first reading. */
  readonly watch?: WatchReport | null;
}

export interface StatusSnapshot {
  readonly version: string;
  readonly session_id: string | null;
  readonly status: Health;
  readonly started_at: string;
  readonly last_activity_at: string;
  readonly reclaim_at: string;
  readonly waiting_for: Waiting | null;
  readonly mounts: readonly MountStatus[];
}

/** Fields of a mount that a step may set. */
export type MountChange = Partial<Omit<MountStatus, 'type' | 'url' | 'mount_path'>>;

export interface StatusContext {
  readonly version: string;
  readonly startedAt: Date;
  readonly reclaimAfterMs: number;
}

export class StatusTable {
  readonly #context: StatusContext;
  readonly #mounts = new Map<string, MountStatus>();
  readonly #listeners = new Set<() => void>();
  #sessionId: string | null = null;
  #manifestRead = false;
  #waitingFor: Waiting | null = null;
  #deadlineNear = false;
  #isBroken = false;
  #lastActivityAt: Date;
  #reclaimAt: Date;

  constructor(context: StatusContext) {
    this.#context = context;
    this.#lastActivityAt = context.startedAt;
    this.#reclaimAt = new Date(context.startedAt.getTime() + context.reclaimAfterMs);
  }

  /** Called once, when the manifest is known; each resource becomes a pending mount. */
  begin(sessionId: string | null, resources: readonly Resource[]): void {
    this.#sessionId = sessionId;
    this.#manifestRead = true;
    this.#waitingFor = null;
    for (const { url, mountPath } of resources) {
      this.#mounts.set(mountPath, {
        type: 'github_repository',
        url,
        mount_path: mountPath,
        phase: 'pending',
        progress: NO_PROGRESS,
        head: null,
        started_at: null,
        ready_at: null,
        attempts: 0,
        credential: 'unknown',
        can_push: null,
        error: null,
        at_risk: null,
        watch: null,
        ...NO_RESCUES,
      });
    }
    this.#notify();
  }

  /** Until begin() is called. */
  wait(waitingFor: Waiting): void {
    this.#waitingFor = waitingFor;
    this.#notify();
  }

  update(mountPath: string, change: MountChange): void {
    const mount = this.#mounts.get(mountPath);
    if (mount === undefined) throw new TypeError(`no mount at ${mountPath}`);
    this.#mounts.set(mountPath, { ...mount, ...change });
    this.#notify();
  }

  /** @param deadlineNear true from the first warning threshold on: health becomes `warn` while work is at risk. */
  setReclaim(lastActivityAt: Date, reclaimAt: Date, deadlineNear: boolean): void {
    this.#lastActivityAt = lastActivityAt;
    this.#reclaimAt = reclaimAt;
    this.#deadlineNear = deadlineNear;
    this.#notify();
  }

  /** Something in the daemon itself has failed: nothing here may be believed without a look. */
  breakDown(): void {
    this.#isBroken = true;
    this.#notify();
  }

  get isBroken(): boolean {
    return this.#isBroken;
  }

  mount(mountPath: string): MountStatus | undefined {
    return this.#mounts.get(mountPath);
  }

  get mounts(): readonly MountStatus[] {
    return [...this.#mounts.values()];
  }

  /** True once the manifest was read and every mount in it is ready. */
  get ready(): boolean {
    return this.#manifestRead && this.mounts.every((mount) => mount.phase === 'ready');
  }

  get manifestRead(): boolean {
    return this.#manifestRead;
  }

  /** True from the first warning threshold before the disk may be reclaimed. */
  get deadlineNear(): boolean {
    return this.#deadlineNear;
  }

  get health(): Health {
    const { mounts } = this;
    if (this.#isBroken) return 'fail';
    if (mounts.some((mount) => mount.phase === 'failed')) return 'fail';
    const isWarning = (mount: MountStatus): boolean =>
      mount.at_risk !== null && (this.#deadlineNear || isTokenRefused(mount));
    return mounts.some(isWarning) ? 'warn' : 'pass';
  }

  snapshot(): StatusSnapshot {
    return {
      version: this.#context.version,
      session_id: this.#sessionId,
      status: this.health,
      started_at: this.#context.startedAt.toISOString(),
      last_activity_at: this.#lastActivityAt.toISOString(),
      reclaim_at: this.#reclaimAt.toISOString(),
      waiting_for: this.#waitingFor,
      mounts: this.mounts,
    };
  }

  /** @returns a function that ends the subscription. The listener must not throw. */
  subscribe(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  #notify(): void {
    for (const listener of this.#listeners) listener();
  }
}

/** True when no push can save the work in the mount: a reason to warn before the deadline is near. */
export function isTokenRefused({ credential }: MountStatus): boolean {
  return credential === 'rejected' || credential === 'sso_required';
}
