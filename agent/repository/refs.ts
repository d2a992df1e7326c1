/**
 * The refs of a repository, loose over packed, with symrefs followed (gitrepository-layout,
 * git-pack-refs): heads, tags, remote-tracking refs, the stash, and the HEAD of every worktree.
 */
import { readdirSync } from 'node:fs';
import { errnoOf } from '../errors.ts';
import type { Head } from '../status.ts';
import { displayPath, fsPath } from './byte-path.ts';
import type { BytePath } from './byte-path.ts';
import { Doubt } from './doubt.ts';
import type { Pace } from './pace.ts';
import { readBytesAsText } from './read-file.ts';
import type { Repository } from './repository.ts';

const OID = /^[0-9a-f]{40}(?=\s|$)/;
const SYMREF = /^ref:\s*(\S+)\s*$/;
const SYMREF_DEPTH_LIMIT = 5;

export interface RefTable {
  readonly head: Head;
  /** Full ref name → oid. Tags are not peeled. */
  readonly heads: ReadonlyMap<string, string>;
  readonly tags: ReadonlyMap<string, string>;
  readonly remotes: ReadonlyMap<string, string>;
  readonly stash: string | undefined;
  /** HEADs of the other worktrees (`git worktree add`): the worktree's id → head. */
  readonly otherHeads: ReadonlyMap<string, Head>;
}

/** @throws Doubt for a ref that is there and says nothing. */
export async function readRefs(repository: Repository, pace: Pace): Promise<RefTable> {
  const { commondir, gitdir } = repository;
  const raw = readPackedRefs(commondir);
  await readLooseRefs(commondir, 'refs', raw, pace);
  const resolve = (name: string): string | undefined => resolveRef(raw, name);
  const under = (prefix: string): Map<string, string> => {
    const found = new Map<string, string>();
    for (const name of raw.keys()) {
      if (!name.startsWith(prefix)) continue;
      const oid = resolve(name);
      // A symref to a branch that is gone (origin/HEAD after a prune) names no commit.
      if (oid !== undefined) found.set(name, oid);
    }
    return found;
  };
  return {
    head: readHead(gitdir, resolve),
    heads: under('refs/heads/'),
    tags: under('refs/tags/'),
    remotes: under('refs/remotes/'),
    stash: resolve('refs/stash'),
    otherHeads: readOtherHeads(repository, resolve),
  };
}

/** Full name → oid. */
export function readPackedRefs(commondir: BytePath): Map<string, string> {
  const refs = new Map<string, string>();
  for (const line of (readBytesAsText(`${commondir}/packed-refs`) ?? '').split('\n')) {
    if (line === '' || line.startsWith('#') || line.startsWith('^')) continue;
    if (!OID.test(line)) throw new Doubt(`packed-refs has a line that is no ref`);
    refs.set(line.slice(41), line.slice(0, 40));
  }
  return refs;
}

/** Adds loose refs below `directory` as they stand in their files. */
async function readLooseRefs(
  commondir: BytePath,
  directory: BytePath,
  refs: Map<string, string>,
  pace: Pace,
): Promise<void> {
  for (const entry of listDirectory(`${commondir}/${directory}`)) {
    const name = `${directory}/${entry.name}`;
    if (entry.isDirectory()) {
      await readLooseRefs(commondir, name, refs, pace);
    } else if (!name.endsWith('.lock')) {
      const text = readBytesAsText(`${commondir}/${name}`);
      if (text === undefined) continue;
      if (!OID.test(text) && !SYMREF.test(text)) {
        throw new Doubt(`the ref ${displayPath(name)} is damaged`);
      }
      refs.set(name, text.trimEnd());
    }
    if (pace.due) await pace.rest();
  }
}

function resolveRef(refs: ReadonlyMap<string, string>, name: string): string | undefined {
  let current = name;
  for (let depth = 0; depth < SYMREF_DEPTH_LIMIT; depth++) {
    const value = refs.get(current);
    if (value === undefined) return undefined;
    const target = SYMREF.exec(value)?.[1];
    if (target === undefined) return value.slice(0, 40);
    current = target;
  }
  throw new Doubt(`the ref ${displayPath(name)} leads through too many others`);
}

type Resolve = (name: string) => string | undefined;

function readHead(gitdir: BytePath, resolve: Resolve): Head {
  const text = readBytesAsText(`${gitdir}/HEAD`);
  const target = text === undefined ? undefined : SYMREF.exec(text)?.[1];
  if (target !== undefined) return { ref: displayPath(target), oid: resolve(target) ?? null };
  if (text === undefined || !OID.test(text)) throw new Doubt('HEAD is missing or damaged');
  return { ref: null, oid: text.slice(0, 40) };
}

function readOtherHeads(repository: Repository, resolve: Resolve): Map<string, Head> {
  const { commondir, gitdir } = repository;
  const heads = new Map<string, Head>();
  for (const { name } of listDirectory(`${commondir}/worktrees`)) {
    const other = `${commondir}/worktrees/${name}`;
    if (other === gitdir || readBytesAsText(`${other}/HEAD`) === undefined) continue;
    heads.set(name, readHead(other, resolve));
  }
  if (gitdir !== commondir) heads.set('main', readHead(commondir, resolve));
  return heads;
}

/** Entries of a directory, none when it is missing. */
function listDirectory(path: BytePath) {
  try {
    return readdirSync(fsPath(path), { encoding: 'latin1', withFileTypes: true });
  } catch (error) {
    if (['ENOENT', 'ENOTDIR'].includes(errnoOf(error) ?? '')) return [];
    throw error;
  }
}

/** Stash entries: the lines of its reflog; a stash ref without one still is a stash. */
export function countStashes(repository: Repository, refs: RefTable): number {
  if (refs.stash === undefined) return 0;
  const log = readBytesAsText(`${repository.commondir}/logs/refs/stash`) ?? '';
  return Math.max(1, log.split('\n').filter((line) => line !== '').length);
}
