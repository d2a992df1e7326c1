/**
 * The state files of a Git directory in; every object that they name out, those first that people
 * look for first. What `git gc` keeps (refs, reflogs, HEADs, the index) and what an operation under
 * way has written down; a name of 40 hex digits that is no object harms nobody.
 */
import type { BytePath } from '../repository/byte-path.ts';
import type { StateFile } from './state-files.ts';

export interface Root {
  readonly oid: string;
  /** The name in the bundle; null for what is put in without one. */
  readonly ref: BytePath | null;
  /** Of a ref of the user's own: listed also when the remote has what it names. */
  readonly own: boolean;
}

const NULL_OID = '0'.repeat(40);
const OID_AT_START = /^[0-9a-f]{40}(?=\s|$)/;
const ANY_OID = /\b[0-9a-f]{40}\b/g;
const REFLOG_LINE = /^([0-9a-f]{40}) ([0-9a-f]{40}) /;
/** `MERGE_HEAD`, `AUTO_MERGE`, `BISECT_LOG`, `FETCH_HEAD` … */
const PSEUDO_REF = /^[A-Z][A-Z_]*$/;
const OPERATION = /^(?:rebase-merge|rebase-apply|sequencer)\//;

export type ReadState = (file: StateFile) => Buffer | undefined;

/** @param worktree the id of a linked worktree; null for a repository's own Git directory. */
export function findRoots(
  files: readonly StateFile[],
  read: ReadState,
  worktree: string | null,
): Root[] {
  const text = (file: StateFile): string => read(file)?.toString('latin1') ?? '';
  const below = worktree === null ? 'refs/rescue/' : `refs/rescue/worktrees/${worktree}/`;
  const of = (test: (path: BytePath) => boolean): StateFile[] =>
    files.filter(({ path }) => test(path));
  const roots: Root[] = [];
  for (const file of of((path) => path === 'HEAD')) roots.push(...headRoots(text(file), below));
  roots.push(...refRoots(of(isRef), text, worktree === null ? '' : below));
  for (const file of of((path) => PSEUDO_REF.test(path) && path !== 'HEAD')) {
    roots.push(...pseudoRoots(file.path, text(file), below));
  }
  for (const file of of((path) => path === 'logs/refs/stash')) {
    const entries = [...new Set(reflogOids(text(file), 'new'))];
    for (const [n, oid] of entries.entries()) {
      roots.push({ oid, ref: `${below}stash/${n}`, own: true });
    }
  }
  for (const file of of((path) => OPERATION.test(path))) {
    for (const [oid] of text(file).matchAll(ANY_OID)) roots.push({ oid, ref: null, own: true });
  }
  for (const file of of((path) => path.startsWith('logs/'))) {
    for (const oid of reflogOids(text(file), 'both')) roots.push({ oid, ref: null, own: false });
  }
  return roots.filter(({ oid }) => oid !== NULL_OID);
}

function isRef(path: BytePath): boolean {
  return path.startsWith('refs/') || path === 'packed-refs';
}

/** A symref's target is a ref of its own. */
function headRoots(text: string, below: BytePath): Root[] {
  const oid = OID_AT_START.exec(text)?.[0];
  return oid === undefined ? [] : [{ oid, ref: `${below}HEAD`, own: true }];
}

/** Loose ones before the packed ones that they hide: the first of a name counts. */
function refRoots(
  files: readonly StateFile[],
  text: (file: StateFile) => string,
  below: BytePath,
): Root[] {
  const found = new Map<BytePath, string>();
  for (const file of files.filter(({ path }) => path !== 'packed-refs')) {
    const oid = OID_AT_START.exec(text(file))?.[0];
    if (oid !== undefined) found.set(file.path, oid);
  }
  for (const file of files.filter(({ path }) => path === 'packed-refs')) {
    for (const line of text(file).split('\n')) {
      const oid = OID_AT_START.exec(line)?.[0];
      const name = line.slice(41);
      if (oid !== undefined && name !== '' && !found.has(name)) found.set(name, oid);
    }
  }
  return [...found]
    .map(([name, oid]) => ({ oid, ref: below + name, own: !name.startsWith('refs/remotes/') }))
    .sort((a, b) => Number(b.own) - Number(a.own));
}

/** All oids in it; the one that it begins with has a name. */
function pseudoRoots(name: BytePath, text: string, below: BytePath): Root[] {
  const first = OID_AT_START.exec(text)?.[0];
  const own = name !== 'FETCH_HEAD';
  return [...new Set(Array.from(text.matchAll(ANY_OID), ([oid]) => oid))].map((oid) => ({
    oid,
    ref: oid === first && own ? `${below}pseudo/${name}` : null,
    own,
  }));
}

/** The youngest entry first. */
function* reflogOids(text: string, which: 'new' | 'both'): Generator<string> {
  for (const line of text.split('\n').reverse()) {
    const [, before = NULL_OID, after = NULL_OID] = REFLOG_LINE.exec(line) ?? [];
    if (after !== NULL_OID) yield after;
    if (which === 'both' && before !== NULL_OID) yield before;
  }
}
