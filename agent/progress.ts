/** Counts of the clone under way; totals are 0 until they are known. */
export interface Progress {
  readonly received_bytes: number;
  readonly objects: number;
  readonly total_objects: number;
  readonly files: number;
  readonly total_files: number;
}

export const NO_PROGRESS: Progress = {
  received_bytes: 0,
  objects: 0,
  total_objects: 0,
  files: 0,
  total_files: 0,
};
