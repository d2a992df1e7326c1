/**
 * AT_RISK.md: what would be lost, how long there is, and what to do, for the AI agent that reads
 * it. Every command in it can be run as it stands; every name from a repository is quoted data.
 */
import type { AtRisk, Head, MountStatus, RepositoryAtRisk } from '../status.ts';
import {
  describeDuration,
  listRisks,
  nameOf,
  quoteForMarkdown,
  quoteForShell,
} from './at-risk-words.ts';
import { describeRescue, describeRestorable } from './rescue-words.ts';

export interface NoticeContext {
  /** Those that it is about; rows with nothing at risk are left out. */
  readonly mounts: readonly MountStatus[];
  /** Those whose earlier work can be put back. */
  readonly restorable?: readonly MountStatus[];
  /** Whether no push can save the work in the mount. */
  readonly isStuck: (mount: MountStatus) => boolean;
  readonly why: 'deadline' | 'token' | 'ending';
  readonly lastActivityAt: Date;
  readonly reclaimAt: Date;
  readonly leftMs: number;
  readonly now: Date;
  readonly runDir: string;
  /** Where rescues outlive the disk; null: nowhere. */
  readonly rescueDir: string | null;
}

const NAMED_BRANCHES = 20;
/** The file is written anew only when its words are others: every five minutes is enough. */
const STEP_MS = 300_000;

type MountAtRisk = MountStatus & { readonly at_risk: AtRisk };

/** null when nothing is at risk. */
export function renderNotice(context: NoticeContext): string | null {
  const atRisk = context.mounts.filter((mount): mount is MountAtRisk => mount.at_risk !== null);
  const restorable = describeRestorable(context.restorable ?? []);
  if (atRisk.length === 0) {
    return restorable.length === 0 ? null : [...restorable, ''].join('\n');
  }
  return [
    '# Work in this session will be lost unless you save it now',
    '',
    'This is for whoever works in this session, an AI agent as well as a person. Do it before anything',
    'else: it takes a few commands for each repository below.',
    '',
    ...reasons(context),
    'The repositories will be cloned again from their remotes. Whatever is not on a remote by then is gone',
    'for good: uncommitted changes, untracked files, unpushed commits, stashes.',
    'Nothing is committed or pushed automatically.',
    '',
    ...atRisk.flatMap((mount) => describeMount(mount, context)),
    ...restorable,
    '## How to tell that it is done',
    '',
    '`mount-agent status` ends with exit code 0 and says that nothing would be lost; this file then',
    'disappears by itself. Work that is only in a rescue file stays listed: then the file, copied away, is',
    'what you can do. Do not delete this file, and do not use `git stash`, `git reset --hard` or `git clean`:',
    'a stash stays on this disk, and the others destroy the work.',
    '',
    ...moreTime(context),
  ].join('\n');
}

function reasons({ why, leftMs, reclaimAt, lastActivityAt, now }: NoticeContext): string[] {
  if (why === 'ending') {
    return [
      `**How long:** the session was told to stop at ${minute(now)}; the disk that holds these`,
      'repositories may be deleted at any moment.',
      '',
    ];
  }
  const asOf = new Date(Math.floor(now.getTime() / STEP_MS) * STEP_MS);
  const left =
    leftMs > 0
      ? `in ${describeDuration(leftMs + now.getTime() - asOf.getTime())} as of ${minute(asOf)}`
      : 'from now on, at any moment';
  const deadline = [
    `**How long:** the disk that holds these repositories may be deleted at ${reclaimAt.toISOString()} (${left}),`,
    `because nothing has happened here since ${lastActivityAt.toISOString()}.`,
    '',
  ];
  if (why === 'deadline') return deadline;
  return [
    '**Why now:** the host no longer takes the token of a repository below, so what is in it cannot be',
    'pushed. Until the token is replaced, the work exists on this disk only.',
    '',
    ...deadline,
  ];
}

function minute(date: Date): string {
  return date.toISOString().replace(/:\d\d\.\d+Z$/, 'Z');
}

function moreTime({ why, runDir }: NoticeContext): string[] {
  if (why !== 'deadline') return [];
  return [
    '## Need more time?',
    '',
    'Any change in a repository, or this command, starts the waiting period again:',
    '',
    '```sh',
    `touch ${quoteForShell(`${runDir}/activity`) ?? '"$MOUNT_AGENT_RUN_DIR/activity"'}`,
    '```',
    '',
    'That only puts the loss off.',
    '',
  ];
}

