/** Trees as the kernel plans them, against agent/checkout/tree.ts and path-safety.ts. */
import { createHash } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { parseCacheTree } from '../../agent/checkout/cache-tree.ts';
import { EarlyCheckout } from '../../agent/checkout/early-checkout.ts';
import { MODE } from '../../agent/checkout/index-entry.ts';
import { Pace } from '../../agent/checkout/pace.ts';
import { verifyName } from '../../agent/checkout/path-safety.ts';
import { canonicalMode, parseTree, type TreeEntry } from '../../agent/checkout/tree.ts';
import { AgentError } from '../../agent/errors.ts';
import { CheckoutKernel } from '../../agent/pack/kernel-host.ts';
import { rawTreeEntry } from '../checkout/repository.ts';
import { Random } from '../fuzz/random.ts';
import { makeTreeCase } from '../fuzz/tree-cases.ts';

const CASES = 12_000;
const EMPTY_TREE = '4b825dc642cb6eb9a060e54bf8d69288fbee4904';
const BLOB = 'b'.repeat(40);

/** Trees by their oid. */
class Trees extends Map<string, Buffer> {
  /** @param lines mode, name, oid. */
  tree(...lines: readonly (readonly [string, string, string])[]): string {
    const entries = lines.map(([mode, name, oid]) => rawTreeEntry({ mode, name, oid }));
    return this.raw(Buffer.concat(entries));
  }

  raw(content: Buffer): string {
    const oid = createHash('sha1').update(`tree ${content.length}\0`).update(content).digest('hex');
    this.set(oid, content);
    return oid;
  }

  read(oid: string): { type: 'tree'; content: Buffer } | undefined {
    const content = this.get(oid);
    return content === undefined ? undefined : { type: 'tree', content };
  }
}

const pace = new Pace(undefined);

/** What the reader in TypeScript makes of it: null when it is refused. */
function read(content: Buffer): TreeEntry[] | null {
  try {
    const entries = parseTree(content);
    for (const entry of entries) verifyName(entry.name, canonicalMode(entry));
    return entries;
  } catch (error) {
    if (error instanceof AgentError) return null;
    throw error;
  }
}

async function pathsOf(checkout: EarlyCheckout, trees: Trees): Promise<string[]> {
  const files = await checkout.complete(trees, pace);
  return files.entries.map(({ path }) => path.toString('latin1'));
}

