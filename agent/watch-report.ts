/** How the changes in one mount are seen, for its row of the status table and the metrics. */

export interface WatchReport {
  /** Directories with an inotify watch. */
  readonly directories: number;
  /** Directories for which there was none: they are read at intervals. */
  readonly unwatched: number;
  /** How to have them watched; null when all are. */
  readonly remedy: string | null;
  /** What the last reading took. */
  readonly scan_ms: number;
  /** Ignored files and their size, those in directories that are ignored as a whole too; information only. */
  readonly ignored_files: number;
  readonly ignored_bytes: number;
  /**
   * `counting`: directories have come or gone since they were counted, or it is the first time;
   * `at_least`: some cannot be read, or are too many.
   */
  readonly ignored_state: 'counting' | 'counted' | 'at_least';
  /** When the directories that are ignored as a whole were last counted; null before the first time. */
  readonly ignored_counted_at: string | null;
}
