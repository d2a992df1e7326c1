/**
 * Trees by the thousand: parser and path rules against `git fsck` (structure) and `git update-index`
 * (each name, with core.protectHFS and core.protectNTFS).
 */
import { execFileSync, spawnSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { verifyName } from '../../agent/checkout/path-safety.ts';
import { canonicalMode, parseTree } from '../../agent/checkout/tree.ts';
import type { TreeEntry } from '../../agent/checkout/tree.ts';
import { TYPE, makePack, oidOf, wholeEntry } from '../pack/craft-pack.ts';
import { FuzzDirectory, GIT_ENV, makeRepository } from './git-batch.ts';
import { Random } from './random.ts';
import { makeTreeCase } from './tree-cases.ts';
import { codeOf, compare } from './verdict.ts';
import type { FuzzKind, Verdict } from './verdict.ts';

/** What git reports of a tree that must not be checked out; it also warns of much that may be. */
const STRUCTURE =
  /^(?:error|warning) in tree ([0-9a-f]{40}): (?:badTree|treeNotSorted|duplicateEntries|nullSha1):/gm;
/** Ours alone: words of the refusal, and the rule's name. */
const STRICTER: readonly (readonly [RegExp, string])[] = [
  [/a slash in a name/, 'slash'],
  [/name of \d+ bytes/, 'long name'],
  [/is of no known type|mode over 16 bits/, 'unknown mode'],
  [/entry "\\\\.*(takes? it for \.git|a symlink as \.gitmodules)/, 'leading backslash'],
];
const ANY_OID = '1'.repeat(40);

export const TREES: FuzzKind = {
  name: 'tree',
  share: 380,
  batch: 4000,
  async judge(seed, first, count) {
    using directory = new FuzzDirectory();
    const cases = Array.from({ length: count }, (_, at) =>
      makeTreeCase(new Random(seed, first + at)),
    );
    const repository = makeRepository(directory.path);
    const malformed = refusedByFsck(
      repository,
      cases.map(({ bytes }) => bytes),
    );
    const listed = cases.map(({ bytes }) => entriesOf(bytes));
    const taken = pathsThatGitTakes(repository, listed);
    const verdicts: Verdict[] = [];
    for (const [at, each] of cases.entries()) {
      let words = '';
      const code = await codeOf(() => {
        try {
          for (const entry of parseTree(each.bytes)) verifyName(entry.name, canonicalMode(entry));
        } catch (error) {
          words = String(error);
          throw error;
        }
      });
      const gitAccepts =
        !malformed.has(oidOf('tree', each.bytes)) &&
        listed[at]!.every((entry) => taken.has(pathOf(at, entry).toString('latin1')));
      const rule = STRICTER.find(([pattern]) => pattern.test(words))?.[1] ?? null;
      verdicts.push(compare(each, code, gitAccepts, rule));
    }
    return verdicts;
  },
};

function refusedByFsck(repository: string, trees: readonly Buffer[]): Set<string> {
  const distinct = [...new Map(trees.map((tree) => [oidOf('tree', tree), tree])).values()];
  const pack = makePack(distinct.map((tree) => wholeEntry(TYPE.tree, tree)));
  const name = 'objects/pack/pack-0123456789012345678901234567890123456789.pack';
  writeFileSync(join(repository, name), pack);
  const options = {
    cwd: repository,
    env: GIT_ENV,
    encoding: 'latin1',
    maxBuffer: 2 ** 28,
  } as const;
  execFileSync('git', ['index-pack', name], { ...options, stdio: 'ignore' });
  const args = ['-c', 'fsck.nullSha1=error', 'fsck', '--full', '--no-dangling'];
  const { stdout, stderr, status } = spawnSync('git', args, options);
  if (status === null || status >= 128) throw new Error(`git fsck died:\n${stderr.slice(-1000)}`);
  return new Set(Array.from((stdout + stderr).matchAll(STRUCTURE), ([, oid]) => oid!));
}

/** Read leniently: whatever stands there in the form of an entry. */
function entriesOf(tree: Buffer): TreeEntry[] {
  const entries: TreeEntry[] = [];
  for (let at = 0; at < tree.length;) {
    const space = tree.indexOf(0x20, at);
    const nul = tree.indexOf(0, space + 1);
    if (space === -1 || nul === -1) break;
    const mode = parseInt(tree.toString('latin1', at, space), 8) || 0;
    entries.push({ mode, name: tree.subarray(space + 1, nul), oid: ANY_OID });
    at = nul + 21;
  }
  return entries;
}

/** Those of the paths that git lets into an index; it leaves the others out. */
function pathsThatGitTakes(
  repository: string,
  trees: readonly (readonly TreeEntry[])[],
): Set<string> {
  const env = { ...GIT_ENV, GIT_INDEX_FILE: join(repository, 'names.index') };
  const protections = ['-c', 'core.protectHFS=true', '-c', 'core.protectNTFS=true'];
  const options = { cwd: repository, env, maxBuffer: 2 ** 28 };
  const lines = trees.flatMap((entries, at) =>
    entries.map((entry) => {
      const start = Buffer.from(`${indexMode(entry).toString(8)} ${ANY_OID}\t`);
      return Buffer.concat([start, pathOf(at, entry), Buffer.from([0])]);
    }),
  );
  const update = ['update-index', '-z', '--index-info'];
  const input = Buffer.concat(lines);
  execFileSync('git', [...protections, ...update], { ...options, input, stdio: 'pipe' });
  const listing = execFileSync('git', ['ls-files', '-z'], options).toString('latin1');
  return new Set(listing.split('\0'));
}

/** As git's canon_mode has it; a directory stands for the file in it. */
function indexMode({ mode }: TreeEntry): number {
  const type = mode & 0o170000;
  if (type === 0o100000 || type === 0o040000) return 0o100644;
  return type === 0o120000 ? type : 0o160000;
}

/** A directory of its own for each tree, so that no two names meet. */
function pathOf(tree: number, { mode, name }: TreeEntry): Buffer {
  const isDirectory = (mode & 0o170000) === 0o040000;
  return Buffer.concat([Buffer.from(`${tree}/`), name, Buffer.from(isDirectory ? '/file' : '')]);
}
