import { createHash } from 'node:crypto';
import {
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import type { BlobSource } from '../../agent/checkout/blob-source.ts';
import { checkOut } from '../../agent/checkout/check-out.ts';
import type { CheckoutContext } from '../../agent/checkout/check-out.ts';
import { AgentError } from '../../agent/errors.ts';
import { rawTreeEntry, Repository, temporaryDirectory } from './repository.ts';
import type { TreeLine } from './repository.ts';

const ABSENT = '1234567890123456789012345678901234567890';

const root = temporaryDirectory();
const made = new Repository(root, 'objects');
const blob = made.blob('x');
let count = 0;
afterAll(() => {
  rmSync(root, { recursive: true, force: true });
});

interface Outcome {
  readonly code: string;
  readonly message: string;
  /** What was created, below a worktree of its own. */
  readonly left: string[];
}

async function outcomeOf(
  treeOid: string,
  options: Partial<CheckoutContext> = {},
): Promise<Outcome> {
  const worktree = join(root, `worktree-${count++}`);
  const gitdir = join(worktree, '.git');
  mkdirSync(gitdir, { recursive: true });
  const store = made.openStore();
  const failure = await checkOut({ store, worktree, gitdir, treeOid, ...options }).then(
    () => new AgentError('INTERNAL', 'nothing thrown'),
    (error: unknown) => error,
  );
  if (!(failure instanceof AgentError)) throw failure;
  const left = readdirSync(worktree, { recursive: true }).map(String);
  expect(readdirSync(gitdir)).toEqual([]);
  return { code: failure.code, message: failure.message, left };
}

function file(name: string | Buffer, oid = blob): TreeLine {
  return { mode: '100644', name, oid };
}
function directory(name: string, ...lines: readonly TreeLine[]): TreeLine {
  return { mode: '40000', name, oid: made.rawTree(lines) };
}
function symlink(name: string, target: string | Buffer): TreeLine {
  return { mode: '120000', name, oid: made.blob(target) };
}

describe('checkOut() refuses before it writes anything', () => {
  test.each([
    ['.git', [directory('.git', directory('hooks', file('post-checkout')))]],
    ['.GIT', [directory('.GIT', file('config'))]],
    ['..', [directory('..', file('escaped'))]],
    ['.', [file('.')]],
    ['a name with a slash', [file('a/b')]],
    ['an absolute name', [file('/tmp/escaped')]],
    ['an empty name', [file('')]],
    ['git~1', [directory('git~1', file('config'))]],
    ['.git with an ignorable code point', [directory('.g\u200cit', file('config'))]],
    ['.git behind a backslash', [file('a\\.git\\config')]],
    ['.git deep inside', [directory('a', directory('b', directory('.git', file('config'))))]],
    ['a symlink as .gitmodules', [symlink('.gitmodules', 'elsewhere')]],
    ['a name of 256 bytes', [file('x'.repeat(256))]],
  ])('%s', async (_, lines) => {
    const sorted = [file('+'), ...lines].sort((a, b) => (a.name < b.name ? -1 : 1));
    const outcome = await outcomeOf(made.rawTree(sorted));
    expect([outcome.code, outcome.left]).toEqual(['TREE_PATH_REFUSED', ['.git']]);
  });

  test.each([
    ['a file and a directory of one name', [file('a'), directory('a', file('b'))]],
    ['a symlink and a directory of one name', [symlink('a', '/tmp'), directory('a', file('b'))]],
    ['a name twice', [symlink('a', '/tmp'), file('a')]],
    ['unsorted names', [file('b'), file('a')]],
    ['a null oid', [file('a', '0'.repeat(40))]],
    ['a device', [{ mode: '20644', name: 'null', oid: blob }]],
  ])('%s', async (_, lines) => {
    const outcome = await outcomeOf(made.rawTree([file('+'), ...lines]));
    expect([outcome.code, outcome.left]).toEqual(['TREE_INVALID', ['.git']]);
  });

  test('a tree that is cut off', async () => {
    const content = made.gitBytes(['cat-file', 'tree', made.rawTree([file('a'), file('b')])]);
    const outcome = await outcomeOf(made.rawObject('tree', content.subarray(0, -1)));
    expect([outcome.code, outcome.left]).toEqual(['TREE_INVALID', ['.git']]);
  });

  test('a tree that is missing, and a blob or commit where a tree should be', async () => {
    const commit = made.git('commit-tree', '-m', 'x', made.rawTree([]));
    const cases = [
      [ABSENT, 'OBJECT_MISSING'],
      [blob, 'OBJECT_INVALID'],
      [commit, 'OBJECT_INVALID'],
    ] as const;
    for (const [oid, code] of cases) {
      const inside = made.rawTree([{ mode: '40000', name: 'dir', oid }]);
      for (const tree of [oid, inside]) {
        const outcome = await outcomeOf(tree);
        expect([outcome.code, outcome.left]).toEqual([code, ['.git']]);
        expect(outcome.message).toContain(oid);
      }
    }
  });

  test('a path longer than a file can have, without recursion on the way there', async () => {
    const trees = new Map<string, Buffer>();
    let tree = made.rawTree([file('f')]);
    for (let depth = 0; depth < 100_000; depth++) {
      const content = rawTreeEntry({ mode: '40000', name: 'd', oid: tree });
      tree = createHash('sha1').update(content).digest('hex');
      trees.set(tree, content);
    }
    const loose = made.openStore();
    const store: BlobSource = {
      read: (oid) => {
        const content = trees.get(oid);
        return content === undefined ? loose.read(oid) : { type: 'tree', content };
      },
      writeBlob: (oid, fd) => loose.writeBlob(oid, fd),
    };
    const outcome = await outcomeOf(tree, { store });
    expect([outcome.code, outcome.left]).toEqual(['TREE_PATH_REFUSED', ['.git']]);
  });

  test('a few trees that stand for more files than there can be', async () => {
    let tree = made.rawTree([file('f')]);
    for (let depth = 0; depth < 12; depth++) {
      const names = Array.from({ length: 10 }, (_, i) => `${i}`);
      tree = made.rawTree(names.map((name) => ({ mode: '40000', name, oid: tree })));
    }
    const outcome = await outcomeOf(tree, { limitEntries: 50_000 });
    expect([outcome.code, outcome.left]).toEqual(['PACK_LIMIT', ['.git']]);
  });
});

describe('checkOut() fails with a name for it', () => {
  test('when a blob is missing or something else', async () => {
    const tree = made.rawTree([]);
    for (const mode of ['100644', '120000']) {
      const missing = await outcomeOf(made.rawTree([{ mode, name: 'a', oid: ABSENT }]));
      expect(missing.code).toBe('OBJECT_MISSING');
      expect(missing.message).toContain('"a"');
      const other = await outcomeOf(made.rawTree([{ mode, name: 'a', oid: tree }]));
      expect(other.code).toBe('OBJECT_INVALID');
      expect(other.message).toContain('"a"');
    }
  });

  test('when a symlink cannot have its target', async () => {
    for (const target of ['', Buffer.from('a\0b'), 'x'.repeat(5000)]) {
      const outcome = await outcomeOf(made.rawTree([symlink('a', target)]));
      expect([outcome.code, outcome.left]).toEqual(['TREE_PATH_REFUSED', ['.git']]);
    }
  });

  test('when a name is taken in the worktree, leaving what has it alone', async () => {
    const worktree = join(root, 'taken');
    const gitdir = join(worktree, '.git');
    mkdirSync(gitdir, { recursive: true });
    const outside = join(root, 'outside');
    writeFileSync(outside, 'untouched');
    const store = made.openStore();
    const run = (treeOid: string): Promise<unknown> =>
      checkOut({ store, worktree, gitdir, treeOid });
    const refusal = { code: 'TREE_PATH_REFUSED' };

    writeFileSync(join(worktree, 'file'), 'mine');
    await expect(run(made.rawTree([file('file')]))).rejects.toMatchObject(refusal);
    await expect(run(made.rawTree([symlink('file', 'x')]))).rejects.toMatchObject(refusal);
    await expect(run(made.rawTree([directory('file', file('x'))]))).rejects.toMatchObject(refusal);
    expect(readFileSync(join(worktree, 'file'), 'utf8')).toBe('mine');

    symlinkSync(outside, join(worktree, 'link'));
    await expect(run(made.rawTree([file('link')]))).rejects.toMatchObject(refusal);
    await expect(run(made.rawTree([directory('link', file('x'))]))).rejects.toMatchObject(refusal);
    expect(readFileSync(outside, 'utf8')).toBe('untouched');
    expect(lstatSync(join(worktree, 'link')).isSymbolicLink()).toBe(true);
  });

  test('when the index is locked', async () => {
    const worktree = join(root, 'locked');
    const gitdir = join(worktree, '.git');
    mkdirSync(gitdir, { recursive: true });
    writeFileSync(join(gitdir, 'index.lock'), '');
    const store = made.openStore();
    const treeOid = made.rawTree([file('a')]);
    await expect(checkOut({ store, worktree, gitdir, treeOid })).rejects.toThrow('EEXIST');
    expect(readdirSync(gitdir)).toEqual(['index.lock']);
  });
});
