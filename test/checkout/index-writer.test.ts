import { execFileSync } from 'node:child_process';
import { mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { readIndex } from '../../agent/checkout/index-reader.ts';
import { encodeIndex, writeIndex } from '../../agent/checkout/index-writer.ts';
import { Repository, temporaryDirectory } from './repository.ts';

let root = '';
beforeAll(() => {
  root = temporaryDirectory();
});
afterAll(() => {
  rmSync(root, { recursive: true, force: true });
});

function repository(name: string): Repository {
  const made = new Repository(root, name);
  for (const path of ['b/c/d', 'b/c-d', 'b/cc/d', 'aaa/x', 'z/x', 'f', 'b.c']) {
    mkdirSync(join(made.worktree, path, '..'), { recursive: true });
    writeFileSync(join(made.worktree, path), path);
  }
  execFileSync('find', [made.worktree, '-exec', 'touch', '-h', '-d', '2023-11-14', '{}', '+']);
  made.git('add', '-A');
  made.git('write-tree');
  return made;
}

describe('writeIndex()', () => {
  test('writes what readIndex() read byte for byte as git has it', () => {
    const { gitdir } = repository('same');
    const file = join(gitdir, 'index');
    const before = readFileSync(file);
    const { mode } = statSync(file);
    const { entries, cacheTree } = readIndex(gitdir);
    expect(cacheTree?.children).toHaveLength(3);
    writeIndex(file, entries, cacheTree);
    expect(readFileSync(file).equals(before)).toBe(true);
    expect(statSync(file).mode).toBe(mode);
    expect(readdirSync(gitdir)).not.toContain('index.lock');
  });

  test('writes version 3 when flags need it, stages and assume-valid in any version', () => {
    const made = repository('flags');
    made.git('update-index', '--assume-unchanged', 'f');
    made.git('update-index', '--skip-worktree', 'z/x');
    const oid = made.blob('x');
    const stages = [1, 2, 3].map((stage) => `100644 ${oid} ${stage}\tb/conflict\n`);
    made.gitWith(stages.join(''), 'update-index', '--index-info');
    const file = join(made.gitdir, 'index');
    const before = readFileSync(file);
    const { entries, cacheTree } = readIndex(made.gitdir);
    expect(encodeIndex(entries, cacheTree).equals(before)).toBe(true);
  });

  test('puts entries into the order of an index', () => {
    const made = repository('order');
    const { entries, cacheTree } = readIndex(made.gitdir);
    const expected = readFileSync(join(made.gitdir, 'index'));
    expect(encodeIndex([...entries].reverse(), cacheTree).equals(expected)).toBe(true);
  });

  test('leaves the index alone while somebody holds its lock', () => {
    const { gitdir } = repository('locked');
    const file = join(gitdir, 'index');
    const before = readFileSync(file);
    writeFileSync(`${file}.lock`, 'theirs');
    expect(() => {
      writeIndex(file, [], null);
    }).toThrow('EEXIST');
    expect(readFileSync(file).equals(before)).toBe(true);
    expect(readFileSync(`${file}.lock`, 'utf8')).toBe('theirs');
  });

  test('removes its lock when the index cannot be replaced', () => {
    const { gitdir } = repository('failing');
    const target = join(gitdir, 'a-directory');
    mkdirSync(join(target, 'full'), { recursive: true });
    expect(() => {
      writeIndex(target, [], null);
    }).toThrow(/EISDIR|ENOTEMPTY/);
    expect(readdirSync(gitdir)).not.toContain('a-directory.lock');
  });
});
