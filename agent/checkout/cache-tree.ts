/**
 * The TREE extension of an index: the trees that parts of the index are known to equal, so that
 * whoever compares with HEAD skips whole directories. Bytes in, a tree of nodes out, and back.
 * An invalid node (-1 entries) has no oid. gitformat-index, "Cache tree".
 */
import { OID_BYTES } from './index-entry.ts';

export interface CacheTree {
  /** One path component; empty for the root. */
  readonly name: Buffer;
  /** Index entries below this directory, all levels; -1 when the node was invalidated. */
  readonly entryCount: number;
  readonly oid: string | null;
  readonly children: readonly CacheTree[];
}

interface OpenNode extends CacheTree {
  readonly children: CacheTree[];
}

const NUL = 0x00;
const SPACE = 0x20;
const NEWLINE = 0x0a;
const COUNT = /^(?:-1|\d{1,10})$/;

/** @returns null when the extension is damaged: git then works without it, and so can we. */
export function parseCacheTree(bytes: Buffer): CacheTree | null {
  let root: CacheTree | null = null;
  const open: { node: OpenNode; missing: number }[] = [];
  let at = 0;
  do {
    const head = parseNodeHead(bytes, at);
    if (head === null) return null;
    at = head.end;
    const parent = open.at(-1);
    if (parent === undefined) {
      root = head.node;
    } else {
      parent.node.children.push(head.node);
      parent.missing--;
    }
    open.push({ node: head.node, missing: head.childCount });
    while (open.at(-1)?.missing === 0) open.pop();
  } while (open.length > 0);
  return at === bytes.length ? root : null;
}

function parseNodeHead(
  bytes: Buffer,
  start: number,
): { node: OpenNode; childCount: number; end: number } | null {
  const nameEnd = bytes.indexOf(NUL, start);
  const countEnd = nameEnd < 0 ? -1 : bytes.indexOf(SPACE, nameEnd);
  const lineEnd = countEnd < 0 ? -1 : bytes.indexOf(NEWLINE, countEnd);
  if (lineEnd < 0) return null;
  const count = bytes.toString('latin1', nameEnd + 1, countEnd);
  const childCount = bytes.toString('latin1', countEnd + 1, lineEnd);
  if (!COUNT.test(count) || !COUNT.test(childCount) || childCount === '-1') return null;
  const valid = count !== '-1';
  const end = lineEnd + 1 + (valid ? OID_BYTES : 0);
  if (end > bytes.length) return null;
  const node = {
    name: bytes.subarray(start, nameEnd),
    entryCount: Number(count),
    oid: valid ? bytes.toString('hex', lineEnd + 1, end) : null,
    children: [],
  };
  return { node, childCount: Number(childCount), end };
}

export function encodeCacheTree(root: CacheTree): Buffer {
  const parts: Buffer[] = [];
  const pending = [root];
  for (let node = pending.pop(); node !== undefined; node = pending.pop()) {
    const counts = `\0${node.entryCount} ${node.children.length}\n`;
    parts.push(node.name, Buffer.from(counts, 'latin1'));
    if (node.oid !== null) parts.push(Buffer.from(node.oid, 'hex'));
    pending.push(...inFileOrder(node.children).reverse());
  }
  return Buffer.concat(parts);
}

/** Shorter names first, then memcmp: the order in which git keeps and writes them. */
function inFileOrder(children: readonly CacheTree[]): CacheTree[] {
  return [...children].sort((a, b) => a.name.length - b.name.length || a.name.compare(b.name));
}
