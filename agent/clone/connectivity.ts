/**
 * Is what the refs lead to really here? Enters: oids that the host promised, and a store. Covered:
 * the tip of every ref, what each tag peels to, and that a commit is checked out; its tree and blobs
 * are read by the checkout itself. Not covered: history behind the tips (git fsck walks it).
 */
import { PackError } from '../errors.ts';
import type { ObjectStore } from '../pack/object-store.ts';
import { maskControls } from './printable.ts';
import { textOf } from './ref-name.ts';
import { missingCommit } from './ref-plan.ts';
import type { RefPlan } from './ref-plan.ts';

type Objects = Pick<ObjectStore, 'has'>;

interface Commits {
  read(oid: string): { readonly type: string; readonly content: Buffer } | undefined;
  header(oid: string): { readonly type: string } | undefined;
}

/** @throws OBJECT_MISSING with the ref that leads nowhere. */
export function requireTips(store: Objects, { packed, headOid }: RefPlan): void {
  for (const { name, oid, peeled } of packed) {
    if (store.has(oid) && (peeled === null || store.has(peeled))) continue;
    const ref = maskControls(textOf(name));
    throw new PackError('OBJECT_MISSING', `the pack lacks ${oid}, where ${ref} leads`, {
      data: { ref, oid },
    });
  }
  if (headOid !== null && !store.has(headOid)) {
    throw new PackError('OBJECT_MISSING', `the pack lacks ${headOid}, where HEAD leads`, {
      data: { ref: 'HEAD', oid: headOid },
    });
  }
}

/**
 * The tree to check out; null for an unborn branch.
 * @throws CHECKOUT_REF_MISSING when the manifest's oid is no commit here; OBJECT_INVALID when HEAD
 * leads to something else than a commit.
 */
export function treeToCheckOut(store: Commits, { headOid, detachAt }: RefPlan): string | null {
  if (detachAt !== null && store.header(detachAt)?.type !== 'commit') throw missingCommit(detachAt);
  const commitOid = detachAt ?? headOid;
  if (commitOid === null) return null;
  const commit = store.read(commitOid);
  const [, treeOid] =
    /^tree ([0-9a-f]{40})\n/.exec(commit?.content.toString('latin1', 0, 46) ?? '') ?? [];
  if (commit?.type === 'commit' && treeOid !== undefined) return treeOid;
  throw new PackError(
    'OBJECT_INVALID',
    `HEAD leads to ${commitOid}: expected a commit, got ${commit?.type ?? 'nothing'}`,
    { data: { oid: commitOid } },
  );
}
