/** Numbers 20 to 26: names, links and modes in trees. */
import type { ErrorCode } from '../../agent/errors.ts';
import { packAnswer } from './hostile-host.ts';
import type { HostileCase } from './hostile-host.ts';
import { FILE, blob, commit, object, packOf, tree } from './objects.ts';
import type { CraftedObject, TreeLine } from './objects.ts';

/** A clone of these trees and blobs, of which the first tree is the root. */
function checkout(
  number: number,
  name: string,
  root: CraftedObject,
  expected: ErrorCode | 'ready',
  ...others: readonly CraftedObject[]
): HostileCase {
  const tip = commit(root.oid);
  const refs = [`${tip.oid} HEAD symref-target:refs/heads/main`, `${tip.oid} refs/heads/main`];
  const answer = packAnswer(packOf(tip, root, FILE, ...others));
  return { number, name, expected, refs, answer };
}

function file(name: string | Buffer, mode = '100644'): TreeLine {
  return { mode, name, oid: FILE.oid };
}

const INNER = tree(file('config'));
const directory = (name: string | Buffer): TreeLine => ({ mode: '40000', name, oid: INNER.oid });
const TARGETS = { passwd: blob('/etc/passwd'), up: blob('../../outside'), git: blob('.git') };
const link = (name: string, target: CraftedObject): TreeLine => ({
  mode: '120000',
  name,
  oid: target.oid,
});

function refusedName(name: string | Buffer, shown: string): HostileCase {
  return checkout(20, shown, tree(directory(name)), 'TREE_PATH_REFUSED', INNER);
}

/** Directories in directories, deeper than a path can be. */
function deepTrees(): CraftedObject[] {
  const trees = [tree(file('f'))];
  while (trees.length < 2100)
    trees.push(tree({ mode: '40000', name: 'd', oid: trees.at(-1)!.oid }));
  return trees.reverse();
}
const [DEEPEST, ...DEEP] = deepTrees();

/** Sorted as Git sorts bytes. */
export const ODD_NAMES = [
  Buffer.from('A'),
  Buffer.from('a'),
  Buffer.from('a:b'),
  Buffer.from('a\\b'),
  Buffer.from('caf\xe9', 'latin1'),
  Buffer.from('cafe\u0301'),
  Buffer.from('caf\u00e9'),
  Buffer.from('esc\x1b[31m'),
  Buffer.from('new\nline'),
  Buffer.from('\xff\xfe', 'latin1'),
].sort((one, other) => one.compare(other));

const FULL = tree(file('a'), file('b'));

export const TREE_CASES: readonly HostileCase[] = [
  refusedName('.git', '.git'),
  refusedName('.GiT', '.GiT'),
  refusedName('git~1', 'git~1'),
  refusedName('.git . .', '.git with dots and spaces'),
  refusedName('.git::$INDEX_ALLOCATION', '.git with a stream'),
  refusedName('.g\u200cit', '.git with a code point that HFS+ ignores'),
  refusedName('a\\.git', '.git behind a backslash'),
  refusedName('..', 'dot dot'),
  refusedName('.', 'dot'),
  refusedName('a/b', 'a slash'),
  refusedName('x'.repeat(256), '256 bytes'),
  checkout(20, 'an empty name', tree(directory('')), 'TREE_PATH_REFUSED', INNER),
  checkout(20, 'a depth of 2,100', DEEPEST!, 'TREE_PATH_REFUSED', ...DEEP),
  checkout(21, 'odd names, which work', tree(...ODD_NAMES.map((name) => file(name))), 'ready'),
  checkout(21, 'mode 100664, which is 100644', tree(file('odd', '100664')), 'ready'),
  checkout(
    22,
    'a symlink as .gitmodules',
    tree(link('.gitmodules', TARGETS.passwd)),
    'TREE_PATH_REFUSED',
    TARGETS.passwd,
  ),
  checkout(
    22,
    'links that lead out, which are made and not followed',
    tree(link('absolute', TARGETS.passwd), link('git', TARGETS.git), link('up', TARGETS.up)),
    'ready',
    ...Object.values(TARGETS),
  ),
  checkout(
    23,
    'a link and a directory of one name',
    tree(link('a', TARGETS.up), directory('a')),
    'TREE_INVALID',
    TARGETS.up,
    INNER,
  ),
  checkout(
    23,
    'a link and a file of one name',
    tree(link('a', TARGETS.up), file('a')),
    'TREE_INVALID',
    TARGETS.up,
  ),
  checkout(24, 'a truncated tree', object('tree', FULL.content.subarray(0, -1)), 'TREE_INVALID'),
  checkout(24, 'a mode that is not octal', tree(file('a', '10064x')), 'TREE_INVALID'),
  checkout(
    24,
    'a null oid',
    tree({ mode: '100644', name: 'a', oid: '0'.repeat(40) }),
    'TREE_INVALID',
  ),
  checkout(
    24,
    'a blob where a tree should be',
    tree({ ...file('a'), mode: '40000' }),
    'OBJECT_INVALID',
  ),
  checkout(
    24,
    'a missing blob',
    tree({ mode: '100644', name: 'a', oid: '12'.repeat(20) }),
    'OBJECT_MISSING',
  ),
  checkout(24, 'unsorted entries', tree(file('b'), file('a')), 'TREE_INVALID'),
  checkout(24, 'an entry twice', tree(file('a'), file('a')), 'TREE_INVALID'),
  checkout(26, 'setuid bits, which are dropped', tree(file('root', '104755')), 'ready'),
];
