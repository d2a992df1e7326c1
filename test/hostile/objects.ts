/** Objects made by hand, right and wrong ones, and the pack that holds them. */
import { TYPE, makePack, oidOf, wholeEntry } from '../pack/craft-pack.ts';

export interface CraftedObject {
  readonly type: 'commit' | 'tree' | 'blob';
  readonly content: Buffer;
  readonly oid: string;
}

export interface TreeLine {
  readonly mode: string;
  readonly name: string | Buffer;
  readonly oid: string;
}

export function blob(content: string | Buffer): CraftedObject {
  return object('blob', Buffer.from(content));
}

/** The lines in the order given: sorted is up to the caller. */
export function tree(...lines: readonly TreeLine[]): CraftedObject {
  const parts = lines.flatMap(({ mode, name, oid }) => [
    Buffer.from(`${mode} `),
    Buffer.from(name),
    Buffer.from([0]),
    Buffer.from(oid, 'hex'),
  ]);
  return object('tree', Buffer.concat(parts));
}

export function commit(treeOid: string): CraftedObject {
  const who = 'A U Thor <author@example.com> 1700000000 +0000';
  const text = `tree ${treeOid}\nauthor ${who}\ncommitter ${who}\n\nmessage\n`;
  return object('commit', Buffer.from(text));
}

export function object(type: CraftedObject['type'], content: Buffer): CraftedObject {
  return { type, content, oid: oidOf(type, content) };
}

export function entryOf({ type, content }: CraftedObject): Buffer {
  return wholeEntry(TYPE[type], content);
}

export function packOf(...objects: readonly CraftedObject[]): Buffer {
  return makePack(objects.map(entryOf));
}

export const FILE = blob('content\n');
export const ROOT = tree({ mode: '100644', name: 'file', oid: FILE.oid });
/** What main leads to unless a case says otherwise. */
export const TIP = commit(ROOT.oid);
/** A right repository of one file. */
export const RIGHT = [TIP, ROOT, FILE] as const;
