/**
 * Is what the refs lead to really here? Enters: oids that the host promised, and a store. The pack
 * itself says whether any of its objects leads out of it, which none does in a whole clone; only when
 * one does is history walked here, because what no ref needs may lead anywhere.
 */
import { MODE } from '../checkout/index-entry.ts';
import type { Pace } from '../checkout/pace.ts';
import { canonicalMode, parseTree } from '../checkout/tree.ts';
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
 * Walks all that the refs lead to, but for parents of shallow commits.
 * @throws OBJECT_MISSING with what is not there, and what names it.
 */
export async function requireHistory(
  store: Pick<ObjectStore, 'has' | 'read' | 'header'>,
  { packed, headOid }: RefPlan,
  shallow: readonly string[],
  pace: Pace,
): Promise<void> {
  const grafts = new Set(shallow);
  const seen = new Set<string>();
  const open: { oid: string; namedBy: string }[] = [];
  const push = (oid: string, namedBy: string): void => {
    if (seen.has(oid)) return;
    seen.add(oid);
    open.push({ oid, namedBy });
  };
  for (const { name, oid } of packed) push(oid, maskControls(textOf(name)));
  if (headOid !== null) push(headOid, 'HEAD');
  for (let next = open.pop(); next !== undefined; next = open.pop()) {
    const { oid, namedBy } = next;
    if (!store.has(oid)) {
      const message = `the pack lacks ${oid}, which ${namedBy} names`;
      throw new PackError('OBJECT_MISSING', message, { data: { oid, named_by: namedBy } });
    }
    for (const link of linksOf(store, oid, grafts)) push(link, oid);
    if (pace.due) await pace.turn();
  }
}

/** What an object leads to; blobs of a tree are only looked up, not read. */
function linksOf(
  store: Pick<ObjectStore, 'read' | 'header'>,
  oid: string,
  grafts: ReadonlySet<string>,
): string[] {
  const object = store.header(oid)?.type === 'blob' ? undefined : store.read(oid);
  if (object === undefined) return [];
  if (object.type === 'tree') {
    return parseTree(object.content)
      .filter((entry) => canonicalMode(entry) !== MODE.gitlink)
      .map((entry) => entry.oid);
  }
  const head = object.content.toString('latin1').split('\n\n', 1)[0] ?? '';
  const lines = head.matchAll(/^(tree|parent|object) ([0-9a-f]{40})$/gm);
  const isGraft = grafts.has(oid);
  return [...lines].flatMap(([, kind, link = '']) => (isGraft && kind === 'parent' ? [] : link));
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
