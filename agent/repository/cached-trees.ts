/**
 * The TREE extension of an index in (gitformat-index, "Cache tree"); which tree a directory is known
 * to equal out. Most who ask only ask for the root's: the others are read when one of them is.
 */
import { parseCacheTree, parseNodeHead } from '../checkout/cache-tree.ts';
import type { CacheTree } from '../checkout/cache-tree.ts';
import type { BytePath } from './byte-path.ts';

export class CachedTrees {
  readonly #bytes: Buffer;
  readonly #root: string | undefined;
  #trees: ReadonlyMap<BytePath, string> | undefined;

  /** @param bytes of the extension; none where the index has none. They are copied. */
  constructor(bytes: Buffer | undefined) {
    this.#bytes = bytes === undefined ? Buffer.alloc(0) : Buffer.from(bytes);
    this.#root = parseNodeHead(this.#bytes, 0)?.node.oid ?? undefined;
  }

  /** @param directory empty for the root, no slash at the end. */
  get(directory: BytePath): string | undefined {
    if (directory === '') return this.#root;
    this.#trees ??= collectTrees(parseCacheTree(this.#bytes));
    return this.#trees.get(directory);
  }
}

/** Directory (empty for the root, no slash at the end) → oid of its tree, where it is known. */
export function collectTrees(root: CacheTree | null): Map<BytePath, string> {
  const trees = new Map<BytePath, string>();
  const pending = root === null ? [] : [{ node: root, path: '' }];
  for (let item = pending.pop(); item !== undefined; item = pending.pop()) {
    const { node, path: at } = item;
    if (node.oid !== null) trees.set(at, node.oid);
    for (const child of node.children) {
      const name = child.name.toString('latin1');
      pending.push({ node: child, path: at === '' ? name : `${at}/${name}` });
    }
  }
  return trees;
}
