/**
 * One name of a tree in, nothing out, or TREE_PATH_REFUSED. The rules are git's verify_path
 * (read-cache.c, path.c, utf8.c) with core.protectHFS and core.protectNTFS on: a tree must not be
 * able to reach a `.git`, on whatever file system it lands. All else passes, byte for byte.
 */
import { CheckoutError } from '../errors.ts';
import { MODE } from './index-entry.ts';
import { printable } from './tree.ts';

/** NAME_MAX; and PATH_MAX without its NUL: a longer path has no file. */
const MAX_NAME_BYTES = 255;
export const MAX_PATH_BYTES = 4095;

const SLASH = 0x2f;

/** Code points that HFS+ leaves out when it compares names. */
const HFS_IGNORED = /[\u200c-\u200f\u202a-\u202e\u206a-\u206f\ufeff]/g;
/** Malformed UTF-8 (decoded to U+FFFD) counts as the end, as in git. */
const HFS_DOT_GIT = /^\.git(?:$|[\ufffd-\uffff])/i;
const HFS_DOT_GITMODULES = /^\.gitmodules(?:$|[\ufffd-\uffff])/i;

/**
 * What NTFS takes for `.git`, also behind a backslash (a leading one too, where git does not look);
 * then comes nothing, a stream, or more of a path.
 */
const NTFS_DOT_GIT = /(?:^|\\)(?:\.git|git~1)[. ]*(?:$|[\\:])/i;
/** `.gitmodules`, its short names `gitmod~1` to `~4`, and the hashed ones of eight characters. */
const NTFS_DOT_GITMODULES = new RegExp(
  String.raw`(?:^|\\)(?:\.gitmodules|gitmod~[1-4]|${hashedShortNames('gi7eba')})[. ]*(?:$|:)`,
  'i',
);

/** @param mode the canonical one: a symlink is refused some names more (`.gitmodules`). */
export function verifyName(name: Buffer, mode: number): void {
  const reason = refusalOf(name, mode);
  if (reason === null) return;
  throw new CheckoutError('TREE_PATH_REFUSED', `tree entry ${printable(name)}: ${reason}`);
}

function refusalOf(name: Buffer, mode: number): string | null {
  if (name.length === 0) return 'empty name';
  if (name.length > MAX_NAME_BYTES) return `name of ${name.length} bytes, limit ${MAX_NAME_BYTES}`;
  if (name.includes(SLASH)) return 'a slash in a name';
  // Every pattern is of ASCII characters: one byte, one character.
  const bytes = name.toString('latin1');
  if (bytes === '.' || bytes === '..') return 'not the name of a file';
  if (NTFS_DOT_GIT.test(bytes)) return 'some file systems take it for .git';
  if (mode === MODE.symlink && NTFS_DOT_GITMODULES.test(bytes)) return 'a symlink as .gitmodules';
  return isAscii(bytes) ? null : hfsRefusalOf(name, mode);
}

function hfsRefusalOf(name: Buffer, mode: number): string | null {
  const folded = name.toString('utf8').replace(HFS_IGNORED, '');
  if (HFS_DOT_GIT.test(folded)) return 'HFS+ takes it for .git';
  const isModules = mode === MODE.symlink && HFS_DOT_GITMODULES.test(folded);
  return isModules ? 'a symlink as .gitmodules' : null;
}

function isAscii(bytes: string): boolean {
  // eslint-disable-next-line no-control-regex -- all of ASCII is meant
  return /^[\x00-\x7f]*$/.test(bytes);
}

/** `gi7eba~1` … `~1000000`: the longer the number, the less is left of the hash. */
function hashedShortNames(prefix: string): string {
  const lengths = Array.from({ length: prefix.length + 1 }, (_, length) => length);
  return lengths
    .map((length) => `${prefix.slice(0, length)}~[1-9][0-9]{${prefix.length - length}}`)
    .join('|');
}
