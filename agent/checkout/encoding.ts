/**
 * UTF-8 in, the bytes of a `working-tree-encoding` out, or null where there is no way: a charset that
 * is not known here, content that is no UTF-8, a character that the charset lacks. The bytes are
 * those of git with the iconv of glibc (utf8.c, reencode_string_len). UTF-7, GB18030, CP949 and the
 * charsets with escape sequences are not among ours.
 */
import { isUtf8 } from 'node:buffer';
import { encodingTable } from './encoding-tables.ts';
import type { EncodingTable } from './encoding-tables.ts';

/** Below what fits into a string of Node in any case. */
const LIMIT_BYTES = 256 * 1024 * 1024;

const UTF = /^UTF-?(16|32)(LE|BE)?(-BOM)?$/i;
const LATIN_1 = /^(?:ISO[-_]?8859-?1|LATIN-?1|L1|CP819)$/i;
const ASCII = /^(?:US-)?ASCII$/i;
const BYTE_ORDER_MARK = '\ufeff';

/** Git converts nothing to the encoding that blobs are in already. */
export function isDefaultEncoding(name: string): boolean {
  return name === '' || /^UTF-?8$/i.test(name);
}

export function encode(content: Buffer, encoding: string): Buffer | null {
  if (content.length > LIMIT_BYTES || !isUtf8(content)) return null;
  const [utf, width, order, mark] = UTF.exec(encoding) ?? [];
  if (utf !== undefined) return encodeUtf(content.toString('utf8'), { width, order, mark });
  if (LATIN_1.test(encoding)) return encodeLatin(content.toString('utf8'), 0xff);
  if (ASCII.test(encoding)) return encodeLatin(content.toString('utf8'), 0x7f);
  const table = encodingTable(encoding);
  return table === null ? null : encodeByTable(content.toString('utf8'), table);
}

interface UtfForm {
  readonly width: string | undefined;
  readonly order: string | undefined;
  readonly mark: string | undefined;
}

/** Without an order: little-endian with a mark, as iconv. The forms with `-BOM` are git's own. */
function encodeUtf(text: string, { width, order, mark }: UtfForm): Buffer | null {
  const isWide = width === '32';
  if (mark !== undefined && (isWide || order === undefined)) return null;
  const marked = order === undefined || mark !== undefined ? BYTE_ORDER_MARK + text : text;
  const bytes = isWide ? utf32(marked) : Buffer.from(marked, 'utf16le');
  if (order?.toUpperCase() !== 'BE') return bytes;
  return isWide ? bytes.swap32() : bytes.swap16();
}

function utf32(text: string): Buffer {
  const codes = Uint32Array.from(text, (character) => character.codePointAt(0) ?? 0);
  const bytes = Buffer.alloc(codes.length * 4);
  codes.forEach((code, at) => bytes.writeUInt32LE(code, at * 4));
  return bytes;
}

function encodeLatin(text: string, highest: number): Buffer | null {
  for (let at = 0; at < text.length; at++) if (text.charCodeAt(at) > highest) return null;
  return Buffer.from(text, 'latin1');
}

function encodeByTable(text: string, table: EncodingTable): Buffer | null {
  const bytes = Buffer.alloc(text.length * 3);
  let end = 0;
  for (const character of text) {
    const code = table.get(character.codePointAt(0) ?? 0);
    if (code === undefined) return null;
    end = bytes.writeUIntBE(code, end, code > 0xffff ? 3 : code > 0xff ? 2 : 1);
  }
  return bytes.subarray(0, end);
}