describe('the kernel plans trees', () => {
  it('takes what is taken elsewhere, with the same entries, and refuses the rest', async () => {
    let taken = 0;
    // Memory is taken for good: now and then a new one.
    let host = new CheckoutKernel();
    for (let number = 0; number < CASES; number++) {
      if (number % 1000 === 0) host = new CheckoutKernel();
      const { bytes } = makeTreeCase(new Random(20_261_123, number));
      const trees = new Trees();
      const oid = trees.raw(Buffer.from(bytes));
      const expected = read(bytes);
      const checkout = new EarlyCheckout('', oid, bytes.length, host);
      if (expected === null) {
        await expect(checkout.complete(trees, pace)).rejects.toThrow(AgentError);
        // The same plan says it again, before anything of it is used.
        await expect(checkout.complete(trees, pace)).rejects.toThrow(AgentError);
        continue;
      }
      await checkout.complete(trees, pace).catch((error: unknown) => {
        // Of the trees that it names, none is there.
        expect(error).toMatchObject({ code: 'OBJECT_MISSING' });
      });
      const { nodes } = checkout;
      const found = expected.map((_, index) => {
        const node = 1 + index;
        const { mode, oid: its } = nodes.entry(node);
        return { mode, oid: its, name: nodes.name(node).toString('latin1') };
      });
      expect(found).toEqual(
        expected.map((entry) => ({
          mode: canonicalMode(entry),
          oid: entry.oid,
          name: entry.name.toString('latin1'),
        })),
      );
      taken++;
    }
    expect(taken).toBeGreaterThan(CASES / 10);
    expect(taken).toBeLessThan(CASES * 0.95);
  });

  it('fills every place of a tree at once, and one that turns up later again', async () => {
    const trees = new Trees();
    const leaf = trees.tree(['100644', 'f', BLOB]);
    const deep = trees.tree(['40000', 'x', leaf]);
    const root = trees.tree(['40000', 'a', leaf], ['40000', 'b', leaf], ['40000', 'c', deep]);
    const checkout = new EarlyCheckout('', root);
    expect(await pathsOf(checkout, trees)).toEqual(['a/f', 'b/f', 'c/x/f']);
  });

  it('takes trees before those that name them, when all are there', async () => {
    const trees = new Trees();
    let oid = trees.tree(['100644', 'f', BLOB]);
    for (let depth = 0; depth < 300; depth++) oid = trees.tree(['40000', 'd', oid]);
    const checkout = new EarlyCheckout('', oid);
    expect(await pathsOf(checkout, trees)).toEqual([`${'d/'.repeat(300)}f`]);
    expect(checkout.isPlanned).toBe(true);
  });

  it('needs no empty tree, and leaves directories without files out', async () => {
    const trees = new Trees();
    const hollow = trees.tree(['40000', 'nothing', EMPTY_TREE]);
    const root = trees.tree(['40000', 'a', hollow], ['100644', 'b', BLOB], ['40000', 'c', hollow]);
    const checkout = new EarlyCheckout('', root);
    const files = await checkout.complete(trees, pace);
    expect(files.entries.map(({ path }) => path.toString())).toEqual(['b']);
    expect([...files.directories]).toEqual([]);
    expect(parseCacheTree(files.encodedTrees())).toMatchObject({ entryCount: -1, children: [] });
  });

  it('finds each of 100,000 names, files and directories of one oid apart', async () => {
    const trees = new Trees();
    const shared = trees.tree(['100644', 'f', BLOB]);
    const entries: Buffer[] = [];
    for (let number = 0; number < 100_000; number++) {
      const oid = createHash('sha1').update(String(number)).digest('hex');
      const name = `n${String(number).padStart(6, '0')}`;
      entries.push(rawTreeEntry({ mode: '100644', name, oid: number === 5 ? shared : oid }));
    }
    entries.push(rawTreeEntry({ mode: '40000', name: 'o', oid: shared }));
    const root = trees.raw(Buffer.concat(entries));
    const host = new CheckoutKernel();
    const checkout = new EarlyCheckout('', root, undefined, host);
    const paths = await pathsOf(checkout, trees);
    expect(paths).toHaveLength(100_001);
    expect(paths.at(-1)).toBe('o/f');
    expect(checkout.missingCount).toBe(100_001);
  });

  it('counts what is a file only', async () => {
    const trees = new Trees();
    const root = trees.tree(
      ['100644', 'a', BLOB],
      ['100755', 'b', BLOB],
      ['120000', 'c', BLOB],
      ['160000', 'd', BLOB],
      ['40000', 'e', EMPTY_TREE],
    );
    const checkout = new EarlyCheckout('', root);
    await checkout.complete(trees, pace);
    expect(checkout.missingCount).toBe(2);
    expect(checkout.nodes.entry(2).mode).toBe(MODE.executable);
  });

  it('refuses a plan that is too large, and one of too long paths', async () => {
    const trees = new Trees();
    const root = trees.tree(['100644', 'a', BLOB], ['100644', 'b', BLOB], ['100644', 'c', BLOB]);
    await expect(new EarlyCheckout('', root, 2).complete(trees, pace)).rejects.toThrow(
      /more than 2 files and directories/,
    );
    const deep = new EarlyCheckout(`/${'w'.repeat(4093)}`, root);
    await expect(deep.complete(trees, pace)).rejects.toThrow(/too long for a file/);
  });
});
