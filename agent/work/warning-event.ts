/**
 * What a program or a URL is told: that work will be lost, or that a warning no longer holds. Enters:
 * rows of the status table and the times. Leaves: the JSON value that docs/warnings.md describes.
 */
import { randomUUID } from 'node:crypto';
import type { MountStatus, StatusSnapshot } from '../status.ts';
import { describeDuration, listRisks, quoteForMarkdown } from './at-risk-words.ts';
import type { WarningReason } from './warning-memory.ts';

export type WithdrawalReason = 'saved' | 'activity' | 'token_accepted';

/** What happened; the rest of an event follows from it and the table. */
export type Occasion =
  | {
      readonly event: 'warning';
      readonly reason: WarningReason;
      readonly thresholdMs: number | null;
    }
  | { readonly event: 'withdrawn'; readonly reason: WithdrawalReason };

export interface WarningEvent {
  /** Grows when a field changes its meaning or goes; new fields may come at any time. */
  readonly schema: 1;
  /** The same in each attempt to deliver it. */
  readonly id: string;
  readonly event: 'warning' | 'withdrawn';
  readonly reason: WarningReason | WithdrawalReason;
  readonly at: string;
  /** One line for people. */
  readonly message: string;
  readonly version: string;
  readonly session_id: string | null;
  readonly last_activity_at: string;
  readonly reclaim_at: string;
  readonly seconds_until_reclaim: number;
  /** Of --warn-before; null when it is not the deadline that is warned of. */
  readonly threshold_seconds: number | null;
  /** AT_RISK.md, while it is there. */
  readonly notice: string | null;
  readonly mounts: readonly WarnedMount[];
}

export type WarnedMount = Pick<
  MountStatus,
  'url' | 'mount_path' | 'head' | 'credential' | 'can_push' | 'at_risk'
>;

export interface WarningContext {
  readonly snapshot: StatusSnapshot;
  /** Those that the event is about. */
  readonly mounts: readonly MountStatus[];
  readonly now: Date;
  readonly leftMs: number;
  readonly notice: string;
}

export function warningEvent(occasion: Occasion, context: WarningContext): WarningEvent {
  const { snapshot, mounts, now, leftMs, notice } = context;
  const { event, reason } = occasion;
  const thresholdMs = event === 'warning' ? occasion.thresholdMs : null;
  return {
    schema: 1,
    id: randomUUID(),
    event,
    reason,
    at: now.toISOString(),
    message: messageOf(occasion, context),
    version: snapshot.version,
    session_id: snapshot.session_id,
    last_activity_at: snapshot.last_activity_at,
    reclaim_at: snapshot.reclaim_at,
    seconds_until_reclaim: Math.round(leftMs / 1000),
    threshold_seconds: thresholdMs === null ? null : thresholdMs / 1000,
    notice: event === 'warning' ? notice : null,
    mounts: mounts.map(({ url, mount_path, head, credential, can_push, at_risk }) => ({
      ...{ url, mount_path, head, credential, can_push, at_risk },
    })),
  };
}

function messageOf(occasion: Occasion, { mounts, leftMs }: WarningContext): string {
  switch (occasion.reason) {
    case 'deadline':
      return `${when(leftMs)} unless it is saved: ${listMounts(mounts)}`;
    case 'token_refused':
      return `work in the mount cannot be pushed until its token is rotated: ${listMounts(mounts)}`;
    case 'saved':
      return 'all work that was warned of is safe';
    case 'activity':
      return 'somebody works in the session again; the work is still at risk, the deadline is far';
    case 'token_accepted':
      return 'the host takes the token again; the work is still at risk and can be pushed';
  }
}

function when(leftMs: number): string {
  return leftMs > 0
    ? `work will be lost in ${describeDuration(leftMs)}`
    : 'work may be lost at any moment';
}

function listMounts(mounts: readonly MountStatus[]): string {
  return mounts
    .map(({ mount_path: path, at_risk: risk }) =>
      risk === null
        ? quoteForMarkdown(path)
        : `${quoteForMarkdown(path)}: ${listRisks(risk).join(', ')}`,
    )
    .join('; ');
}
