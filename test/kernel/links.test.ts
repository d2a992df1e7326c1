/** What contents lead to, right ones and damaged ones: the kernel finds what LinkCollector finds. */
import { beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { OBJECT_TYPE, OID_BYTES } from '../../agent/pack/entry-header.ts';
import { LinkCollector } from '../../agent/pack/object-links.ts';
import type { Kernel } from '../../agent/pack/kernel.ts';
import { instantiate } from './instance.ts';
import { Random } from './random.ts';

const PAGE_BYTES = 2 ** 16;
const CONTENT = 1024;
const MODES = ['100644', '100755', '120000', '40000', '160000'];
const SEEDS = [0x89ab_cdef, 0x0123_4567] as const;

let kernel: Kernel;
let memory: WebAssembly.Memory;
let collector: LinkCollector;
let row: number;

beforeAll(() => {
  ({ kernel, memory } = instantiate(32));
});
beforeEach(() => {
  kernel.initLinks(...SEEDS);
  collector = new LinkCollector(SEEDS);
  row = 0;
});

/**
 * Both take the same content, which stands between bytes that look like more of it; LinkCollector takes
 * all of it.
 */
function take(type: number, content: Buffer, sameBegin = 0, sameEnd = 0): void {
  const bytes = Buffer.from(memory.buffer, 0, 32 * PAGE_BYTES);
  bytes.fill('a 0\0', CONTENT - 64, CONTENT + content.length + 64);
  content.copy(bytes, CONTENT);
  kernel.takeLinks(++row, type, CONTENT, content.length, sameBegin, sameEnd);
  collector.take(row, type, bytes, CONTENT, content.length);
}

/** By oid, in whatever order the table has them. */
function sorted(words: Int32Array, namedBy: Int32Array): string[] {
  const found: string[] = [];
  for (let place = 0; place < namedBy.length; place++) {
    const [low, high] = [words[2 * place]!, words[2 * place + 1]!];
    if (low !== 0 || high !== 0) found.push(`${low} ${high} by ${namedBy[place]!}`);
  }
  return found.sort();
}

function kernelLinks(): string[] {
  const places = kernel.linkPlaces();
  return sorted(
    new Int32Array(memory.buffer, kernel.linkWords(), 2 * places),
    new Int32Array(memory.buffer, kernel.linkNamedBy(), places),
  );
}

function expectAlike(least: number): void {
  const found = kernelLinks();
  expect(found).toEqual(sorted(collector.links.words, collector.links.namedBy));
  expect(found.length).toBeGreaterThanOrEqual(least);
  expect(kernel.linksFailed.value).toBe(0);
}

function treeOf(random: Random, oids: readonly Buffer[], entries: number): Buffer {
  const parts: Buffer[] = [];
  for (let entry = 0; entry < entries; entry++) {
    const name = random.bytes(1 + random.below(random.of([4, 12, 60])));
    for (let at = 0; at < name.length; at++) if (name[at] === 0) name[at] = 0x20;
    parts.push(Buffer.from(`${random.of(MODES)} `), name, Buffer.from([0]), random.of(oids));
  }
  return Buffer.concat(parts);
}

/** Some entries of it are gone, and some are new. */
function changedTree(random: Random, oids: readonly Buffer[], base: Buffer): Buffer {
  const ends = [0];
  for (let at = 0; at < base.length; at = ends.at(-1)!)
    ends.push(base.indexOf(0, at) + 1 + OID_BYTES);
  const from = random.below(ends.length);
  const to = Math.min(ends.length - 1, from + random.below(3));
  const added = treeOf(random, oids, random.below(ends.length > 12 ? 1 : 3));
  return Buffer.concat([base.subarray(0, ends[from]), added, base.subarray(ends[to])]);
}

/** How many bytes two contents have in common at their begins, and at their ends. */
function common(a: Buffer, b: Buffer): [number, number] {
  const least = Math.min(a.length, b.length);
  let [begin, end] = [0, 0];
  while (begin < least && a[begin] === b[begin]) begin++;
  while (end < least && a[a.length - 1 - end] === b[b.length - 1 - end]) end++;
  return [begin, end];
}

function treeNaming(oid: Buffer): Buffer {
  return Buffer.concat([Buffer.from('100644 file\0'), oid]);
}

function commitOf(random: Random, oids: readonly Buffer[]): Buffer {
  const hex = (): string => random.of(oids).toString('hex');
  const parents = Array.from({ length: random.below(4) }, () => `parent ${hex()}\n`);
  return Buffer.from(
    `tree ${hex()}\n${parents.join('')}author A <a@b> 0 +0000\n\nparent ${hex()}\n`,
  );
}

function makeOids(random: Random, count: number): Buffer[] {
  return Array.from({ length: count }, () => random.bytes(OID_BYTES));
}

describe('what is found', () => {
  it('is the same in trees, commits and tags, whatever other trees had in common with them', () => {
    const random = new Random(1);
    const oids = makeOids(random, 500);
    let base = treeOf(random, oids, 8);
    take(OBJECT_TYPE.tree, base);
    for (let run = 0; run < 800; run++) {
      const tree = changedTree(random, oids, base);
      const [begin, end] = common(base, tree);
      // What a delta says: some of it, and up to any byte.
      take(
        OBJECT_TYPE.tree,
        tree,
        random.of([0, begin, random.below(begin + 1)]),
        random.of([0, end, random.below(end + 1)]),
      );
      base = tree;
      take(OBJECT_TYPE.commit, commitOf(random, oids));
      take(OBJECT_TYPE.blob, commitOf(random, oids));
      const tagged = random.of(oids).toString('hex');
      take(OBJECT_TYPE.tag, Buffer.from(`object ${tagged}\ntype commit\ntag v1\n`));
    }
    expectAlike(450);
  });

  it('is the same in contents that are cut off', () => {
    const random = new Random(2);
    const oids = makeOids(random, 5000);
    for (let run = 0; run < 12; run++) {
      const tree = treeOf(random, oids, 4);
      const commit = commitOf(random, oids);
      for (let end = 0; end <= tree.length; end++) take(OBJECT_TYPE.tree, tree.subarray(0, end));
      for (let end = 0; end <= commit.length; end++) {
        take(OBJECT_TYPE.commit, commit.subarray(0, end));
      }
    }
    expectAlike(40);
  });

  it('is the same in contents of which one byte is another one', () => {
    const random = new Random(3);
    const oids = makeOids(random, 5000);
    const hex = random.of(oids).toString('hex');
    const tag = Buffer.from(`object ${hex}\ntype commit\n`);
    const changeEach = (type: number, content: Buffer, others: readonly number[]): void => {
      for (let at = 0; at < content.length; at++) {
        for (const other of others) {
          const changed = Buffer.from(content);
          changed[at] = other;
          take(type, changed);
        }
      }
    };
    for (let run = 0; run < 8; run++) {
      changeEach(OBJECT_TYPE.tree, treeOf(random, oids, 4), [0, 0x20, 0x31, 0x36]);
      const digits = Buffer.from('/09:@AFG`afg x+-\n\0\x7f');
      changeEach(OBJECT_TYPE.commit, commitOf(random, oids), [...digits, 0xff]);
      changeEach(OBJECT_TYPE.tag, tag, [...digits, 0xb0]);
    }
    expectAlike(1000);
  });

  it('is the same of so many oids that the table grows, and of names of every length', () => {
    const random = new Random(4);
    for (let length = 1; length < 70; length++) {
      for (const mode of MODES) {
        const name = Buffer.alloc(length, 'n');
        take(
          OBJECT_TYPE.tree,
          Buffer.concat([Buffer.from(`${mode} `), name, Buffer.from([0]), random.bytes(OID_BYTES)]),
        );
      }
    }
    const before = kernel.linkPlaces();
    for (let tree = 0; tree < 200; tree++) {
      take(OBJECT_TYPE.tree, treeOf(random, makeOids(random, 100), 100));
    }
    expectAlike(10_000);
    expect(kernel.linkPlaces()).toBeGreaterThan(2 * before);
  });

  it('has no oid of zeros, which no lookup would find', () => {
    const tree = treeNaming(Buffer.alloc(OID_BYTES));
    for (let run = 0; run < 5000; run++) take(OBJECT_TYPE.tree, tree);
    expect(kernelLinks()).toEqual([]);
    expect(kernel.linkPlaces()).toBe(2 ** 12);
  });
});

describe('what is missing', () => {
  const ROWS = 3000;

  /** The row that the kernel finds. */
  function findBroken(oids: Buffer, count: number): number {
    const at = kernel.allocate(oids.length + 16);
    oids.copy(Buffer.from(memory.buffer), at);
    expect(kernel.indexOids(at, count)).toBe(1);
    return kernel.findBroken(kernel.linkWords(), kernel.linkNamedBy(), kernel.linkPlaces());
  }

  it('is nothing where each oid has a row; else a row that names one without', () => {
    const random = new Random(5);
    const oids = makeOids(random, ROWS);
    // Some that are rows are named, some are named by many, and some begin alike.
    for (let from = 0; from < ROWS; from += 10) oids[from + 1]?.copy(oids[from]!, 0, 0, 7);
    const trees = Array.from({ length: 400 }, () => treeOf(random, oids.slice(100), 20));
    const named = [100, 101, 1500, ROWS - 1];
    trees.push(...named.map((index) => treeNaming(oids[index]!)));
    for (const tree of trees) take(OBJECT_TYPE.tree, tree);
    expect(findBroken(Buffer.concat(oids), ROWS)).toBe(-1);
    for (const missing of named) {
      const rest = Buffer.concat(oids.filter((_, index) => index !== missing));
      const broken = findBroken(rest, ROWS - 1);
      expect(trees[broken - 1]?.includes(oids[missing]!)).toBe(true);
    }
  });
});

describe('where there is no more memory', () => {
  it('says so and takes nothing more', () => {
    const small = instantiate(1, 4);
    kernel = small.kernel;
    ({ memory } = small);
    const random = new Random(6);
    const bytes = Buffer.from(memory.buffer);
    const takeMany = (): void => {
      for (let tree = 0; tree < 150; tree++) {
        const content = treeOf(random, makeOids(random, 100), 100);
        content.copy(bytes, CONTENT);
        kernel.takeLinks(1, OBJECT_TYPE.tree, CONTENT, content.length, 0, 0);
      }
    };
    takeMany();
    expect(kernelLinks()).toEqual([]);
    expect(kernel.linksFailed.value).toBe(1);
    kernel.initLinks(...SEEDS);
    expect(kernel.linksFailed.value).toBe(0);
    takeMany();
    expect(kernel.linksFailed.value).toBe(1);
    const found = kernelLinks();
    expect(found.length).toBeGreaterThan(2000);
    takeMany();
    expect(kernelLinks()).toEqual(found);
  });
});
