/**
 * One path before and after in; its part of a patch out, as `git diff --binary --no-renames` has it and
 * `git apply` and `git am` take it. Text is bytes, one a character.
 */
import { MODE } from '../checkout/index-entry.ts';
import type { BytePath } from '../repository/byte-path.ts';
import { binaryPatch } from './patch-binary.ts';
import { hunksOf } from './patch-hunks.ts';

export interface Side {
  readonly mode: number;
  readonly oid: string;
  readonly content: Buffer;
}

const NO_OID = '0'.repeat(40);
const NOTHING = Buffer.alloc(0);
/** Longer ones are compared by nobody line by line. */
const TEXT_BYTES = 512 * 1024;

/** @param mail `git am` takes a carriage return off each line, unless the content is binary. */
export function patchOf(
  path: BytePath,
  before: Side | null,
  after: Side | null,
  mail: boolean,
): string {
  if (before !== null && after !== null && kindOf(before.mode) !== kindOf(after.mode)) {
    return patchOf(path, before, null, mail) + patchOf(path, null, after, mail);
  }
  const [oldName, newName] = [quoted(`a/${path}`), quoted(`b/${path}`)];
  const lines = [`diff --git ${oldName} ${newName}`];
  const isSameMode = before?.mode === after?.mode;
  if (before === null) lines.push(`new file mode ${modeText(after)}`);
  else if (after === null) lines.push(`deleted file mode ${modeText(before)}`);
  else if (!isSameMode) lines.push(`old mode ${modeText(before)}`, `new mode ${modeText(after)}`);
  if (before?.oid === after?.oid) return isSameMode ? '' : `${lines.join('\n')}\n`;
  const mode = isSameMode ? ` ${modeText(after)}` : '';
  lines.push(`index ${before?.oid ?? NO_OID}..${after?.oid ?? NO_OID}${mode}`);
  const [old, now] = [before?.content ?? NOTHING, after?.content ?? NOTHING];
  if (isBinary(old, mail) || isBinary(now, mail)) {
    return `${lines.join('\n')}\n${binaryPatch(old, now)}`;
  }
  const hunks = hunksOf(old.toString('latin1'), now.toString('latin1'));
  // Of an empty file there is nothing to show.
  if (hunks === '') return `${lines.join('\n')}\n`;
  lines.push(`--- ${before === null ? '/dev/null' : ended(oldName)}`);
  lines.push(`+++ ${after === null ? '/dev/null' : ended(newName)}`);
  return `${lines.join('\n')}\n${hunks}`;
}

/** A file's two modes are one kind. */
function kindOf(mode: number): number {
  return mode === MODE.executable ? MODE.regular : mode;
}

function modeText(side: Side | null): string {
  return (side?.mode ?? 0).toString(8).padStart(6, '0');
}

function isBinary(content: Buffer, mail: boolean): boolean {
  return content.length > TEXT_BYTES || content.includes(0) || (mail && content.includes(13));
}

const ESCAPES: Readonly<Record<string, string>> = {
  '\x07': '\\a',
  '\b': '\\b',
  '\t': '\\t',
  '\n': '\\n',
  '\v': '\\v',
  '\f': '\\f',
  '\r': '\\r',
  '"': '\\"',
  '\\': '\\\\',
};

/** quote.c: in quotes once a byte needs it. */
function quoted(name: BytePath): string {
  if (!/[\p{Cc}"\\\x80-\xff]/u.test(name)) return name;
  const text = name.replace(/[\p{Cc}"\\\x80-\xff]/gu, (byte) => {
    const octal = byte.charCodeAt(0).toString(8).padStart(3, '0');
    return ESCAPES[byte] ?? `\\${octal}`;
  });
  return `"${text}"`;
}

/** A name with a space ends in a tab, so that its end is known. */
function ended(name: string): string {
  return name.includes(' ') && !name.startsWith('"') ? `${name}\t` : name;
}
