/** What the status says of rescues: one that was taken, one that can be put back, one that was. */

/** A rescue file of a mount, and what is in it. */
export interface RescueNote {
  readonly file: string;
  readonly created_at: string;
  /** The session whose work it holds. */
  readonly session_id: string | null;
  /** In words: "2 commits", "1 stash". */
  readonly covers: readonly string[];
  /** In words: what it does not hold, or what went on changing; empty when it has everything. */
  readonly gaps: readonly string[];
}

/** Of one mount. */
export interface RescueNotes {
  /** The last one that this daemon took. */
  readonly last_rescue: RescueNote | null;
  /** One of an earlier disk, whose work this clone does not have. */
  readonly restorable: RescueNote | null;
  /** The one whose work this clone was given. */
  readonly restored: RescueNote | null;
}

export const NO_RESCUES: RescueNotes = { last_rescue: null, restorable: null, restored: null };
