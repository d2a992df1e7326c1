/**
 * The TREE extension of an index: the trees that parts of the index are known to equal, so that
 * whoever compares with HEAD skips whole directories. Bytes in, a tree of nodes out.
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
const DIGITS_LIMIT = 10;
const [ZERO, NINE, MINUS] = [0x30, 0x39, 0x2d];

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

/** The node that starts at `start`, without those below it; null when it is damaged. */
export function parseNodeHead(
  bytes: Buffer,
  start: number,
): { node: OpenNode; childCount: number; end: number } | null {
  let nameEnd = start;
  while (nameEnd < bytes.length && bytes[nameEnd] !== NUL) nameEnd++;
  const entries = parseCount(bytes, nameEnd + 1, SPACE);
  const children = entries === null ? null : parseCount(bytes, entries.end, NEWLINE);
  if (entries === null || children === null || children.value < 0) return null;
  const valid = entries.value >= 0;
  const end = children.end + (valid ? OID_BYTES : 0);
  if (end > bytes.length) return null;
  const node = {
    name: bytes.subarray(start, nameEnd),
    entryCount: entries.value,
    oid: valid ? bytes.toString('hex', children.end, end) : null,
    children: [],
  };
  return { node, childCount: children.value, end };
}

/** One to ten digits, or -1; then `after`, behind which `end` is. */
function parseCount(
  bytes: Buffer,
  start: number,
  after: number,
): { value: number; end: number } | null {
  let at = start;
  let value = 0;
  if (bytes[at] === MINUS) {
    value = bytes[at + 1] === ZERO + 1 ? -1 : NaN;
    at += 2;
  } else {
    for (; at - start < DIGITS_LIMIT && bytes[at]! >= ZERO && bytes[at]! <= NINE; at++) {
      value = value * 10 + bytes[at]! - ZERO;
    }
    if (at === start) return null;
  }
  return bytes[at] === after && !Number.isNaN(value) ? { value, end: at + 1 } : null;
}
