/** What the parts of a rescue come to, in numbers and in words. */
import type { RescueCounts } from './format.ts';
import type { Surveyed } from './survey.ts';
import type { WantedObjects } from './wanted-objects.ts';

export interface CountedPart {
  readonly surveyed: Surveyed;
  readonly wanted: WantedObjects | null;
  /** Of the worktree's files that are taken. */
  readonly fileBytes: number;
}

export function countsOf(parts: readonly CountedPart[]): RescueCounts {
  const plans = parts.flatMap(({ surveyed: { plan } }) => (plan === null ? [] : [plan]));
  const kinds = plans.flatMap(({ files }) => [...files.values()]);
  const sum = (counts: readonly number[]): number => counts.reduce((a, b) => a + b, 0);
  const stashes = parts.map(({ surveyed }) =>
    surveyed.roots.filter(({ ref }) => /^refs\/rescue\/stash\/\d+$/.test(ref ?? '')),
  );
  return {
    repositories: parts.length,
    commits: sum(parts.map(({ wanted }) => wanted?.commitCount ?? 0)),
    objects: sum(parts.map(({ wanted }) => wanted?.table.count ?? 0)),
    stashes: sum(stashes.map(({ length }) => length)),
    changed_files: kinds.filter((kind) => kind === 'changed').length,
    untracked_files: kinds.filter((kind) => kind === 'untracked').length,
    deleted_files: sum(plans.map(({ deleted }) => deleted.length)),
    conflicted_files: sum(plans.map(({ conflicts }) => conflicts)),
    file_bytes: sum(parts.map(({ fileBytes }) => fileBytes)),
  };
}

/** One part each, none where there is nothing. */
export function describeCounts(counts: RescueCounts, operation: string | null): string[] {
  const parts: [count: number, one: string, many: string][] = [
    [counts.commits, 'commit', 'commits'],
    [counts.stashes, 'stash', 'stashes'],
    [counts.changed_files, 'changed file', 'changed files'],
    [counts.untracked_files, 'untracked file', 'untracked files'],
    [counts.deleted_files, 'deleted file', 'deleted files'],
    [counts.conflicted_files, 'file in conflict', 'files in conflict'],
  ];
  const words = parts
    .filter(([count]) => count > 0)
    .map(([count, one, many]) => `${count} ${count === 1 ? one : many}`);
  if (operation !== null) words.push(`a ${operation} under way`);
  return words;
}
