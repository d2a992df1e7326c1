/**
 * What a clone makes of the remote's refs: the decisions of `git clone` (builtin/clone.c,
 * guess_remote_head in remote.c), without a disk. Enters: remote refs and what the manifest wants
 * checked out. Leaves: every ref to be written.
 */
import { CheckoutError } from '../errors.ts';
import type { Checkout } from '../resource.ts';
import { maskControls } from './printable.ts';
import { refNameOf } from './ref-name.ts';
import type { RefName } from './ref-name.ts';
import { BRANCH_PREFIX, TAG_PREFIX } from './remote-refs.ts';
import type { RemoteRef, RemoteRefs } from './remote-refs.ts';

export const REMOTE = 'origin';
const TRACKING_PREFIX = `refs/remotes/${REMOTE}/`;

/** What git calls a first branch when neither the host nor a configuration names one. */
const FALLBACK_BRANCH = `${BRANCH_PREFIX}master`;

export interface RefPlan {
  /** The branch that HEAD names, born or not; null when HEAD is detached. */
  readonly headRef: RefName | null;
  /** Where HEAD ends up; null while its branch is unborn. */
  readonly headOid: string | null;
  /** The commit of the manifest that HEAD is moved to after the clone proper, or null. */
  readonly detachAt: string | null;
  /** What refs/remotes/origin/HEAD names, or null when there is none. */
  readonly trackingHead: { readonly name: RefName; readonly oid: string } | null;
  /** Tracking branches and tags. */
  readonly packed: readonly RemoteRef[];
}

/** @throws CHECKOUT_REF_MISSING when the branch of the manifest is not among the remote's. */
export function planRefs(remote: RemoteRefs, checkout: Checkout | null): RefPlan {
  const remoteDefault = defaultBranch(remote);
  const head =
    checkout?.type === 'branch'
      ? { ref: findBranch(remote, checkout.name) }
      : { ref: remoteDefault };
  const detachAt = checkout?.type === 'commit' ? checkout.oid : null;
  return {
    ...headOf(remote, head.ref),
    detachAt,
    trackingHead:
      remoteDefault === null
        ? null
        : { name: trackingName(remoteDefault.name), oid: remoteDefault.oid },
    packed: [
      ...remote.branches.map((branch) => ({ ...branch, name: trackingName(branch.name) })),
      ...remote.tags,
    ],
  };
}

export function missingCommit(oid: string): CheckoutError {
  return new CheckoutError(
    'CHECKOUT_REF_MISSING',
    `the repository has no commit ${maskControls(oid)}`,
    { data: { oid: maskControls(oid) } },
  );
}

/** The branch that the remote's HEAD leads to, told or guessed as git guesses it. */
function defaultBranch({ headOid, headTarget, branches }: RemoteRefs): RemoteRef | null {
  if (headOid === null) return null;
  if (headTarget !== null) return branches.find(({ name }) => name === headTarget) ?? null;
  const candidates = branches.filter(({ oid }) => oid === headOid);
  return candidates.find(({ name }) => name === FALLBACK_BRANCH) ?? candidates[0] ?? null;
}

function headOf(
  remote: RemoteRefs,
  branch: RemoteRef | null,
): Pick<RefPlan, 'headRef' | 'headOid'> {
  if (branch !== null) return { headRef: branch.name, headOid: branch.oid };
  if (remote.headOid !== null) return { headRef: null, headOid: remote.headOid };
  return unbornHead(remote);
}

/**
 * Where HEAD leads nowhere on the remote, git looks for the name that it is to have: a branch, or a
 * tag, where HEAD is detached then (find_remote_branch in builtin/clone.c).
 */
function unbornHead({
  headTarget,
  branches,
  tags,
}: RemoteRefs): Pick<RefPlan, 'headRef' | 'headOid'> {
  const headRef = headTarget?.startsWith(BRANCH_PREFIX) === true ? headTarget : FALLBACK_BRANCH;
  const branch = branches.find(({ name }) => name === headRef);
  if (branch !== undefined) return { headRef, headOid: branch.oid };
  const tagName = TAG_PREFIX + headRef.slice(BRANCH_PREFIX.length);
  const tag = tags.find(({ name }) => name === tagName);
  if (tag !== undefined) return { headRef: null, headOid: tag.peeled ?? tag.oid };
  return { headRef, headOid: null };
}

function findBranch({ branches }: RemoteRefs, branchName: string): RemoteRef {
  const wanted = BRANCH_PREFIX + refNameOf(branchName);
  const branch = branches.find(({ name }) => name === wanted);
  if (branch !== undefined) return branch;
  const shown = maskControls(branchName);
  throw new CheckoutError(
    'CHECKOUT_REF_MISSING',
    `the repository has no branch "${shown}" among its ${branches.length}`,
    { data: { branch: shown } },
  );
}

function trackingName(branch: RefName): RefName {
  return TRACKING_PREFIX + branch.slice(BRANCH_PREFIX.length);
}
