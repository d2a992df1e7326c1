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
  /** Ignored files beside others, not those in directories that are ignored; information only. */
  readonly ignored_files: number;
  readonly ignored_bytes: number;
}
