import { execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import {
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { BlobSource } from '../../agent/checkout/blob-source.ts';
import { checkOut } from '../../agent/checkout/check-out.ts';
import type { CheckoutOutcome } from '../../agent/checkout/check-out.ts';
import { readIndex } from '../../agent/checkout/index-reader.ts';
import { Repository, temporaryDirectory } from './repository.ts';
import type { TreeLine } from './repository.ts';

let root = '';
let count = 0;
beforeAll(() => {
  root = temporaryDirectory();
});
afterAll(() => {
  rmSync(root, { recursive: true, force: true });
});

function repository(): Repository {
  return new Repository(root, `repo-${count++}`);
}

async function checkOutHead(made: Repository): Promise<CheckoutOutcome> {
  const treeOid = made.git('rev-parse', 'HEAD^{tree}');
  const { worktree, gitdir } = made;
  return checkOut({ store: made.openStore(), worktree, gitdir, treeOid });
}

/** Checks out our way; then git has to find everything as it would have made it. */
async function expectAsGitDoes(made: Repository, tree: string): Promise<CheckoutOutcome> {
  made.commit(tree);
  const outcome = await checkOutHead(made);
  // First of all, because it may rewrite the index.
  expect(made.git('--no-optional-locks', 'status', '--porcelain=v2')).toBe('');
  const ours = readFileSync(join(made.gitdir, 'index'));
  expect(made.git('write-tree')).toBe(tree);
  made.git('fsck', '--full');

  // The index that git itself makes for these very files.
  const env = { GIT_INDEX_FILE: join(made.gitdir, 'git.index') };
  made.gitBytes(['read-tree', 'HEAD'], '', env);
  made.gitBytes(['update-index', '-q', '--refresh'], '', env);
  expect(ours.equals(readFileSync(env.GIT_INDEX_FILE))).toBe(true);

  // The files that git itself makes.
  const native = `${made.worktree}-native`;
  mkdirSync(native);
  const git = ['--work-tree', native];
  made.gitBytes([...git, 'checkout-index', '-a'], '', env);
  expect(snapshot(made.worktree)).toEqual(snapshot(native));
  return outcome;
}

/** Every name, type, mode and content below a directory, but for `.git`. */
function snapshot(directory: string): string[] {
  const found: string[] = [];
  const visit = (path: Buffer): void => {
    for (const name of readdirSync(path, { encoding: 'buffer' })) {
      if (name.equals(Buffer.from('.git'))) continue;
      const child = Buffer.concat([path, Buffer.from('/'), name]);
      const stat = lstatSync(child);
      const content = stat.isSymbolicLink()
        ? readlinkSync(child, { encoding: 'buffer' })
        : stat.isFile()
          ? readFileSync(child)
          : Buffer.alloc(0);
      const relative = child.subarray(directory.length).toString('latin1');
      found.push(`${relative} ${stat.mode.toString(8)} ${content.toString('base64')}`);
      if (stat.isDirectory()) visit(child);
    }
  };
  visit(Buffer.from(directory));
  return found.sort();
}

function files(made: Repository, names: readonly (string | Buffer)[]): TreeLine[] {
  return names.map((name, i) => ({ mode: '100644', name, oid: made.blob(`content ${i}\n`) }));
}

function packs({ gitdir }: Repository): string[] {
  const directory = join(gitdir, 'objects/pack');
  const names = readdirSync(directory).filter((name) => name.endsWith('.idx'));
  return names.map((name) => join(directory, name));
}

describe('checkOut()', () => {
  test('writes files, directories, modes and an index exactly as git does', async () => {
    const made = repository();
    const tree = made.treeOf([
      ...files(made, ['a', 'a.b', 'a-b/c', 'a-b/d/e/f', 'b/c', 'dir/sub/deep/file', 'z']),
      { mode: '100755', name: 'bin/run', oid: made.blob('#!/bin/sh\n') },
      { mode: '100644', name: 'empty', oid: made.blob('') },
      { mode: '100644', name: 'nul', oid: made.blob(Buffer.from([0, 1, 2, 255, 13, 10])) },
    ]);
    const outcome = await expectAsGitDoes(made, tree);
    expect(outcome).toEqual({ files: 10, bytes: 86, lfsPointers: 0, gitlinks: 0 });
  });

  test('writes names byte for byte: no encoding, no case, no form is special', async () => {
    const made = repository();
    const names = [
      ...['caf\xe9', '\xff\xfe', 'd\xefr/\xe9', '\xc3', '\x80'].map((n) =>
        Buffer.from(n, 'latin1'),
      ),
      ...['new\nline', 'esc\x1b[31m', 'tab\t', 'back\\slash', 'co:lon', 'q"uote', ' ', '~', '-n'],
      ...['README', 'readme', 'ReadMe', 'Dir/x', 'dir/x'],
      ...['caf\u00e9', 'cafe\u0301', 'x'.repeat(250), `${'y'.repeat(250)}/${'z'.repeat(255)}`],
      ...['.gitignore', '.gitattributes', '.github/x', 'a.git', 'git~2', '.gitmodules'],
    ];
    await expectAsGitDoes(made, made.treeOf(files(made, names)));
  });

  test('makes symlinks with any target and never goes through them', async () => {
    const made = repository();
    const outside = join(root, 'outside');
    mkdirSync(outside);
    const targets = ['missing', '/etc/passwd', '../../..', outside, '.', 'loop', 'é', 'sp ace\n'];
    const latin = Buffer.from('\xe9\xff', 'latin1');
    const links = [...targets.map((t) => Buffer.from(t)), latin, Buffer.from('x'.repeat(4000))];
    const tree = made.treeOf([
      ...links.map((target, i) => ({ mode: '120000', name: `link${i}`, oid: made.blob(target) })),
      { mode: '120000', name: 'loop', oid: made.blob('loop') },
      ...files(made, ['link', 'link0.txt', 'z/file']),
    ]);
    const outcome = await expectAsGitDoes(made, tree);
    expect(outcome.files).toBe(14);
    expect(readdirSync(outside)).toEqual([]);
  });

  test('makes a submodule an empty directory', async () => {
    const made = repository();
    const commit = '1234567890123456789012345678901234567890';
    const tree = made.treeOf([
      { mode: '160000', name: 'libs/one', oid: commit },
      { mode: '160000', name: 'two', oid: commit },
      ...files(made, ['libs/x', 'zzz']),
    ]);
    made.commit(tree);
    const outcome = await checkOutHead(made);
    expect(outcome).toMatchObject({ files: 2, gitlinks: 2 });
    expect(readdirSync(join(made.worktree, 'libs/one'))).toEqual([]);
    expect(made.git('status', '--porcelain=v2')).toBe('');
    expect(made.git('write-tree', '--missing-ok')).toBe(tree);
    expect(made.git('ls-files', '--stage', 'two')).toBe(`160000 ${commit} 0\ttwo`);
  });

  test('takes the modes of old histories for what git takes them', async () => {
    const made = repository();
    const oid = made.blob('x');
    const sub = made.rawTree([{ mode: '104755', name: 'setuid', oid }]);
    const tree = made.rawTree([
      { mode: '100664', name: 'group', oid },
      { mode: '100600', name: 'private', oid },
      { mode: '040000', name: 'sub', oid: sub },
    ]);
    made.commit(tree);
    await checkOutHead(made);
    expect(made.git('--no-optional-locks', 'status', '--porcelain=v2')).toBe('');
    const modes = readIndex(made.gitdir).entries.map((entry) => entry.mode.toString(8));
    expect(modes).toEqual(['100644', '100644', '100755']);
    expect(lstatSync(join(made.worktree, 'sub/setuid')).mode.toString(8)).toBe('100755');
    const written = made.treeOf([
      ...['group', 'private'].map((name) => ({ mode: '100644', name, oid })),
      { mode: '100755', name: 'sub/setuid', oid },
    ]);
    expect(made.git('write-tree')).toBe(written);
  });

  test('goes through the umask, the index too, and keeps the x of the owner', () => {
    const made = repository();
    made.commit(
      made.treeOf([
        ...files(made, ['dir/file']),
        { mode: '100755', name: 'dir/run', oid: made.blob('x') },
      ]),
    );
    const { worktree, gitdir } = made;
    const treeOid = made.git('rev-parse', 'HEAD^{tree}');
    // The umask belongs to a whole process.
    const script = `
      import { checkOut } from '${new URL('../../agent/checkout/check-out.ts', import.meta.url).href}';
      import { ObjectStore } from '${new URL('../../agent/pack/object-store.ts', import.meta.url).href}';
      process.umask(0o077);
      const context = ${JSON.stringify({ worktree, gitdir, treeOid })};
      await checkOut({ ...context, store: ObjectStore.open(context.gitdir + '/objects') });
    `;
    execFileSync(process.execPath, ['--import', 'tsx', '--input-type=module', '-e', script]);
    const mode = (path: string): string => lstatSync(join(worktree, path)).mode.toString(8);
    expect([mode('dir'), mode('dir/file'), mode('dir/run'), mode('.git/index')]).toEqual([
      '40700',
      '100600',
      '100700',
      '100600',
    ]);
    expect(made.git('status', '--porcelain=v2')).toBe('');
  });

  test('counts the pointers of Git LFS and leaves them as they are', async () => {
    const made = repository();
    const pointer = `version https://git-lfs.github.com/spec/v1\noid sha256:${'a'.repeat(64)}\nsize 5\n`;
    const tree = made.treeOf([
      { mode: '100644', name: '.gitattributes', oid: made.blob('*.bin filter=lfs -text\n') },
      { mode: '100644', name: 'big.bin', oid: made.blob(pointer) },
      { mode: '100644', name: 'long.txt', oid: made.blob(pointer.repeat(20)) },
    ]);
    const outcome = await expectAsGitDoes(made, tree);
    expect(outcome.lfsPointers).toBe(1);
  });

  test('converts content as the attributes of every level say', async () => {
    const made = repository();
    const [text, id, wide] = ['one\ntwo\n', '$Id$\n', 'bäh\n'].map((c) => made.blob(c));
    const top =
      '[attr]dos eol=crlf text\n*.bat dos\n*.id ident\n*.u16 working-tree-encoding=UTF-16\n';
    const attributes = (directory: string, content: string, mode = '100644'): TreeLine => {
      return { mode, name: `${directory}.gitattributes`, oid: made.blob(content) };
    };
    const directories = ['', '-before/', 'off/', 'on/', 'on/deep/', 'zlink/'];
    const tree = made.treeOf([
      attributes('', top),
      attributes('-before/', '*.id -ident\n'),
      attributes('off/', '*.bat -text\n*.id !ident\n*.u16 !working-tree-encoding\n'),
      attributes('on/', '* dos\n'),
      // From the objects git reads the target of a symlink as if it were a file's content.
      attributes('zlink/', '*.txt dos', '120000'),
      ...directories.flatMap((directory) => [
        { mode: '100755', name: `${directory}a.bat`, oid: text! },
        { mode: '100644', name: `${directory}a.txt`, oid: text! },
        { mode: '100644', name: `${directory}b.id`, oid: id! },
        { mode: '100644', name: `${directory}c.u16`, oid: wide! },
      ]),
    ]);
    await expectAsGitDoes(made, tree);
    const read = (name: string): string => readFileSync(join(made.worktree, name), 'latin1');
    expect(read('-before/a.bat')).toBe('one\r\ntwo\r\n');
    expect(read('off/a.bat')).toBe('one\ntwo\n');
    expect(read('b.id')).toBe(`$Id: ${id!} $\n`);
    expect(read('c.u16')).toMatch(/^\xff\xfeb\0/);
  });

  test('runs no filter', async () => {
    const made = repository();
    made.git('config', 'filter.x.smudge', 'touch ran');
    const rules = { mode: '100644', name: '.gitattributes', oid: made.blob('* filter=x\n') };
    made.commit(made.treeOf([rules, ...files(made, ['a'])]));
    await checkOutHead(made);
    expect(readdirSync(made.worktree).sort()).toEqual(['.git', '.gitattributes', 'a']);
  });

  test('stays clean for git where attributes would convert the content', async () => {
    const made = repository();
    const attributes = '*.crlf text eol=crlf\n*.id ident\n*.u16 working-tree-encoding=UTF-16\n';
    made.commit(
      made.treeOf([
        { mode: '100644', name: '.gitattributes', oid: made.blob(attributes) },
        { mode: '100644', name: 'a.crlf', oid: made.blob('one\ntwo\n') },
        { mode: '100644', name: 'a.crlf.crlf', oid: made.blob('one\r\ntwo\r\n') },
        { mode: '100644', name: 'b.id', oid: made.blob('$Id$\n') },
        { mode: '100644', name: 'c.u16', oid: made.blob('text') },
      ]),
    );
    await checkOutHead(made);
    expect(made.git('status', '--porcelain=v2')).toBe('');
  });

  test('leaves no file whose content git would have to read again', async () => {
    const made = repository();
    const link = { mode: '120000', name: 'link', oid: made.blob('a') };
    made.commit(made.treeOf([...files(made, ['a', 'b/c']), link]));
    await checkOutHead(made);
    const { entries, mtimeNs } = readIndex(made.gitdir);
    const indexSec = Number(mtimeNs / 1_000_000_000n);
    expect(entries.filter((entry) => entry.mtimeSec >= indexSec)).toEqual([]);
    for (const name of ['a', 'b/c']) {
      // Of the same size, in place, at once: what only the time can tell.
      writeFileSync(join(made.worktree, name), 'CONTENT 0\n');
    }
    expect(made.git('diff-files', '--name-only')).toBe('a\nb/c');
  });

  test('takes everything out of a pack, deltas and large blobs too', async () => {
    const made = repository();
    const lines = Array.from({ length: 2000 }, (_, i) => `line ${i * 7919}\n`);
    const versions = [0, 1, 2, 3].map((i) => made.blob(lines.slice(i).join('')));
    const tree = made.treeOf([
      ...versions.map((oid, i) => ({ mode: '100644', name: `dir${i}/file`, oid })),
      { mode: '100644', name: 'random', oid: made.blob(randomBytes(5 * 1024 * 1024)) },
    ]);
    made.commit(tree);
    made.git('repack', '-q', '-a', '-d');
    expect(made.git('count-objects', '-v')).toMatch(/^count: 0$/m);
    expect(made.gitWith('', 'verify-pack', '-s', ...packs(made))).toContain('chain length');
    const outcome = await expectAsGitDoes(made, tree);
    expect(outcome.files).toBe(5);
  });

  test('makes no directory for an empty tree, and an index for an empty commit', async () => {
    const made = repository();
    const empty = made.rawTree([]);
    const tree = made.rawTree([{ mode: '40000', name: 'dir', oid: empty }]);
    made.commit(tree);
    await checkOutHead(made);
    expect(readdirSync(made.worktree)).toEqual(['.git']);
    expect(readIndex(made.gitdir).entries).toEqual([]);
    expect(made.git('write-tree')).toBe(empty);

    const without = repository();
    without.commit(without.git('mktree'));
    rmSync(join(without.gitdir, 'objects/4b'), { recursive: true });
    await checkOutHead(without);
    expect(without.git('status', '--porcelain=v2')).toBe('');
  });

  test('writes nothing for an unborn branch, as git clone does', async () => {
    const made = repository();
    const native = join(root, 'unborn');
    made.tryGit('clone', '-q', made.worktree, native);
    const { worktree, gitdir } = made;
    const store = made.openStore();
    const outcome = await checkOut({ store, worktree, gitdir, treeOid: null });
    expect(outcome).toEqual({ files: 0, bytes: 0, lfsPointers: 0, gitlinks: 0 });
    expect(existsSync(join(gitdir, 'index'))).toBe(existsSync(join(native, '.git/index')));
    expect(readdirSync(worktree)).toEqual(['.git']);
  });

  test('tells how far it is, and the end', async () => {
    const made = repository();
    const names = Array.from({ length: 300 }, (_, i) => `dir${i % 20}/file${i}`);
    const oid = made.blob('x');
    const treeOid = made.treeOf(names.map((name) => ({ mode: '100644', name, oid })));
    const { worktree, gitdir } = made;
    const loose = made.openStore();
    const slow: BlobSource = {
      read: (oid) => loose.read(oid),
      writeBlob: (oid, fd) => {
        for (const end = performance.now() + 2; performance.now() < end;);
        return loose.writeBlob(oid, fd);
      },
    };
    const seen: number[] = [];
    let turns = 0;
    const ticker = setInterval(() => turns++, 10);
    const onProgress = (files: number, totalFiles: number): void => {
      expect(totalFiles).toBe(300);
      seen.push(files);
    };
    const start = performance.now();
    await checkOut({ store: slow, worktree, gitdir, treeOid, onProgress });
    clearInterval(ticker);
    expect(seen.at(-1)).toBe(300);
    expect(seen).toEqual([...seen].sort((a, b) => a - b));
    expect(seen.length).toBeGreaterThan(2);
    expect(seen.length).toBeLessThan((performance.now() - start) / 100 + 2);
    expect(turns).toBeGreaterThan(4);
  });

  test('stops when it is told to, with the reason', async () => {
    const made = repository();
    const names = Array.from({ length: 2000 }, (_, i) => `dir${i % 20}/file${i}`);
    const oid = made.blob('x');
    const treeOid = made.treeOf(names.map((name) => ({ mode: '100644', name, oid })));
    const { worktree, gitdir } = made;
    const controller = new AbortController();
    const store = made.openStore();
    setImmediate(() => {
      controller.abort(new Error('enough'));
    });
    const running = checkOut({ store, worktree, gitdir, treeOid, signal: controller.signal });
    await expect(running).rejects.toThrow('enough');
    expect(existsSync(join(gitdir, 'index'))).toBe(false);
  });
});
