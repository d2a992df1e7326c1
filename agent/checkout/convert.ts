/**
 * A blob's content and what its attributes ask for in, the bytes for the worktree out: what git's
 * convert.c does at checkout under its default configuration. Filters (`filter=`) are never run: such
 * content stays as it is, as it does with git where nobody has configured the filter.
 */
import type { AttributeState } from './attribute-lines.ts';
import { encode, isDefaultEncoding } from './encoding.ts';
import { expandIdent, expandIdentStreamed } from './ident.ts';

export interface Conversion {
  /** LF to CRLF in every file, or only in those that look like text and have no CR yet. */
  readonly lineEnds: 'keep' | 'crlf' | 'crlf-in-text';
  /** Which of git's two ways the file takes: it shows in odd ids only. */
  readonly ident: 'keep' | 'streamed' | 'buffered';
  /** null for UTF-8. */
  readonly encoding: string | null;
}

const CARRIAGE_RETURN = 0x0d;
const LINE_FEED = 0x0a;
const CRLF = Buffer.from('\r\n');
/** Backspace, tab, form feed, escape: texts have them. */
const ORDINARY_CONTROLS = new Set([0x08, 0x09, 0x0c, 0x1b]);

/** null when content is written as it is. */
export function conversionOf(attributes: ReadonlyMap<string, AttributeState>): Conversion | null {
  const lineEnds = lineEndsOf(attributes);
  const value = attributes.get('working-tree-encoding');
  const encoding = typeof value === 'string' && !isDefaultEncoding(value) ? value : null;
  const ident = identOf(attributes, encoding);
  if (lineEnds === 'keep' && ident === 'keep' && encoding === null) return null;
  return { lineEnds, ident, encoding };
}

/** `text` alone asks for native line ends, which are LF: that changes nothing. */
function lineEndsOf(attributes: ReadonlyMap<string, AttributeState>): Conversion['lineEnds'] {
  const text = textOf(attributes);
  if (text === false || attributes.get('eol') !== 'crlf') return 'keep';
  return text === 'auto' ? 'crlf-in-text' : 'crlf';
}

/** classify_conv_attrs(): what has to be seen whole is not streamed. */
function identOf(
  attributes: ReadonlyMap<string, AttributeState>,
  encoding: string | null,
): Conversion['ident'] {
  if (attributes.get('ident') !== true) return 'keep';
  const guesses = textOf(attributes) === 'auto' && attributes.get('eol') !== 'lf';
  return guesses || encoding !== null ? 'buffered' : 'streamed';
}

/** `crlf` is the old name of `text`; undefined where neither says anything that git knows. */
function textOf(attributes: ReadonlyMap<string, AttributeState>): boolean | 'auto' | undefined {
  for (const state of [attributes.get('text'), attributes.get('crlf')]) {
    if (typeof state === 'boolean' || state === 'auto') return state;
    if (state === 'input') return true;
  }
  return undefined;
}

/**
 * @param oid of the content, for ident.
 * @param onUnencodable called when the encoding cannot be written: content stays UTF-8 then, as git
 * leaves it (with an error that does not end the clone).
 */
export function convertToWorktree(
  content: Buffer,
  { lineEnds, ident, encoding }: Conversion,
  oid: string,
  onUnencodable?: (encoding: string) => void,
): Buffer {
  if (content.length === 0) return content;
  let bytes = content;
  if (ident === 'streamed') bytes = expandIdentStreamed(bytes, oid);
  if (ident === 'buffered') bytes = expandIdent(bytes, oid);
  if (lineEnds === 'crlf' || (lineEnds === 'crlf-in-text' && isTextWithoutCr(bytes))) {
    bytes = lfToCrlf(bytes);
  }
  if (encoding === null) return bytes;
  const encoded = encode(bytes, encoding);
  if (encoded === null) onUnencodable?.(encoding);
  return encoded ?? bytes;
}

/** A LF behind a CR stays as it is. */
function lfToCrlf(content: Buffer): Buffer {
  const pieces: Buffer[] = [];
  let copied = 0;
  for (let at = content.indexOf(LINE_FEED); at !== -1; at = content.indexOf(LINE_FEED, at + 1)) {
    if (content[at - 1] === CARRIAGE_RETURN) continue;
    pieces.push(content.subarray(copied, at), CRLF);
    copied = at + 1;
  }
  pieces.push(content.subarray(copied));
  return pieces.length === 1 ? content : Buffer.concat(pieces);
}

/** gather_stats() and convert_is_binary(): a NUL, or one odd byte in 128. */
function isTextWithoutCr(content: Buffer): boolean {
  let printable = 0;
  let odd = 0;
  for (const byte of content) {
    if (byte === 0 || byte === CARRIAGE_RETURN) return false;
    if (byte === LINE_FEED) continue;
    if (byte === 0x7f || (byte < 0x20 && !ORDINARY_CONTROLS.has(byte))) odd++;
    else printable++;
  }
  // A Ctrl-Z at the end is an old way to end a text.
  if (content.at(-1) === 0x1a) odd--;
  return Math.floor(printable / 128) >= odd;
}
