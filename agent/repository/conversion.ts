/**
 * The content of a file in the worktree as Git would store it, without running anything: line ends
 * (convert.c), `$Id$`, and the pointer of a file in Git LFS. Other filters and encodings are not
 * undone: such a file counts as changed once its stat data differs.
 */
import { createHash } from 'node:crypto';
import type { Attributes } from './attributes.ts';
import type { GitConfig } from './git-config-reader.ts';

const LFS_VERSION = 'version https://git-lfs.github.com/spec/v1\n';

/** `auto` converts what looks like text. */
type LineEnds = 'keep' | 'convert' | 'auto';

export interface Conversion {
  readonly lineEnds: LineEnds;
  readonly ident: boolean;
  readonly lfs: boolean;
}

/** null when the content is stored as it is. */
export function conversionOf(attributes: Attributes, config: GitConfig): Conversion | null {
  const lineEnds = lineEndsOf(attributes, config);
  const ident = attributes.get('ident') === true;
  const lfs = attributes.get('filter') === 'lfs';
  return lineEnds === 'keep' && !ident && !lfs ? null : { lineEnds, ident, lfs };
}

function lineEndsOf(attributes: Attributes, config: GitConfig): LineEnds {
  const text = attributes.get('text') ?? attributes.get('crlf');
  if (text === false) return 'keep';
  if (text === 'auto') return 'auto';
  if (text === true || text === 'input') return 'convert';
  if (attributes.has('eol')) return 'convert';
  const autocrlf = config.get('core.autocrlf')?.toLowerCase();
  return autocrlf === 'input' || config.bool('core.autocrlf') === true ? 'auto' : 'keep';
}

/** @param stored the blob that the index has: with CRLF in it, `auto` leaves the file alone. */
export function toStored(
  content: Buffer,
  conversion: Conversion,
  stored: () => Buffer | undefined,
): Buffer {
  if (conversion.lfs) return isLfsPointer(content) ? content : lfsPointer(content);
  const text = convertLineEnds(content, conversion.lineEnds, stored);
  if (!conversion.ident) return text;
  return Buffer.from(text.toString('latin1').replace(/\$Id:[^$\n]*\$/g, '$$Id$$'), 'latin1');
}

function convertLineEnds(
  content: Buffer,
  lineEnds: LineEnds,
  stored: () => Buffer | undefined,
): Buffer {
  if (lineEnds === 'keep' || !content.includes('\r\n')) return content;
  if (lineEnds === 'auto') {
    if (looksBinary(content)) return content;
    const before = stored();
    if (before?.includes('\r\n') === true && !looksBinary(before)) return content;
  }
  return Buffer.from(content.toString('latin1').replaceAll('\r\n', '\n'), 'latin1');
}

/** As gather_stats and convert_is_binary: NUL, a lone CR, or one odd byte in 128. */
function looksBinary(content: Buffer): boolean {
  let printable = 0;
  let odd = 0;
  for (let at = 0; at < content.length; at++) {
    const byte = content[at] ?? 0;
    if (byte === 13) {
      if (content[at + 1] !== 10) return true;
      at++;
    } else if (byte === 0) {
      return true;
    } else if (byte === 127 || (byte < 32 && ![8, 9, 10, 12, 27].includes(byte))) {
      odd++;
    } else if (byte !== 10) {
      printable++;
    }
  }
  // A Ctrl-Z at the end is an old way to end a text.
  if (content.at(-1) === 26) odd--;
  return printable >> 7 < odd;
}

/** A pointer that was never replaced by its content is stored as it is. */
function isLfsPointer(content: Buffer): boolean {
  return content.length < 1024 && content.toString('latin1').startsWith(LFS_VERSION);
}

function lfsPointer(content: Buffer): Buffer {
  const oid = createHash('sha256').update(content).digest('hex');
  const size = content.length;
  return Buffer.from(`${LFS_VERSION}oid sha256:${oid}\nsize ${size}\n`);
}
