/**
 * What goes into a rescue process and what comes out, shared by the daemon and that process. All of it
 * is JSON, because it crosses a pipe; no token is in it.
 */
import type { CaptureContext, CaptureOutcome, CaptureProgress } from './capture.ts';
import type { RestoreContext, RestoreOutcome, RestoreProgress } from './restore.ts';

/** What a process is not told, or makes for itself. */
type Local = 'signal' | 'onProgress' | 'lsRemote' | 'clonedTags';

export interface CaptureJob extends Omit<CaptureContext, Local> {
  readonly kind: 'capture';
  /** What the remote showed just now, by full name; null when it was not asked, or did not answer. */
  readonly remoteRefs: readonly (readonly [name: string, oid: string])[] | null;
}

export interface RestoreJob extends Omit<RestoreContext, Local> {
  readonly kind: 'restore';
}

export type RescueJob = CaptureJob | RestoreJob;
export type RescueProgress = CaptureProgress | RestoreProgress;
export type RescueJobOutcome = CaptureOutcome | RestoreOutcome;
