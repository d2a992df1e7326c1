import { rmSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { canonicalMode, parseTree } from '../../agent/checkout/tree.ts';
import { AgentError } from '../../agent/errors.ts';
import { rawTreeEntry, Repository, temporaryDirectory } from './repository.ts';
import type { TreeLine } from './repository.ts';

const OID = '1234567890123456789012345678901234567890';

let root = '';
beforeAll(() => {
  root = temporaryDirectory();
});
afterAll(() => {
  rmSync(root, { recursive: true, force: true });
});

function tree(...lines: readonly (readonly [mode: string, name: string, oid?: string])[]): Buffer {
  return Buffer.concat(
    lines.map(([mode, name, oid = OID]) => rawTreeEntry({ mode, name, oid } satisfies TreeLine)),
  );
}

function codeOf(content: Buffer): string {
  try {
    parseTree(content);
  } catch (error) {
    if (error instanceof AgentError) return error.code;
    throw error;
  }
  return 'nothing thrown';
}

describe('parseTree()', () => {
  test('reads every kind of entry of a tree made by git', () => {
    const repository = new Repository(root, 'kinds');
    const oid = repository.blob('x');
    const names = ['a', 'b.c', 'b', 'b-', 'c\nd', 'e\\f', 'é', 'z'.repeat(250)];
    const oidOfTree = repository.treeOf([
      ...names.map((name) => ({ mode: '100644', name, oid })),
      { mode: '100755', name: 'dir/run', oid },
      { mode: '120000', name: 'link', oid },
      { mode: '160000', name: 'module', oid: OID },
      { mode: '100644', name: Buffer.from('\xff\xe9', 'latin1'), oid },
    ]);
    const entries = parseTree(repository.openStore().read(oidOfTree)!.content);
    const expected = repository.gitBytes(['ls-tree', '-z', oidOfTree]).toString('latin1');
    const listing = entries.map(({ mode, name, oid }) => {
      const type = mode === 0o040000 ? 'tree' : mode === 0o160000 ? 'commit' : 'blob';
      const modeText = mode.toString(8).padStart(6, '0');
      return `${modeText} ${type} ${oid}\t${name.toString('latin1')}\0`;
    });
    expect(listing.join('')).toBe(expected);
  });

  test('reads an empty tree', () => {
    expect(parseTree(Buffer.alloc(0))).toEqual([]);
  });

  test('reads the modes of old histories, and canonicalMode() says what they mean', () => {
    const modes = ['040000', '100664', '100600', '100777', '104755', '106644', '120777'];
    const entries = parseTree(tree(...modes.map((mode, i) => [mode, `${i}`] as const)));
    expect(entries.map((entry) => canonicalMode(entry).toString(8))).toEqual([
      '40000',
      '100644',
      '100644',
      '100755',
      '100755',
      '100644',
      '120000',
    ]);
  });

  test('canonicalMode() refuses devices, FIFOs, sockets and no type at all', () => {
    for (const mode of ['20644', '60644', '10644', '140644', '644', '0']) {
      const [entry] = parseTree(tree([mode, 'x']));
      expect(() => canonicalMode(entry!)).toThrow(`mode ${Number(mode)} is of no known type`);
    }
  });

  test('accepts names of which one begins with the other, in tree order', () => {
    const content = tree(
      ['100644', 'a-'],
      ['40000', 'a'],
      ['100644', 'a0'],
      ['100644', 'b'],
      ['100644', 'b-'],
      ['40000', 'b.c'],
    );
    expect(parseTree(content)).toHaveLength(6);
  });

  test.each([
    ['an 8 in a mode', tree(['100648', 'a'])],
    ['a minus in a mode', tree(['-00644', 'a'])],
    ['a mode over 16 bits', tree(['1100644', 'a'])],
    ['no mode', tree(['', 'a'])],
    ['a null oid', tree(['100644', 'a', '0'.repeat(40)])],
    ['unsorted names', tree(['100644', 'b'], ['100644', 'a'])],
    ['a directory sorted as a file', tree(['40000', 'a'], ['100644', 'a-'])],
    ['a name twice', tree(['100644', 'a'], ['100644', 'a'])],
    ['a directory twice', tree(['40000', 'a'], ['40000', 'a'])],
    ['file and directory of one name', tree(['100644', 'a'], ['40000', 'a'])],
    ['symlink and directory of one name', tree(['120000', 'a'], ['40000', 'a'])],
    [
      'file and directory of one name, not side by side',
      tree(['100644', 'a'], ['100644', 'a-'], ['40000', 'a-b'], ['40000', 'a']),
    ],
  ])('refuses %s', (_, content) => {
    expect(codeOf(content)).toBe('TREE_INVALID');
  });

  test('refuses a tree that ends anywhere but after an entry', () => {
    const content = tree(['100644', 'a'], ['40000', 'b']);
    const whole = [0, content.length / 2 + 0.5, content.length];
    for (let end = 0; end <= content.length; end++) {
      const expected = whole.includes(end) ? 'nothing thrown' : 'TREE_INVALID';
      expect(`${end} ${codeOf(content.subarray(0, end))}`).toBe(`${end} ${expected}`);
    }
  });
});
