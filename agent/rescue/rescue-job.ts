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

/** Is a file a whole rescue, and what does it not hold? */
export interface InspectJob {
  readonly kind: 'inspect';
  readonly file: string;
}

export interface InspectOutcome {
  /** In words; empty when it has everything that there was. */
  readonly gaps: readonly string[];
}

export type RescueJob = CaptureJob | RestoreJob | InspectJob;
export type RescueProgress = CaptureProgress | RestoreProgress;
export type RescueJobOutcome = CaptureOutcome | RestoreOutcome | InspectOutcome;
