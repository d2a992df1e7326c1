/**
 * The content of a tree object in, its entries out, or TREE_INVALID. Stricter than git's reader, as
 * strict as its fsck where a tree could mean two things: order, duplicates, null oids. Modes are
 * as stored (100664, 040000 with a leading zero happen in old histories). git-fsck, tree-walk.c.
 */
import { CheckoutError } from '../errors.ts';
import { compareBytes } from './bytes.ts';
import { MODE, OID_BYTES } from './index-entry.ts';

export interface TreeEntry {
  /** As stored; canonicalMode() says what it means. */
  readonly mode: number;
  /** Raw bytes of one component; its safety is path-safety.ts's matter. */
  readonly name: Buffer;
  readonly oid: string;
}

const SPACE = 0x20;
const NUL = 0x00;
const SLASH = 0x2f;
const ZERO = 0x30;
const SEVEN = 0x37;
const MAX_MODE = 0o177777;
const TYPE_BITS = 0o170000;
const NULL_OID = '0'.repeat(2 * OID_BYTES);

/** Entries refer to `content`: the caller keeps it unchanged while it uses them. */
export function parseTree(content: Buffer): TreeEntry[] {
  const entries: TreeEntry[] = [];
  let at = 0;
  while (at < content.length) {
    const start = at;
    let mode = 0;
    for (let byte = content[at]; byte !== SPACE; byte = content[++at]) {
      if (byte === undefined) throw invalid(start, 'cut off in a mode');
      if (byte < ZERO || byte > SEVEN) throw invalid(start, 'mode is not octal');
      mode = mode * 8 + byte - ZERO;
      if (mode > MAX_MODE) throw invalid(start, 'mode over 16 bits');
    }
    if (at === start) throw invalid(start, 'no mode');
    const nameEnd = content.indexOf(NUL, ++at);
    const end = nameEnd + 1 + OID_BYTES;
    if (nameEnd < 0 || end > content.length) throw invalid(start, 'cut off');
    const oid = content.toString('hex', nameEnd + 1, end);
    if (oid === NULL_OID) throw invalid(start, 'null oid');
    const entry = { mode, name: content.subarray(at, nameEnd), oid };
    checkOrder(entries, entry, start);
    entries.push(entry);
    at = end;
  }
  return entries;
}

/** The mode that index and worktree give the entry, as git's canon_mode has it. */
export function canonicalMode(entry: TreeEntry): number {
  switch (entry.mode & TYPE_BITS) {
    case 0o100000:
      // setuid, group and other bits are nobody's business: only the owner's x counts.
      return (entry.mode & 0o100) === 0 ? MODE.regular : MODE.executable;
    case MODE.symlink:
    case MODE.directory:
    case MODE.gitlink:
      return entry.mode & TYPE_BITS;
    default:
      throw new CheckoutError(
        'TREE_INVALID',
        `tree entry ${printable(entry.name)}: mode ${entry.mode.toString(8)} is of no known type`,
      );
  }
}

/** Directories sort as if their names ended in a slash. */
function checkOrder(before: readonly TreeEntry[], entry: TreeEntry, start: number): void {
  const previous = before.at(-1);
  if (previous === undefined) return;
  if (compareNames(previous, entry) >= 0) throw invalid(start, 'unsorted or duplicate name');
  if (!isDirectory(entry)) return;
  // A file "a" and a directory "a" need not be neighbours: "a", "a.b", "a/". All between start
  // with "a", so that the way back is short.
  const { name } = entry;
  for (let i = before.length - 1; i >= 0; i--) {
    const other = before[i]!.name;
    if (other.length < name.length || compareBytes(other, 0, name, 0, name.length) !== 0) {
      return;
    }
    if (other.length === name.length) throw invalid(start, 'file and directory of one name');
  }
}

function compareNames(a: TreeEntry, b: TreeEntry): number {
  const shared = Math.min(a.name.length, b.name.length);
  const order = compareBytes(a.name, 0, b.name, 0, shared);
  return order === 0 ? byteAfter(a, shared) - byteAfter(b, shared) : order;
}

function byteAfter(entry: TreeEntry, index: number): number {
  return entry.name[index] ?? (isDirectory(entry) ? SLASH : NUL);
}

function isDirectory(entry: TreeEntry): boolean {
  return (entry.mode & TYPE_BITS) === MODE.directory;
}

/** A name or path for messages: quoted, control characters and raw bytes escaped. */
export function printable(name: Buffer): string {
  const text = name.length > 200 ? `${name.toString('latin1', 0, 200)}…` : name.toString('latin1');
  return JSON.stringify(text).replace(/[\x7f-\xff]/g, (c) => `\\x${c.charCodeAt(0).toString(16)}`);
}

function invalid(offset: number, what: string): CheckoutError {
  return new CheckoutError('TREE_INVALID', `damaged tree object: ${what}, at offset ${offset}`, {
    data: { offset },
  });
}
