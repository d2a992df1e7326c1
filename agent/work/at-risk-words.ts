/**
 * Work at risk in plain words. Paths and refs are a repository's words, not ours: they stand as
 * quoted data on one line, whatever they hold.
 */
import { isPlainText } from '../plain-text.ts';
import type { AtRisk, RepositoryAtRisk } from '../status.ts';

const SHOWN_BRANCHES = 20;

const SHOWN_REPOSITORIES = 20;

const KINDS: Readonly<Record<RepositoryAtRisk['kind'], string>> = {
  submodule: 'the submodule',
  nested: 'the repository',
  worktree: 'the linked worktree',
};

export function nameOf({ kind, path }: RepositoryAtRisk): string {
  return `${KINDS[kind]} ${quoteForMarkdown(path)}`;
}

/** One line for each kind of work. */
export function listRisks(risk: AtRisk): string[] {
  const lines = listCounts(risk, risk.branches);
  for (const repository of risk.repositories.slice(0, SHOWN_REPOSITORIES)) {
    lines.push(`in ${nameOf(repository)}: ${listCounts(repository, []).join(', ')}`);
  }
  addCount(
    lines,
    risk.repositories.length - SHOWN_REPOSITORIES,
    'more repository',
    'more repositories',
  );
  return lines;
}

type Counts = Omit<RepositoryAtRisk, 'path' | 'kind'>;

function addCount(lines: string[], count: number, one: string, many: string): void {
  if (count > 0) lines.push(`${count} ${count === 1 ? one : many}`);
}

function listCounts(risk: Counts, branches: AtRisk['branches']): string[] {
  const lines: string[] = [];
  const add = (count: number, one: string, many: string): void => {
    addCount(lines, count, one, many);
  };
  add(risk.conflicted, 'file with merge conflicts', 'files with merge conflicts');
  add(risk.staged, 'file staged but not committed', 'files staged but not committed');
  add(risk.unstaged, 'changed file not committed', 'changed files not committed');
  add(risk.untracked, 'untracked file', `untracked files (${risk.untracked_bytes} bytes)`);
  add(risk.unpushed_commits, 'commit not pushed', 'commits not pushed');
  for (const { ref, unpushed } of branches.slice(0, SHOWN_BRANCHES)) {
    lines.push(`${quoteForMarkdown(ref)}: ${unpushed} not pushed`);
  }
  add(branches.length - SHOWN_BRANCHES, 'more such branch', 'more such branches');
  add(
    risk.stashes,
    'stash entry, which a push does not save',
    'stash entries, which a push does not save',
  );
  if (risk.operation !== null) lines.push(`a ${risk.operation} is waiting to be finished`);
  if (risk.unknown !== null) {
    lines.push(
      `not everything could be read: ${quoteForMarkdown(risk.unknown)}; look with git status`,
    );
  }
  return lines;
}

/** Rounded down: no more time is promised than there is. */
export function describeDuration(ms: number): string {
  const minutes = Math.floor(ms / 60_000);
  if (minutes < 1) return 'less than a minute';
  if (minutes < 120) return minutes === 1 ? '1 minute' : `${minutes} minutes`;
  const [hours, rest] = [Math.floor(minutes / 60), minutes % 60];
  return rest === 0 ? `${hours} hours` : `${hours} hours ${rest} minutes`;
}

/** As inline code on one line. */
export function quoteForMarkdown(text: string): string {
  return `\`${masked(text)}\``;
}

/** Without what could end a line, close a quotation, or change what stands around it without being seen. */
function masked(text: string): string {
  const open = text.replaceAll('`', '\uFFFD');
  return isPlainText(text) ? open : open.replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}]/gu, '\uFFFD');
}

/** null when the name cannot stand in a command line that somebody may copy. */
export function quoteForShell(text: string): string | null {
  if (/^[\w./@:+-]+$/.test(text)) return text;
  if (masked(text) !== text) return null;
  return `'${text.replaceAll("'", "'\\''")}'`;
}
