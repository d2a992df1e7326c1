/** An object's content in, what it leads to out, with the type that each should have. */

export type Link = readonly [oid: string, type: string];

const TREE_MODE_START = 0x34;
/** As old trees have it: "040000". */
const OLD_TREE_MODE_START = 0x30;

/** @param cut of a commit at which a shallow history ends: its parents are not here. */
export function linksOf(type: string, content: Buffer, cut: boolean): Iterable<Link> {
  if (type === 'tree') return treeLinks(content);
  if (type === 'commit') return commitLinks(content, cut);
  if (type === 'tag') return tagLinks(content);
  return [];
}

export function treeOf(commit: Buffer): string | undefined {
  return /^tree ([0-9a-f]{40})\n/.exec(commit.toString('latin1', 0, 46))?.[1];
}

/** A tree with each of them under its own oid as name. */
export function treeOfAll(objects: readonly Link[]): Buffer {
  const sorted = [...objects].sort(([a], [b]) => (a < b ? -1 : 1));
  const entries = sorted.flatMap(([oid, type]) => [
    Buffer.from(`${type === 'tree' ? '40000' : '100644'} ${oid}\0`),
    Buffer.from(oid, 'hex'),
  ]);
  return Buffer.concat(entries);
}

function* treeLinks(content: Buffer): Generator<Link> {
  let at = 0;
  while (at < content.length) {
    const nameEnd = content.indexOf(0, at);
    const end = nameEnd + 21;
    if (nameEnd < 0 || end > content.length) return;
    const first = content[at];
    const isTree = first === TREE_MODE_START || first === OLD_TREE_MODE_START;
    // "160000" is a commit of another repository, "100644" and "120000" are blobs.
    if (content[at + 1] !== 0x36) {
      yield [content.toString('hex', nameEnd + 1, end), isTree ? 'tree' : 'blob'];
    }
    at = end;
  }
}

/** The tree last: a stack takes it first, so that a commit's files stand near it. */
function* commitLinks(content: Buffer, cut: boolean): Generator<Link> {
  const end = content.indexOf('\n\n');
  const header = content.toString('latin1', 0, end < 0 ? content.length : end + 1);
  if (!cut) {
    for (const [, parent = ''] of header.matchAll(/^parent ([0-9a-f]{40})$/gm)) {
      yield [parent, 'commit'];
    }
  }
  const tree = treeOf(content);
  if (tree !== undefined) yield [tree, 'tree'];
}

function* tagLinks(content: Buffer): Generator<Link> {
  const text = content.toString('latin1', 0, 128);
  const [, oid, type] = /^object ([0-9a-f]{40})\ntype (\w+)\n/.exec(text) ?? [];
  if (oid !== undefined && type !== undefined) yield [oid, type];
}
