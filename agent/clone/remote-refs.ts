/**
 * The refs of the remote, as a clone needs them. Enters: what an advertisement or ls-refs said.
 * Leaves: branches and tags sorted by name. Invariant: every name is one that Git would store, none
 * twice, none the directory of another; every oid is SHA-1.
 */
import { TransportError } from '../errors.ts';
import { maskControls } from './printable.ts';
import { compareRefNames, isRefName, textOf } from './ref-name.ts';
import type { RefName } from './ref-name.ts';

export const BRANCH_PREFIX = 'refs/heads/';
export const TAG_PREFIX = 'refs/tags/';

export interface RemoteRef {
  readonly name: RefName;
  readonly oid: string;
  /** What an annotated tag leads to in the end; null for a ref that is no tag object. */
  readonly peeled: string | null;
}

export interface RemoteRefs {
  /** oid of HEAD; null where it leads to a branch that does not exist. */
  readonly headOid: string | null;
  /** The branch that HEAD names; null when it is detached or the host did not say. */
  readonly headTarget: RefName | null;
  readonly branches: readonly RemoteRef[];
  readonly tags: readonly RemoteRef[];
  /** Commits whose parents the remote itself lacks. */
  readonly shallow: readonly string[];
}

/** A line of an advertisement, before anything in it is believed. */
export interface ClaimedRef {
  readonly name: RefName;
  /** null for an unborn HEAD. */
  readonly oid: string | null;
  readonly peeled: string | null;
  readonly symrefTarget: RefName | null;
}

const OID = /^[0-9a-f]{40}$/;
const OID_SHA256 = /^[0-9a-f]{64}$/;

/**
 * @throws REFS_INVALID for a name that Git forbids or that clashes with another,
 * REFS_UNSUPPORTED_OBJECT_FORMAT for SHA-256 names, TRANSPORT_PROTOCOL for what is no oid.
 */
export function collectRefs(claimed: Iterable<ClaimedRef>, shallow: string[] = []): RemoteRefs {
  const branches: RemoteRef[] = [];
  const tags: RemoteRef[] = [];
  let headOid: string | null = null;
  let headTarget: RefName | null = null;
  for (const { name, oid, peeled, symrefTarget } of claimed) {
    if (oid !== null) assertOid(oid, name);
    if (peeled !== null) assertOid(peeled, name);
    if (name === 'HEAD') {
      headOid = oid;
      headTarget = symrefTarget === null ? null : assertHeadTarget(symrefTarget);
      continue;
    }
    const kind = name.startsWith(BRANCH_PREFIX) ? branches : tags;
    // Pull request refs, notes and the like are not part of a clone.
    if (kind === tags && !name.startsWith(TAG_PREFIX)) continue;
    if (!isRefName(name)) throw invalid(name, 'Git forbids this name');
    // Unborn is a state of HEAD alone.
    if (oid !== null) kind.push({ name, oid, peeled });
  }
  return {
    headOid,
    headTarget,
    branches: sortedApart(branches),
    tags: sortedApart(tags),
    shallow: shallow.map((oid) => assertOid(oid, 'shallow')),
  };
}

/** The distinct objects that a clone asks for. */
export function wantsOf(refs: RemoteRefs): string[] {
  const wants = new Set([...refs.branches, ...refs.tags].map((ref) => ref.oid));
  if (refs.headOid !== null) wants.add(refs.headOid);
  return [...wants];
}

/** HEAD may name anything under refs/; only a branch of a valid name is of use to a clone. */
function assertHeadTarget(target: RefName): RefName {
  if (!isRefName(target) || !target.startsWith('refs/')) {
    throw invalid(target, 'HEAD leads to it and Git forbids this name');
  }
  return target;
}

function sortedApart(refs: RemoteRef[]): RemoteRef[] {
  const sorted = refs.sort((a, b) => compareRefNames(a.name, b.name));
  const names = new Set<RefName>();
  for (const { name } of sorted) {
    if (names.has(name)) throw invalid(name, 'the host lists it twice');
    names.add(name);
  }
  for (const { name } of sorted) {
    for (let slash = name.indexOf('/'); slash !== -1; slash = name.indexOf('/', slash + 1)) {
      const directory = name.slice(0, slash);
      if (names.has(directory)) {
        throw invalid(name, `"${maskControls(textOf(directory))}" is a ref as well`);
      }
    }
  }
  return sorted;
}

export function assertOid(oid: string, name: RefName): string {
  if (OID.test(oid)) return oid;
  if (OID_SHA256.test(oid)) throw unsupportedFormat('sha256');
  throw new TransportError(
    'TRANSPORT_PROTOCOL',
    `${maskControls(textOf(name))}: expected an object name of 40 hexadecimal digits, got "${maskControls(oid)}"`,
  );
}

export function unsupportedFormat(format: string): TransportError {
  return new TransportError(
    'REFS_UNSUPPORTED_OBJECT_FORMAT',
    `the repository's objects are named with ${maskControls(format)}, expected sha1`,
  );
}

function invalid(name: RefName, reason: string): TransportError {
  const shown = maskControls(textOf(name));
  return new TransportError('REFS_INVALID', `the ref "${shown}" is refused: ${reason}`, {
    data: { ref: shown },
  });
}
