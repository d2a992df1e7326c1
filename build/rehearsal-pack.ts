/**
 * A small history as a pack, in git's order (gitformat-pack): for the rehearsal of a clone. It has what
 * most packs have (deltas, an executable, a symlink, attributes), and so many objects that threads take part.
 */
import { createHash } from 'node:crypto';
import { deflateSync } from 'node:zlib';
import { PACK_TUNING } from '../agent/pack/limits.ts';

const TYPES = { commit: 1, tree: 2, blob: 3 } as const;
const OFS_DELTA = 6;
const REF_DELTA = 7;

const AUTHOR = 'Rehearsal <rehearsal@example.com> 1700000000 +0000';

type Type = keyof typeof TYPES;

export interface RehearsalPack {
  readonly pack: Buffer;
  readonly headOid: string;
}

export function makeRehearsalPack(): RehearsalPack {
  const entries: Buffer[] = [];
  const base = Buffer.from('one line\n'.repeat(200));
  const files = Array.from({ length: 40 }, (_, at) => grown(base, `file ${at}\n`));
  const others: [string, string, Buffer][] = [
    ['100644', '.gitattributes', Buffer.from('*.sh text eol=lf\n')],
    ['120000', 'link', Buffer.from('dir/0')],
    ['100755', 'run.sh', Buffer.from('exit 0\n')],
  ];
  const dir = tree(files.map((file, at) => ['100644', `${at}`, file.content] as const));
  const root = treeOf([...others.map(named), ['40000', 'dir', oidOf('tree', dir)]]);
  const older = tree(others.slice(0, 1));
  const first = commit(older, []);
  const second = commit(root, [oidOf('commit', first)]);
  for (const content of [second, first]) entries.push(whole('commit', content));
  for (const content of [root, dir, older]) entries.push(whole('tree', content));
  for (const [, , content] of others) entries.push(whole('blob', content));
  // Its base comes after it.
  const early = grown(base, 'early\n');
  const head = [start(REF_DELTA, early.delta.length), Buffer.from(oidOf('blob', base), 'hex')];
  entries.push(Buffer.concat([...head, deflateSync(early.delta)]), whole('blob', base));
  let distance = entries.at(-1)?.length ?? 0;
  for (let at = 0; entries.length < PACK_TUNING.threadedObjects; at++) {
    const { delta } = files[at] ?? grown(base, `older ${at}\n`);
    const bytes = [start(OFS_DELTA, delta.length), distanceBytes(distance), deflateSync(delta)];
    const entry = Buffer.concat(bytes);
    entries.push(entry);
    distance += entry.length;
  }
  return { pack: sealed(entries), headOid: oidOf('commit', second) };
}

type Named = readonly [mode: string, name: string, oid: string];

function named([mode, name, content]: readonly [string, string, Buffer]): Named {
  return [mode, name, oidOf('blob', content)];
}

function tree(files: readonly (readonly [string, string, Buffer])[]): Buffer {
  return treeOf(files.map(named));
}

function treeOf(entries: readonly Named[]): Buffer {
  const sorted = entries.toSorted(([, a], [, b]) => (a < b ? -1 : 1));
  const lines = sorted.flatMap(([mode, name, oid]) => [
    Buffer.from(`${mode} ${name}\0`),
    Buffer.from(oid, 'hex'),
  ]);
  return Buffer.concat(lines);
}

function commit(root: Buffer, parents: readonly string[]): Buffer {
  const lines = [
    `tree ${oidOf('tree', root)}`,
    ...parents.map((oid) => `parent ${oid}`),
    `author ${AUTHOR}`,
    `committer ${AUTHOR}`,
  ];
  return Buffer.from(`${lines.join('\n')}\n\nrehearsal\n`);
}

function oidOf(type: Type, content: Buffer): string {
  return createHash('sha1').update(`${type} ${content.length}\0`).update(content).digest('hex');
}

/** The base with a short text behind it, whole and as a delta. */
function grown(base: Buffer, text: string): { content: Buffer; delta: Buffer } {
  const content = Buffer.concat([base, Buffer.from(text)]);
  const copy = Buffer.from([0b1011_0000, base.length & 255, base.length >> 8]);
  const insert = Buffer.from([text.length, ...Buffer.from(text)]);
  const sizes = [varint(base.length), varint(content.length)];
  return { content, delta: Buffer.concat([...sizes, copy, insert]) };
}

function whole(type: Type, content: Buffer): Buffer {
  return Buffer.concat([start(TYPES[type], content.length), deflateSync(content)]);
}

/** How an entry begins: its type, and its size when it is inflated. */
function start(type: number, size: number): Buffer {
  if (size < 16) return Buffer.from([(type << 4) | size]);
  return Buffer.concat([Buffer.from([0x80 | (type << 4) | (size & 15)]), varint(size >> 4)]);
}

function varint(value: number): Buffer {
  const bytes: number[] = [];
  for (let rest = value; ; rest >>= 7) {
    if (rest < 128) return Buffer.from([...bytes, rest]);
    bytes.push(0x80 | (rest & 127));
  }
}

/** From an ofs-delta back to its base. */
function distanceBytes(distance: number): Buffer {
  const bytes = [distance & 127];
  for (let rest = distance >> 7; rest > 0; rest >>= 7) bytes.unshift(0x80 | (--rest & 127));
  return Buffer.from(bytes);
}

function sealed(entries: readonly Buffer[]): Buffer {
  const header = Buffer.from('PACK\0\0\0\x02\0\0\0\0', 'latin1');
  header.writeUInt32BE(entries.length, 8);
  const body = Buffer.concat([header, ...entries]);
  return Buffer.concat([body, createHash('sha1').update(body).digest()]);
}
