/**
 * Words for one mount: phase, branch, counts, error. In: its status; out: masked text, no colours,
 * no layout. What the progress display and the status table have in common.
 */
import { basename } from 'node:path';
import type { AtRisk, Head, MountStatus, Phase, RepositoryAtRisk } from '../status.ts';
import { mask } from './text.ts';
import { formatBytes, formatCount, formatDuration, plural } from './units.ts';

export const PHASE_WORDS: Readonly<Record<Phase, string>> = {
  pending: 'waiting',
  connecting: 'connecting',
  receiving: 'receiving',
  indexing: 'indexing',
  checking_out: 'checking out',
  ready: 'ready',
  failed: 'failed',
};

/** The phase, and what the token of a ready mount is not good for. */
export function describePhase({ phase, credential, can_push: canPush }: MountStatus): string {
  const word = PHASE_WORDS[phase];
  if (phase !== 'ready') return word;
  if (credential === 'rejected' || credential === 'sso_required') return `${word}, token refused`;
  return canPush === false ? `${word}, no push` : word;
}

export interface Counted {
  readonly done: number;
  readonly total: number;
  readonly unit: 'objects' | 'files';
}

/** Objects, then files; null in the phases that count nothing or do not know their total yet. */
export function countedOf({ phase, progress }: MountStatus): Counted | null {
  const { objects, total_objects: totalObjects, files, total_files: totalFiles } = progress;
  if ((phase === 'receiving' || phase === 'indexing') && totalObjects > 0) {
    return { done: objects, total: totalObjects, unit: 'objects' };
  }
  if (phase === 'checking_out' && totalFiles > 0) {
    return { done: files, total: totalFiles, unit: 'files' };
  }
  return null;
}

/** Rounded down: 100 only when all is done. */
export function percentOf({ done, total }: Counted): number {
  return Math.min(100, Math.floor((done / total) * 100));
}

/** `████░░░░`, exactly so many columns; what is missing is painted by `paint`. */
export function drawBar(
  { done, total }: Counted,
  columns: number,
  paint: (text: string) => string = (text) => text,
): string {
  const full = Math.floor(Math.min(1, done / total) * columns);
  return '█'.repeat(full) + paint('░'.repeat(columns - full));
}

/** The last component of each mount path, or the whole path where two have the same. */
export function labelsOf(mountPaths: readonly string[]): ReadonlyMap<string, string> {
  const uses = new Map<string, number>();
  for (const path of mountPaths) uses.set(basename(path), (uses.get(basename(path)) ?? 0) + 1);
  return new Map(
    mountPaths.map((path) => [path, mask(uses.get(basename(path)) === 1 ? basename(path) : path)]),
  );
}

/** `main at 1a2b3c4`, `detached at 1a2b3c4`, `main, no commit yet`. */
export function describeHead(head: Head | null): string {
  if (head === null) return '';
  const { ref, oid } = head;
  const name = ref === null ? 'detached' : mask(ref.replace(/^refs\/heads\//, ''));
  return oid === null ? `${name}, no commit yet` : `${name} at ${oid.slice(0, 7)}`;
}

/** `45 % (12,345/27,000 objects, 23 MB)`, without what is not known yet. */
export function describeProgress(mount: MountStatus): string {
  const counted = countedOf(mount);
  const bytes = mount.progress.received_bytes;
  const size = bytes > 0 && mount.phase !== 'checking_out' ? [formatBytes(bytes)] : [];
  if (counted === null) return size.join('');
  const { done, total, unit } = counted;
  const counts = `${formatCount(done)}/${formatCount(total)} ${unit}`;
  return `${percentOf(counted)} % (${[counts, ...size].join(', ')})`;
}

/** `4.1 s`, or nothing when a time is missing. */
export function describeDuration({ started_at: from, ready_at: to }: MountStatus): string {
  return from === null || to === null ? '' : formatDuration(Date.parse(to) - Date.parse(from));
}

/** `CODE: message`, its remedy, and when it is tried again. */
export function describeError(mount: MountStatus, now: Date): string[] {
  const { error } = mount;
  if (error === null) return [];
  const lines = [mask(`${error.code}: ${error.message}`), mask(error.remedy)];
  if (error.next_attempt_at !== null) {
    const wait = Date.parse(error.next_attempt_at) - now.getTime();
    lines.push(wait > 0 ? `Tried again in ${formatDuration(wait)}.` : 'Being tried again.');
  }
  return lines;
}

const SHOWN_REPOSITORIES = 3;

/** `2 staged, 3 changed, 1 untracked (1.2 MB), 3 unpushed commits`; `nothing` when nothing is. */
export function describeAtRisk(atRisk: AtRisk | null): string {
  if (atRisk === null) return 'nothing';
  const { repositories } = atRisk;
  const words = wordsOf(atRisk);
  for (const repository of repositories.slice(0, SHOWN_REPOSITORIES)) {
    words.push(`in ${mask(repository.path)}: ${wordsOf(repository).join(', ')}`);
  }
  const more = repositories.length - SHOWN_REPOSITORIES;
  if (more > 0) words.push(`in ${plural(more, 'more repository', 'more repositories')}`);
  return words.length === 0 ? 'something' : words.join(', ');
}

function wordsOf(atRisk: AtRisk | RepositoryAtRisk): string[] {
  const { untracked, untracked_bytes: bytes, operation, unknown } = atRisk;
  const counts: [number, string][] = [
    [atRisk.conflicted, `${formatCount(atRisk.conflicted)} conflicted`],
    [atRisk.staged, `${formatCount(atRisk.staged)} staged`],
    [atRisk.unstaged, `${formatCount(atRisk.unstaged)} changed`],
    [untracked, `${formatCount(untracked)} untracked (${formatBytes(bytes)})`],
    [atRisk.unpushed_commits, plural(atRisk.unpushed_commits, 'unpushed commit')],
    [atRisk.stashes, plural(atRisk.stashes, 'stash', 'stashes')],
  ];
  const words = counts.filter(([count]) => count > 0).map(([, text]) => text);
  if (operation !== null) words.push(`${mask(operation)} under way`);
  if (unknown !== null) words.push(`not certain: ${mask(unknown)}`);
  return words;
}
