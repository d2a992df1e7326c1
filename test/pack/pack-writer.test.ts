import { join } from 'node:path';
import { deflateSync, inflateSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { OBJECT_TYPE } from '../../agent/pack/entry-header.ts';
import { ObjectStore } from '../../agent/pack/object-store.ts';
import { ObjectTable } from '../../agent/pack/object-table.ts';
import { packLength, writePack } from '../../agent/pack/pack-writer.ts';
import { StoredStream, storedLength } from '../../agent/pack/stored-zlib.ts';
import { git, makeDirectory, makeRepository, noise, removeDirectory } from './git-repository.ts';

let repository: string;
let listed: string[];

beforeAll(() => {
  repository = makeRepository(makeDirectory(), 30);
  // Beyond what is read whole; one that compresses and one that does not.
  for (const content of [noise(5 * 2 ** 20, 1), Buffer.alloc(6 * 2 ** 20, 'zeros')]) {
    git(repository, ['hash-object', '-w', '--stdin'], content);
  }
  const output = git(repository, ['cat-file', '--batch-check', '--batch-all-objects']);
  listed = output.toString().trimEnd().split('\n');
});
afterAll(() => {
  removeDirectory(repository);
});

function tableOf(store: ObjectStore): ObjectTable {
  const table = new ObjectTable();
  for (const line of listed) {
    const oid = line.slice(0, 40);
    const { type, size } = store.header(oid)!;
    table.add(oid, OBJECT_TYPE[type], size);
  }
  return table;
}

async function write(table: ObjectTable, store: ObjectStore): Promise<Buffer> {
  const pieces: Buffer[] = [];
  for await (const piece of writePack(table, store)) pieces.push(Buffer.from(piece));
  return Buffer.concat(pieces);
}

describe.each([
  ['loose files', []],
  ['a pack with deltas', ['repack', '-adfq', '--keep-unreachable']],
])('writePack() from %s', (_name, command) => {
  it('writes a pack of the length it said, in which git finds each object', async () => {
    if (command.length > 0) git(repository, command);
    using store = ObjectStore.open(join(repository, '.git/objects'), { cacheBytes: 2 ** 20 });
    const table = tableOf(store);
    const pack = await write(table, store);
    expect(pack.length).toBe(packLength(table));
    const copy = makeDirectory();
    git(copy, ['init', '-q', '--bare', '.']);
    git(copy, ['index-pack', '--strict', '--stdin', '--fix-thin'], pack);
    const found = git(copy, ['cat-file', '--batch-check', '--batch-all-objects']).toString();
    expect(found.trimEnd().split('\n')).toEqual(listed);
    git(copy, ['fsck', '--full', '--strict']);
    removeDirectory(copy);
  });
});

it('writePack() stops at an object that went away, and at one of another size', async () => {
  using store = ObjectStore.open(join(repository, '.git/objects'));
  const table = new ObjectTable();
  table.add('0'.repeat(39) + '1', OBJECT_TYPE.blob, 3);
  await expect(write(table, store)).rejects.toMatchObject({ code: 'OBJECT_MISSING' });
  const other = new ObjectTable();
  const oid = listed[0]!.slice(0, 40);
  other.add(oid, OBJECT_TYPE.blob, store.header(oid)!.size + 1);
  await expect(write(other, store)).rejects.toMatchObject({ code: 'OBJECT_INVALID' });
});

it.each([0, 1, 65_534, 65_535, 65_536, 131_070, 300_000])(
  'a stored zlib stream of %i bytes inflates to them and has the length it should',
  (size) => {
    const content = noise(size, 3);
    const stream = new StoredStream(size);
    const pieces = [stream.begin()];
    for (let at = 0; at < size; at += 100_003) {
      pieces.push(...stream.push(content.subarray(at, at + 100_003)));
    }
    pieces.push(stream.end());
    const stored = Buffer.concat(pieces);
    expect(stored.length).toBe(storedLength(size));
    expect(inflateSync(stored).equals(content)).toBe(true);
    expect(stored.subarray(-4)).toEqual(deflateSync(content).subarray(-4));
  },
);

it('an ObjectTable gives each oid one row, also after it has grown', () => {
  const table = new ObjectTable();
  const oids = Array.from({ length: 5000 }, (_, n) => noise(20, n).toString('hex'));
  for (const [row, oid] of oids.entries()) expect(table.add(oid, 1, row)).toBe(row);
  for (const oid of oids) expect(table.add(oid)).toBe(-1);
  expect(table.count).toBe(5000);
  expect(table.oidAt(4321)).toBe(oids[4321]);
  expect(table.sizeAt(4321)).toBe(4321);
  expect(table.has(oids[17]!)).toBe(true);
  expect(table.has('ff'.repeat(20))).toBe(false);
});
