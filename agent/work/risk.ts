/**
 * The parts of a reading in, the numbers that /status shows out; null when nothing would be lost.
 * A path counts once in the total, however often it is named; the first few are kept to be read.
 */
import { displayPath } from '../repository/byte-path.ts';
import type { BytePath } from '../repository/byte-path.ts';
import { parentOf } from '../repository/tracked-changes.ts';
import type { TrackedIndex } from '../repository/tracked-index.ts';
import type { AtRisk } from '../status.ts';
import { NO_HISTORY } from './history.ts';
import type { HistoryReading } from './history.ts';
import type { NestedReading } from './nested-ledgers.ts';
import { WorktreeFiles } from './worktree-files.ts';

/** AtRisk without what only a history of readings tells. */
export type Risk = Omit<AtRisk, 'since' | 'checked_at'>;

export interface RiskParts {
  readonly doubts: readonly string[];
  readonly history?: HistoryReading;
  readonly staged?: ReadonlySet<BytePath> | undefined;
  /** Without it nothing is known of the files. */
  readonly index?: TrackedIndex | undefined;
  readonly files?: WorktreeFiles;
  readonly nested?: NestedReading;
}

const SHOWN_LIMIT = 50;
const DOUBTS_SHOWN = 5;
const NOTHING: ReadonlySet<BytePath> = new Set();
const NO_NESTED: NestedReading = {
  changedSubmodules: [],
  otherPaths: [],
  repositories: [],
  doubts: [],
  changedAtMs: 0,
};

export function summarize(parts: RiskParts): Risk | null {
  const { history = NO_HISTORY, nested = NO_NESTED, index } = parts;
  const staged = parts.staged ?? NOTHING;
  const conflicts = index?.conflicts ?? NOTHING;
  const files = index === undefined ? new WorktreeFiles() : (parts.files ?? new WorktreeFiles());
  const { totals } = files.readings;
  const total =
    [conflicts, staged].reduce((sum, paths) => sum + countUnnamed(paths, files, nested), 0) +
    totals.unstaged +
    totals.untracked +
    nested.changedSubmodules.length +
    nested.otherPaths.length;
  const doubts = [...new Set(parts.doubts)];
  const counted = total + history.stashes + history.unpushed.count + nested.repositories.length;
  if (counted === 0 && history.operation === null && doubts.length === 0) return null;
  return {
    staged: staged.size,
    unstaged: totals.unstaged + nested.changedSubmodules.length,
    untracked: totals.untracked,
    conflicted: conflicts.size,
    untracked_bytes: totals.untrackedBytes,
    unpushed_commits: history.unpushed.count,
    stashes: history.stashes,
    operation: history.operation,
    paths: show(conflicts, staged, files, nested),
    paths_total: total,
    branches: history.unpushed.branches,
    repositories: nested.repositories.slice(0, SHOWN_LIMIT),
    unknown: doubts.length === 0 ? null : doubts.slice(0, DOUBTS_SHOWN).join('; '),
  };
}

/** Those that neither a directory nor a submodule names as well. */
function countUnnamed(
  paths: ReadonlySet<BytePath>,
  files: WorktreeFiles,
  { changedSubmodules }: NestedReading,
): number {
  const submodules = new Set(changedSubmodules);
  let count = 0;
  for (const path of paths) {
    const prefix = parentOf(path);
    const name = path.slice(prefix.length);
    const reading = files.readings.get(prefix);
    const isNamed = reading?.unstaged.has(name) === true || reading?.untracked.has(name) === true;
    if (!isNamed && !submodules.has(path)) count++;
  }
  return count;
}

function show(
  conflicts: ReadonlySet<BytePath>,
  staged: ReadonlySet<BytePath>,
  files: WorktreeFiles,
  { changedSubmodules, otherPaths }: NestedReading,
): string[] {
  const shown = new Set<BytePath>();
  const add = (paths: Iterable<BytePath>, prefix = '', suffix = ''): void => {
    for (const path of paths) {
      if (shown.size >= SHOWN_LIMIT) return;
      shown.add(prefix + path + suffix);
    }
  };
  add(conflicts);
  add(staged);
  const telling = [...files.readings.telling()];
  for (const [prefix, { unstaged }] of telling) add(unstaged, prefix);
  add(changedSubmodules);
  for (const [prefix, { untracked, nested }] of telling) {
    add(untracked, prefix);
    add(nested, prefix, '/');
  }
  add(otherPaths);
  return [...shown].map(displayPath);
}
