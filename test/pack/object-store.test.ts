import { createHash } from 'node:crypto';
import { closeSync, openSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ObjectStore } from '../../agent/pack/object-store.ts';
import { git, makeDirectory, makeRepository, removeDirectory } from './git-repository.ts';

interface Expected {
  readonly oid: string;
  readonly type: string;
  readonly content: Buffer;
}

let repository: string;
let expected: Expected[];

beforeAll(() => {
  repository = makeRepository(makeDirectory(), 40);
  expected = catFile(repository);
});
afterAll(() => {
  removeDirectory(repository);
});

/** Every object as git cat-file tells it. */
function catFile(dir: string): Expected[] {
  const output = git(dir, ['cat-file', '--batch', '--batch-all-objects']);
  const objects: Expected[] = [];
  for (let position = 0; position < output.length;) {
    const lineEnd = output.indexOf('\n', position);
    const [oid, type, size] = output.toString('latin1', position, lineEnd).split(' ');
    const end = lineEnd + 1 + Number(size);
    objects.push({ oid: oid!, type: type!, content: output.subarray(lineEnd + 1, end) });
    position = end + 1;
  }
  return objects;
}

/** One short line an object: comparing large arrays of bytes takes seconds. */
function describeObject({ oid, type, content }: Expected): string {
  return `${oid} ${type} ${createHash('sha256').update(content).digest('hex')}`;
}

const LAYOUTS: [name: string, args: string[][]][] = [
  ['loose files', []],
  ['one pack', [['repack', '-adfq', '--window=50', '--depth=50']]],
  ['a pack with ref-deltas', [['-c', 'repack.useDeltaBaseOffset=false', 'repack', '-adFq']]],
];

describe.each(LAYOUTS)('an ObjectStore over %s', (_name, commands) => {
  it.each([
    { preloadIdx: false, cacheBytes: 0 },
    { preloadIdx: true, cacheBytes: 2 ** 20 },
  ])('reads what git cat-file reads (%o)', (options) => {
    for (const command of commands) git(repository, command);
    using store = ObjectStore.open(join(repository, '.git/objects'), options);
    expect(expected.length).toBeGreaterThan(100);
    const oids = expected.map(({ oid }) => oid);
    const read = oids.map((oid) => describeObject({ oid, ...store.read(oid)! }));
    expect(read).toEqual(expected.map(describeObject));
    const headers = expected.map(({ type, content }) => ({ type, size: content.length }));
    expect(oids.map((oid) => store.header(oid))).toEqual(headers);
    expect(oids.every((oid) => store.has(oid))).toBe(true);
  });

  it('writes blobs as they are', () => {
    for (const command of commands) git(repository, command);
    using store = ObjectStore.open(join(repository, '.git/objects'));
    const blobs = expected.filter(({ type }) => type === 'blob');
    const path = join(repository, '.git/written');
    const fd = openSync(path, 'w');
    const lengths = blobs.map(({ oid }) => store.writeBlob(oid, fd));
    closeSync(fd);
    expect(lengths).toEqual(blobs.map(({ content }) => content.length));
    const contents = Buffer.concat(blobs.map(({ content }) => content));
    expect(readFileSync(path).equals(contents)).toBe(true);
  });
});