function describeMount(mount: MountAtRisk, context: NoticeContext): string[] {
  const { at_risk: risk, mount_path: path } = mount;
  const shown = risk.paths.map((name) => `- ${quoteForMarkdown(name)}`);
  const more = risk.paths_total - risk.paths.length;
  if (more > 0) shown.push(`- and ${more} more`);
  const directory = quoteForShell(path);
  return [
    `## ${quoteForMarkdown(path)}`,
    '',
    ...listRisks(risk).map((line) => `- ${line}`),
    '',
    ...(shown.length === 0 ? [] : ['Paths:', '', ...shown, '']),
    'Save it:',
    '',
    '```sh',
    ...risk.repositories.flatMap((each) => repositoryCommands(each, path, context.isStuck(mount))),
    ...(directory === null ? [] : [`cd ${directory}`]),
    ...commitCommands(risk, mount.head),
    ...(context.isStuck(mount) ? [rescueCommand(directory, context)] : pushCommands(mount)),
    '```',
    '',
    ...(context.isStuck(mount) ? stuckWords(context) : pushWords(context)),
    '',
    ...describeRescue(mount),
  ];
}

function stuckWords({ rescueDir }: NoticeContext): string[] {
  return [
    'A push will not work: the host does not take this token for it. Do not look for another token, and do',
    'not change the remote. The rescue file holds everything above, and `mount-agent restore` puts it back',
    'into a fresh clone.',
    ...whereTo(rescueDir),
    'Tell the user that the token has to be replaced.',
  ];
}

function pushWords(context: NoticeContext): string[] {
  return [
    'If the host refuses the push (a protected branch, say), push to a new branch:',
    '`git push -u origin HEAD:refs/heads/saved-work`. If no push works at all, this saves the work into a file:',
    `\`${rescueCommand(null, context)}\`.`,
    ...whereTo(context.rescueDir),
  ];
}

function whereTo(rescueDir: string | null): string[] {
  if (rescueDir !== null)
    return [`A rescue goes to ${quoteForMarkdown(rescueDir)}, which outlives this disk.`];
  return [
    '**A rescue file is lost with this disk as well:** copy the file that the command names to a place that',
    'stays, or hand it to the user.',
  ];
}

/** Before the mount's own: what is committed in a submodule changes the mount. */
function repositoryCommands(
  repository: RepositoryAtRisk,
  mountPath: string,
  isStuck: boolean,
): string[] {
  const { path } = repository;
  const directory = quoteForShell(path.startsWith('/') ? path : `${mountPath}/${path}`);
  return [
    `# ${nameOf(repository)}`,
    ...(directory === null ? [] : [`cd ${directory}`]),
    ...commitCommands(repository, null),
    ...(isStuck ? [] : [PUSH_FROM_ANYWHERE]),
    ...(isStuck || repository.stashes === 0 ? [] : STASH_COMMANDS),
  ];
}

function commitCommands(risk: AtRisk | RepositoryAtRisk, head: Head | null): string[] {
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
  return commands;
}

function pushCommands({ at_risk: risk, head }: MountAtRisk): string[] {
  return [
    'git push -u origin HEAD',
    ...branchCommands(risk, head),
    ...(risk.stashes > 0 ? STASH_COMMANDS : []),
  ];
}

function branchCommands({ branches }: AtRisk, head: Head | null): string[] {
  if (branches.length > NAMED_BRANCHES) return ['git push origin --all'];
  return branches.flatMap(({ ref }) => {
    const name = quoteForShell(ref);
    if (!/^refs\/(?:heads|tags)\//.test(ref) || ref === head?.ref || name === null) return [];
    return [`git push origin ${name}`];
  });
}

const PUSH_FROM_ANYWHERE =
  'git push -u origin HEAD   # "git switch -c saved-work" first if HEAD is on no branch';

/** Last: they leave the branch that the other commands are about. */
const STASH_COMMANDS = [
  '# for each entry of "git stash list", with another number each time:',
  'git stash branch saved-stash-1 && git add -A && git commit -m "Save a stash" && git push -u origin HEAD',
];

/** Not into the directory where it is called: that would be the mount. */
function rescueCommand(directory: string | null, { rescueDir }: NoticeContext): string {
  const out = (rescueDir === null ? null : quoteForShell(rescueDir)) ?? '/tmp';
  return `mount-agent rescue --out ${out}${directory === null ? '' : ` ${directory}`}`;
}
