import {
  appendFileSync,
  existsSync,
  mkdirSync,
  readFileSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { CacheTree } from '../../agent/checkout/cache-tree.ts';
import type { IndexEntry } from '../../agent/checkout/index-entry.ts';
import { readIndex } from '../../agent/checkout/index-reader.ts';
import { AgentError } from '../../agent/errors.ts';
import { Repository, temporaryDirectory } from './repository.ts';

let root = '';
let count = 0;
beforeAll(() => {
  root = temporaryDirectory();
});
afterAll(() => {
  rmSync(root, { recursive: true, force: true });
});

/** A repository with 120 staged files in nested directories, one executable, one symlink. */
function repository(): Repository {
  const made = new Repository(root, `repo-${count++}`);
  for (let i = 0; i < 120; i++) {
    const directory = join(made.worktree, `dir${i % 7}`, `sub${i % 3}`);
    mkdirSync(directory, { recursive: true });
    writeFileSync(join(directory, `file${i}.txt`), `content ${i}\n`);
  }
  writeFileSync(join(made.worktree, 'run'), '#!/bin/sh\n', { mode: 0o755 });
  execFileSync('ln', ['-s', 'run', join(made.worktree, 'link')]);
  // Files older than the index: else git takes them for possibly changed, and writes more of them.
  execFileSync('find', [made.worktree, '-exec', 'touch', '-h', '-d', '2023-11-14', '{}', '+']);
  made.git('add', '-A');
  return made;
}

/** What `git ls-files --stage --debug` prints, from our reading of the same index. */
function debugListing(entries: readonly IndexEntry[]): string {
  return entries
    .map((entry) => {
      const mode = entry.mode.toString(8).padStart(6, '0');
      return (
        `${mode} ${entry.oid} ${entry.stage}\t${entry.path.toString('latin1')}\n` +
        `  ctime: ${entry.ctimeSec}:${entry.ctimeNsec}\n` +
        `  mtime: ${entry.mtimeSec}:${entry.mtimeNsec}\n` +
        `  dev: ${entry.dev}\tino: ${entry.ino}\n` +
        `  uid: ${entry.uid}\tgid: ${entry.gid}\n` +
        `  size: ${entry.size}\tflags: ${gitFlags(entry).toString(16)}\n`
      );
    })
    .join('');
}

/** As git has them in memory: without the name's length, the extended ones shifted up. */
function gitFlags(entry: IndexEntry): number {
  return (
    ((entry.extendedFlags << 16) >>> 0) +
    (entry.extendedFlags === 0 ? 0 : 0x4000) +
    (entry.assumeValid ? 0x8000 : 0) +
    (entry.stage << 12)
  );
}

function expectSameAsGit(repository: Repository): void {
  const options = ['-c', 'core.quotePath=false', 'ls-files', '--stage', '--debug', '--sparse'];
  // Without the flags that git only has in memory.
  const listing = repository.git(...options).replace(/(?<=flags: ).*/g, (flags) => {
    return (parseInt(flags, 16) & 0x6000f000).toString(16);
  });
  expect(debugListing(readIndex(repository.gitdir).entries)).toBe(`${listing}\n`);
}

function version(gitdir: string): number {
  return readFileSync(join(gitdir, 'index')).readUInt32BE(4);
}

function codeOf(run: () => unknown): string {
  try {
    run();
  } catch (error) {
    if (error instanceof AgentError) return error.code;
    throw error;
  }
  return 'nothing thrown';
}

describe('readIndex()', () => {
  test('takes an absent index for an empty one', () => {
    const { gitdir } = new Repository(root, 'empty');
    expect(readIndex(gitdir)).toEqual({
      entries: [],
      cacheTree: null,
      resolveUndo: null,
      mtimeNs: 0n,
    });
  });

  test('reads version 2 as git does, and tells the time of the file itself', () => {
    const made = repository();
    expect(version(made.gitdir)).toBe(2);
    expectSameAsGit(made);
    const { mtimeNs } = statSync(join(made.gitdir, 'index'), { bigint: true });
    expect(readIndex(made.gitdir).mtimeNs).toBe(mtimeNs);
  });

  test('reads the flags of version 3', () => {
    const made = repository();
    writeFileSync(join(made.worktree, 'later'), 'x');
    made.git('add', '--intent-to-add', 'later');
    made.git('update-index', '--skip-worktree', 'run');
    made.git('update-index', '--assume-unchanged', 'link');
    expect(version(made.gitdir)).toBe(3);
    expectSameAsGit(made);
    const { entries } = readIndex(made.gitdir);
    const named = (name: string): IndexEntry =>
      entries.find((entry) => entry.path.toString() === name)!;
    expect(named('later').intentToAdd).toBe(true);
    expect(named('run').skipWorktree).toBe(true);
    expect(named('link').assumeValid).toBe(true);
    expect(named('link').skipWorktree).toBe(false);
  });

  test('reads the prefix-compressed paths of version 4', () => {
    const made = repository();
    made.git('update-index', '--skip-worktree', 'run');
    made.git('update-index', '--index-version', '4');
    expect(version(made.gitdir)).toBe(4);
    expectSameAsGit(made);
  });

  test('reads version 4 written in blocks for several threads', () => {
    const made = repository();
    made.git(
      '-c',
      'index.threads=2',
      'update-index',
      '--index-version',
      '4',
      '--force-write-index',
    );
    expectSameAsGit(made);
  });

  test('reads paths longer than the 12 bits that their length has', () => {
    const made = repository();
    const path = Array.from({ length: 20 }, (_, i) => `${i}`.repeat(120)).join('/');
    const oid = made.blob('x');
    made.gitWith(
      `100644 ${oid}\t${path}/a\n100644 ${oid}\t${path}/b\n`,
      'update-index',
      '--index-info',
    );
    expectSameAsGit(made);
    made.git('update-index', '--index-version', '4');
    expectSameAsGit(made);
  });

  test('reads the three stages of a conflict', () => {
    const made = repository();
    made.git('commit', '-q', '-m', 'base');
    made.git('checkout', '-q', '-b', 'other');
    writeFileSync(join(made.worktree, 'run'), 'theirs');
    made.git('commit', '-q', '-a', '-m', 'theirs');
    made.git('checkout', '-q', 'main');
    writeFileSync(join(made.worktree, 'run'), 'ours');
    made.git('commit', '-q', '-a', '-m', 'ours');
    expect(made.tryGit('merge', 'other').status).toBe(1);
    const stages = readIndex(made.gitdir).entries.filter((e) => e.path.toString() === 'run');
    expect(stages.map((entry) => entry.stage)).toEqual([1, 2, 3]);
    expectSameAsGit(made);
  });

  test('merges a split index: replaced, deleted and added entries', () => {
    const made = repository();
    made.git('config', 'splitIndex.maxPercentChange', '100');
    made.git('update-index', '--split-index');
    expectSameAsGit(made);
    for (const name of ['dir0/sub0/file0.txt', 'dir1/sub1/file1.txt', 'run']) {
      appendFileSync(join(made.worktree, name), 'more');
    }
    for (const name of ['aaa', 'dir3/new', 'zzz']) writeFileSync(join(made.worktree, name), name);
    made.git('add', '-A');
    made.git('rm', '-q', '--cached', 'dir5/sub2/file5.txt', 'link');
    const own = readFileSync(join(made.gitdir, 'index'));
    expect(own.includes('link')).toBe(true);
    expect(own.readUInt32BE(8)).toBeLessThan(20);
    expectSameAsGit(made);
  });

  test('merges a split index whose every entry was replaced or deleted', () => {
    const made = repository();
    made.git('config', 'splitIndex.maxPercentChange', '100');
    made.git('update-index', '--split-index');
    const names = readIndex(made.gitdir).entries.map((entry) => entry.path.toString());
    made.gitWith(names.join('\n'), 'update-index', '--skip-worktree', '--stdin');
    expectSameAsGit(made);
    made.git('rm', '-q', '-r', '--cached', '--sparse', '.');
    expect(readIndex(made.gitdir).entries).toEqual([]);
  });

  test('keeps the directories of a sparse index as entries', () => {
    const made = repository();
    made.git('commit', '-q', '-m', 'base');
    made.git('sparse-checkout', 'set', '--cone', '--sparse-index', 'dir1');
    const directories = readIndex(made.gitdir).entries.filter((e) => e.mode === 0o040000);
    expect(directories.map((entry) => entry.path.toString())).toContain('dir2/');
    expectSameAsGit(made);
  });

  test('accepts an index without checksum (index.skipHash)', () => {
    const made = repository();
    const file = join(made.gitdir, 'index');
    const bytes = readFileSync(file);
    bytes.fill(0, bytes.length - 20);
    writeFileSync(file, bytes);
    expect(readIndex(made.gitdir).entries).toHaveLength(122);
  });

  test('reads the cache tree that git wrote', () => {
    const made = repository();
    const treeOid = made.git('write-tree');
    const { cacheTree } = readIndex(made.gitdir);
    expect(cacheTree?.oid).toBe(treeOid);
    expect(cacheTree?.entryCount).toBe(122);
    const flat: string[] = [];
    const collect = (node: CacheTree, prefix: string): void => {
      for (const child of node.children) {
        const path = prefix + child.name.toString();
        flat.push(`${path} ${child.oid ?? ''}`);
        collect(child, `${path}/`);
      }
    };
    collect(cacheTree!, '');
    const expected = made.git(
      'ls-tree',
      '-r',
      '-t',
      '-d',
      '--format=%(path) %(objectname)',
      treeOid,
    );
    expect(flat.sort()).toEqual(expected.split('\n').sort());
  });

  test('tells the invalidated nodes of a cache tree', () => {
    const made = repository();
    made.git('write-tree');
    made.git('update-index', '--cacheinfo', `100755,${made.blob('x')},dir0/sub0/file0.txt`);
    const { cacheTree } = readIndex(made.gitdir);
    expect([cacheTree?.entryCount, cacheTree?.oid]).toEqual([-1, null]);
    const valid = cacheTree!.children.filter((child) => child.oid !== null);
    expect(valid.map((child) => child.name.toString())).not.toContain('dir0');
    expect(valid).toHaveLength(6);
  });
});

describe('readIndex() refuses', () => {
  /** A good index, changed and given a right checksum again unless told otherwise. */
  function damaged(change: (bytes: Buffer) => Buffer, rehash = true): string {
    const made = new Repository(root, `damaged-${count++}`);
    writeFileSync(join(made.worktree, 'file'), 'x');
    writeFileSync(join(made.worktree, 'second'), 'y');
    made.git('add', '-A');
    const file = join(made.gitdir, 'index');
    let bytes = change(readFileSync(file));
    if (rehash) {
      const body = bytes.subarray(0, -20);
      bytes = Buffer.concat([body, createHash('sha1').update(body).digest()]);
    }
    writeFileSync(file, bytes);
    return made.gitdir;
  }
  const patch = (at: number, value: number) => (bytes: Buffer) => {
    bytes[at] = value;
    return bytes;
  };
  const extension = (name: string, body: Buffer) => (bytes: Buffer) => {
    const head = Buffer.from(`${name}\0\0\0\0`);
    head.writeUInt32BE(body.length, 4);
    return Buffer.concat([bytes.subarray(0, -20), head, body, bytes.subarray(-20)]);
  };

  test.each([
    ['a wrong checksum', patch(20, 99), false],
    ['a wrong signature', patch(0, 0x58), true],
    ['version 5', patch(7, 5), true],
    ['version 1', patch(7, 1), true],
    ['more entries than bytes', patch(8, 0xff), true],
    ['one entry more than there are', patch(11, 3), true],
    ['a path longer than its length', patch(12 + 61, 2), true],
    ['a length past the path', patch(12 + 61, 5), true],
    [
      'unknown extended flags',
      (bytes: Buffer) => patch(12 + 62, 0x10)(patch(12 + 60, 0x40)(bytes)),
      true,
    ],
    ['entries out of order', patch(12 + 62, 0x7a), true],
    ['an unknown required extension', extension('what', Buffer.alloc(4)), true],
    ['a cut-off extension', (bytes: Buffer) => Buffer.concat([bytes, Buffer.alloc(6)]), true],
    ['nothing but a header', (bytes: Buffer) => bytes.subarray(0, 12), false],
    ['an empty file', () => Buffer.alloc(0), false],
    ['a split index without its shared part', extension('link', Buffer.alloc(20, 7)), true],
    ['a link shorter than an oid', extension('link', Buffer.alloc(7)), true],
  ] as const)('%s', (_, change, rehash) => {
    const gitdir = damaged(change, rehash);
    expect(codeOf(() => readIndex(gitdir))).toBe('INDEX_INVALID');
  });

  test.each([
    ['a run of ones past the shared index', [0x0000_0002_0000_0003n]],
    ['a literal bit past the shared index', [1n << 33n, 1n << 63n]],
    ['more literals than words', [9n << 33n]],
    ['more replacements than entries without a path', [1n << 33n, 7n]],
  ])('a link bitmap with %s', (_, words) => {
    const made = new Repository(root, `bitmap-${count++}`);
    for (const name of ['a', 'b', 'c', 'd']) writeFileSync(join(made.worktree, name), name);
    made.git('add', '-A');
    made.git('config', 'splitIndex.maxPercentChange', '100');
    made.git('update-index', '--split-index');
    const file = join(made.gitdir, 'index');
    const bytes = readFileSync(file);
    const oid = bytes.subarray(bytes.indexOf('link') + 8).subarray(0, 20);
    const bitmap = (body: readonly bigint[]): Buffer => {
      const made = Buffer.alloc(8 + body.length * 8 + 4);
      made.writeUInt32BE(64, 0);
      made.writeUInt32BE(body.length, 4);
      body.forEach((word, i) => made.writeBigUInt64BE(word, 8 + i * 8));
      return made;
    };
    const link = Buffer.concat([oid, bitmap([0n]), bitmap(words)]);
    const head = Buffer.from('link\0\0\0\0');
    head.writeUInt32BE(link.length, 4);
    const header = Buffer.from('DIRC\0\0\0\x02\0\0\0\0');
    writeFileSync(file, Buffer.concat([header, head, link, Buffer.alloc(20)]));
    expect(codeOf(() => readIndex(made.gitdir))).toBe('INDEX_INVALID');
  });

  test('a FIFO in its place, without waiting for it', () => {
    const made = new Repository(root, 'fifo');
    execFileSync('mkfifo', [join(made.gitdir, 'index')]);
    expect(codeOf(() => readIndex(made.gitdir))).toBe('INDEX_INVALID');
  });

  test('a file or expanded paths over the limit', () => {
    const made = repository();
    const { size } = statSync(join(made.gitdir, 'index'));
    expect(codeOf(() => readIndex(made.gitdir, { limitBytes: size - 1 }))).toBe('INDEX_INVALID');
    const long = 'd/'.repeat(1500);
    const lines = Array.from({ length: 100 }, (_, i) => `100644 ${made.blob('x')}\t${long}${i}\n`);
    made.gitWith(lines.join(''), 'update-index', '--index-info');
    made.git('update-index', '--index-version', '4');
    expect(codeOf(() => readIndex(made.gitdir, { limitBytes: 100_000 }))).toBe('INDEX_INVALID');
    expect(existsSync(join(made.gitdir, 'index.lock'))).toBe(false);
  });

  test('any single byte changed or cut, without hanging or another error', () => {
    const gitdir = damaged((bytes) => bytes);
    const file = join(gitdir, 'index');
    const good = readFileSync(file);
    good.fill(0, good.length - 20);
    for (let at = 0; at < good.length - 20; at++) {
      const bytes = Buffer.from(good);
      bytes[at]! ^= 0xff;
      writeFileSync(file, bytes);
      expect(['INDEX_INVALID', 'nothing thrown']).toContain(codeOf(() => readIndex(gitdir)));
      writeFileSync(file, Buffer.concat([good.subarray(0, at), Buffer.alloc(20)]));
      expect(['INDEX_INVALID', 'nothing thrown']).toContain(codeOf(() => readIndex(gitdir)));
    }
  });
});
