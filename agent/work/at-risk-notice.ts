/**
 * AT_RISK.md: what would be lost, how long there is, and what to do, for the AI agent that reads
 * it. Paths and refs are a repository's words, not ours: they stand as quoted data on one line.
 */
import type { AtRisk, MountStatus } from '../status.ts';
import type { ReclaimTimes } from './reclaim-clock.ts';

export interface NoticeContext {
  readonly mounts: readonly MountStatus[];
  readonly times: ReclaimTimes;
  readonly now: Date;
  readonly runDir: string;
}

/** null when nothing is at risk. */
export function renderNotice({ mounts, times, now, runDir }: NoticeContext): string | null {
  const atRisk = mounts.flatMap((mount) =>
    mount.at_risk === null ? [] : [{ ...mount, at_risk: mount.at_risk }],
  );
  if (atRisk.length === 0) return null;
  const leftMs = times.reclaimAt.getTime() - now.getTime();
  return [
    '# Work in this session will be lost unless you save it now',
    '',
    `The disk that holds these repositories may be deleted at ${times.reclaimAt.toISOString()}` +
      ` (${leftMs > 0 ? `in ${describeDuration(leftMs)}` : 'from now on, at any moment'}),` +
      ` because nothing has happened here since ${times.lastActivityAt.toISOString()}.`,
    'The repositories will be cloned again from their remotes. Whatever is not on a remote by then is',
    'gone for good: uncommitted changes, untracked files, unpushed commits, stashes.',
    'Nothing is committed or pushed automatically. You have to do it.',
    '',
    ...atRisk.flatMap(describeMount),
    '## Need more time?',
    '',
    'Any change in a repository, or this command, starts the waiting period again:',
    '',
    '```sh',
    `touch ${quoteForShell(`${runDir}/activity`)}`,
    '```',
    '',
    'That only puts the loss off. This file disappears by itself as soon as everything is saved.',
    '',
  ].join('\n');
}

function describeMount(mount: MountStatus & { readonly at_risk: AtRisk }): string[] {
  const { at_risk: risk, mount_path: path } = mount;
  const shown = risk.paths.map((name) => `- ${quoteForMarkdown(name)}`);
  const more = risk.paths_total - risk.paths.length;
  if (more > 0) shown.push(`- and ${more} more`);
  return [
    `## ${quoteForMarkdown(path)}`,
    '',
    ...listRisks(risk).map((line) => `- ${line}`),
    '',
    ...(shown.length === 0 ? [] : ['Paths:', '', ...shown, '']),
    'Save it:',
    '',
    '```sh',
    `cd ${quoteForShell(path)}`,
    ...listCommands(mount),
    '```',
    '',
  ];
}

/** One line for each kind of work, in plain words. */
export function listRisks(risk: AtRisk): string[] {
  const lines: string[] = [];
  const add = (count: number, one: string, many: string): void => {
    if (count > 0) lines.push(`${count} ${count === 1 ? one : many}`);
  };
  add(risk.conflicted, 'file with merge conflicts', 'files with merge conflicts');
  add(risk.staged, 'file staged but not committed', 'files staged but not committed');
  add(risk.unstaged, 'changed file not committed', 'changed files not committed');
  add(risk.untracked, 'untracked file', `untracked files (${risk.untracked_bytes} bytes)`);
  add(risk.unpushed_commits, 'commit not pushed', 'commits not pushed');
  for (const { ref, unpushed } of risk.branches) {
    lines.push(`${quoteForMarkdown(ref)}: ${unpushed} not pushed`);
  }
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

function listCommands({
  at_risk: risk,
  head,
}: MountStatus & { readonly at_risk: AtRisk }): string[] {
  const commands = ['git status'];
  if (risk.operation !== null) {
    commands.push(`# finish the ${risk.operation} first (--continue), or give it up (--abort)`);
  }
  if (head?.ref === null) commands.push('git switch -c saved-work   # HEAD is on no branch');
  if (risk.conflicted + risk.staged + risk.unstaged + risk.untracked > 0) {
    commands.push(
      '# look through the list first: secrets and build output do not belong into a commit',
      'git add -A',
      'git commit -m "Save work in progress"',
    );
  }
  if (risk.stashes > 0) {
    commands.push(
      'git stash list',
      'git stash branch saved-stash   # for each entry; then commit it and push that branch as well',
    );
  }
  commands.push(
    'git push -u origin HEAD   # if this branch must not be pushed to, make another one',
  );
  for (const { ref } of risk.branches) {
    const name = /^refs\/(?:heads|tags)\/(.+)$/.exec(ref)?.[1];
    if (name === undefined || ref === head?.ref) continue;
    commands.push(`git push origin ${quoteForShell(ref)}`);
  }
  return commands;
}

export function describeDuration(ms: number): string {
  const minutes = Math.max(1, Math.round(ms / 60_000));
  if (minutes < 120) return minutes === 1 ? '1 minute' : `${minutes} minutes`;
  return `${Math.floor(minutes / 60)} hours ${minutes % 60} minutes`;
}

/** As inline code on one line, whatever the name holds. */
function quoteForMarkdown(text: string): string {
  // eslint-disable-next-line no-control-regex -- these are what has to be masked
  const line = text.replace(/[\x00-\x1f\x7f-\x9f\u2028\u2029`]/g, '\uFFFD');
  return `\`${line}\``;
}

function quoteForShell(text: string): string {
  if (/^[\w./@:+-]+$/.test(text)) return text;
  // eslint-disable-next-line no-control-regex -- these are what has to be masked
  const line = text.replace(/[\x00-\x1f\x7f-\x9f\u2028\u2029`]/g, '\uFFFD');
  return `'${line.replaceAll("'", "'\\''")}'`;
}
