/**
 * Makes the gitdir that isomorphic-git began into the one that `git clone` would have left
 * (gitrepository-layout). Enters: a ref plan. Leaves: packed-refs, HEAD, one branch, origin/HEAD,
 * reflogs, config, description, info/exclude. The gitdir is ours alone: nothing reads it yet.
 */
import { mkdirSync, rmdirSync, unlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { errnoOf } from '../errors.ts';
import { gitConfig } from './git-config.ts';
import type { ConfigSection } from './git-config.ts';
import { packedRefs } from './packed-refs.ts';
import type { RefName } from './ref-name.ts';
import { refNameOf } from './ref-name.ts';
import { REMOTE } from './ref-plan.ts';
import type { RefPlan } from './ref-plan.ts';
import { BRANCH_PREFIX } from './remote-refs.ts';

const NO_OID = '0'.repeat(40);
const TRACKING_HEAD = `refs/remotes/${REMOTE}/HEAD`;
const DESCRIPTION = "Unnamed repository; edit this file 'description' to name the repository.\n";
const EXCLUDE = `# git ls-files --others --exclude-from=.git/info/exclude
# Lines that start with '#' are comments.
# For a project mostly in C, the following would be a good set of
# exclude patterns (uncomment them if you want to use them):
# *.[oa]
# *~
`;
/** Who a reflog says did it; the user's own name is not known yet. */
const REFLOG_IDENTITY = 'mount-agent <mount-agent@localhost>';

export interface GitdirContext {
  readonly gitdir: string;
  readonly plan: RefPlan;
  readonly originUrl: string;
  readonly shallow: readonly string[];
  readonly now: Date;
}

/** At once: through libuv's pool, and with promises, a dozen small files take 10 ms. */
export function writeGitdir(context: GitdirContext): void {
  const { gitdir, plan, originUrl, shallow } = context;
  removePlainHead(gitdir);
  writeFileSync(join(gitdir, 'config'), gitConfig(configOf(plan, originUrl)));
  writeFileSync(join(gitdir, 'description'), DESCRIPTION);
  makeDirectory(Buffer.from(join(gitdir, 'info')));
  writeFileSync(join(gitdir, 'info/exclude'), EXCLUDE);
  if (plan.packed.length > 0) {
    writeFileSync(join(gitdir, 'packed-refs'), packedRefs(plan.packed));
  }
  if (shallow.length > 0) writeFileSync(join(gitdir, 'shallow'), `${shallow.join('\n')}\n`);
  writeRefs(context);
}

/** isomorphic-git wrote HEAD of the remote as a plain oid, where there was one. */
function removePlainHead(gitdir: string): void {
  try {
    unlinkSync(join(gitdir, TRACKING_HEAD));
  } catch (error) {
    if (errnoOf(error) !== 'ENOENT') throw error;
    return;
  }
  rmdirSync(join(gitdir, 'refs/remotes', REMOTE));
  rmdirSync(join(gitdir, 'refs/remotes'));
}

function writeRefs({ gitdir, plan, originUrl, now }: GitdirContext): void {
  const { headRef, headOid, detachAt, trackingHead } = plan;
  const cloned = (oid: string, from = NO_OID): string =>
    reflogLine(from, oid, now, `clone: from ${originUrl}`);
  if (trackingHead !== null) {
    // A branch of the remote may be called HEAD; its tracking branch is what the symref hides.
    const hidden = plan.packed.find(({ name }) => name === TRACKING_HEAD);
    writeUnder(gitdir, TRACKING_HEAD, `ref: ${trackingHead.name}\n`);
    writeUnder(gitdir, `logs/${TRACKING_HEAD}`, cloned(trackingHead.oid, hidden?.oid));
  }
  if (headRef !== null && headOid !== null) {
    writeUnder(gitdir, headRef, `${headOid}\n`);
    writeUnder(gitdir, `logs/${headRef}`, cloned(headOid));
  }
  const detached = detachAt ?? (headRef === null ? headOid : null);
  writeUnder(gitdir, 'HEAD', detached === null ? `ref: ${headRef ?? ''}\n` : `${detached}\n`);
  if (headOid === null) return;
  const from = headRef?.slice(BRANCH_PREFIX.length) ?? headOid;
  const moved =
    detachAt === null
      ? ''
      : reflogLine(headOid, detachAt, now, `checkout: moving from ${from} to ${detachAt}`);
  writeUnder(gitdir, 'logs/HEAD', cloned(headOid) + moved);
}

/** By meaning what `git clone` writes on a file system with modes and symlinks. */
function configOf({ headRef }: RefPlan, originUrl: string): ConfigSection[] {
  const core: ConfigSection = {
    name: 'core',
    subsection: null,
    values: [
      ['repositoryformatversion', '0'],
      ['filemode', 'true'],
      ['bare', 'false'],
      ['logallrefupdates', 'true'],
    ],
  };
  const remote: ConfigSection = {
    name: 'remote',
    subsection: REMOTE,
    values: [
      ['url', refNameOf(originUrl)],
      ['fetch', `+${BRANCH_PREFIX}*:refs/remotes/${REMOTE}/*`],
    ],
  };
  if (headRef === null) return [core, remote];
  const branch: ConfigSection = {
    name: 'branch',
    subsection: headRef.slice(BRANCH_PREFIX.length),
    values: [
      ['remote', REMOTE],
      ['merge', headRef],
    ],
  };
  return [core, remote, branch];
}

/** `<old> <new> <who> <seconds> <zone>\t<message>` */
function reflogLine(from: string, to: string, now: Date, message: string): string {
  const seconds = Math.floor(now.getTime() / 1000);
  return `${from} ${to} ${REFLOG_IDENTITY} ${seconds} ${zoneOf(now)}\t${message}\n`;
}

function zoneOf(now: Date): string {
  const minutes = -now.getTimezoneOffset();
  const digits = (value: number): string => String(Math.floor(value)).padStart(2, '0');
  return `${minutes < 0 ? '-' : '+'}${digits(Math.abs(minutes) / 60)}${digits(Math.abs(minutes) % 60)}`;
}

/** Writes a file whose name is bytes, with the directories above it. */
function writeUnder(gitdir: string, name: RefName, content: string): void {
  const path = Buffer.concat([Buffer.from(`${gitdir}/`), Buffer.from(name, 'latin1')]);
  makeDirectory(path.subarray(0, path.lastIndexOf('/')));
  writeFileSync(path, content, 'latin1');
}

/** With its parents. Node's own `recursive` says ENOENT where a disk is full (20.20). */
function makeDirectory(path: Buffer): void {
  try {
    mkdirSync(path);
  } catch (error) {
    const errno = errnoOf(error);
    if (errno === 'EEXIST') return;
    if (errno !== 'ENOENT') throw error;
    makeDirectory(path.subarray(0, path.lastIndexOf('/')));
    mkdirSync(path);
  }
}
