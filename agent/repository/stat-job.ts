/**
 * Entries of an index whose files another thread looks at, ahead of the one that reads directories:
 * of those that are as the index says by stat data alone it leaves a mark, and of no other. In memory
 * that both share; the first thread says how far the second may go, which never looks back.
 */
import { lstatSync } from 'node:fs';
import { MODE } from '../checkout/index-entry.ts';
import { errnoOf } from '../errors.ts';
import { fsPath } from './byte-path.ts';
import type { BytePath } from './byte-path.ts';
import { isChangedByStats } from './entry-stats.ts';
import type { TypeTrust } from './entry-stats.ts';
import { IndexTable } from './index-table.ts';
import type { IndexMemory } from './index-table.ts';

export interface StatJob {
  readonly worktree: BytePath;
  readonly index: IndexMemory;
  readonly trust: TypeTrust;
  /** Int32: how many of `positions` are there. */
  readonly progress: SharedArrayBuffer;
  /** Uint32: entries, in the order in which they will be asked for. */
  readonly positions: SharedArrayBuffer;
  /** A byte for each entry of the index: 1 once its file was found unchanged. */
  readonly unchanged: SharedArrayBuffer;
}

/** Runs until the thread is ended from outside. */
export function lookAtFiles(job: StatJob): never {
  const index = IndexTable.over(job.index);
  const progress = new Int32Array(job.progress);
  const positions = new Uint32Array(job.positions);
  const unchanged = new Uint8Array(job.unchanged);
  for (let at = 0; ;) {
    const end = Atomics.load(progress, 0);
    if (at === end) Atomics.wait(progress, 0, end);
    for (; at < end; at++) {
      const position = positions[at]!;
      if (isUnchanged(job, index, position)) Atomics.store(unchanged, position, 1);
    }
  }
}

function isUnchanged({ worktree, trust }: StatJob, index: IndexTable, position: number): boolean {
  const mode = index.mode(position);
  if (index.stage(position) !== 0 || mode === MODE.directory || mode === MODE.gitlink) return false;
  const path = fsPath(`${worktree}/${index.path(position)}`);
  try {
    const stats = lstatSync(path, { throwIfNoEntry: false });
    return stats !== undefined && isChangedByStats(index, position, stats, trust) === false;
  } catch (error) {
    // Who reads the directory meets it again, and says what it means.
    if (errnoOf(error) === undefined) throw error;
    return false;
  }
}
