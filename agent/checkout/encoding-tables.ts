/**
 * The name of an encoding in, a table from code point to bytes out, made on demand by reading Node's
 * decoders backwards. Where they and the iconv of glibc differ, the table says what glibc does: for
 * each charset all of Unicode was compared (glibc 2.36), but for private use characters.
 */

import { TextDecoder } from 'node:util';

/** The bytes of a character as one number, the first one highest. */
export type EncodingTable = ReadonlyMap<number, number>;

interface Charset {
  readonly decoder: string;
  /** Below this, characters are bytes as they are: 0x80 unless told. */
  readonly identicalBelow?: number;
  /** Ranges of each byte of a character, in hexadecimal: `first bytes/second bytes`. */
  readonly shapes: readonly string[];
  /** Ranges of whole characters of the shapes that are none for glibc. */
  readonly without?: string;
  /** Characters with their bytes that glibc has where the decoder has something else. */
  readonly differing?: string;
  /** Characters that glibc's charset lacks. */
  readonly lacking?: string;
}

const CP1252 =
  '€80 ‚82 ƒ83 „84 …85 †86 ‡87 ˆ88 ‰89 Š8a ‹8b Œ8c Ž8e ‘91 ’92 “93 ”94 •95 –96 —97 ˜98 ™99 š9a ›9b œ9c ž9e Ÿ9f';
/** Private use once, and in the decoder of Node 20 still. */
const GBK_LATE = 'a6d9-a6df a6ec-a6ed a6f3-a6f3 a8bc-a8bc a8bf-a8bf a989-a995 fe50-fea0';
const SJIS_SYMBOLS = '¢8191 £8192 ¥5c ¬81ca ‖8161 ‾7e −817c 〜8160';

const CHARSETS: Readonly<Record<string, Charset>> = {
  'ISO-8859-9': { decoder: 'windows-1254', identicalBelow: 0xa0, shapes: ['a0-ff'] },
  CP1250: { decoder: 'windows-1250', shapes: ['80-ff'] },
  CP1251: { decoder: 'windows-1251', shapes: ['80-ff'] },
  // Node 20 takes windows-1252 for ISO-8859-1.
  CP1252: { decoder: 'windows-1252', shapes: ['a0-ff'], differing: CP1252 },
  CP1253: { decoder: 'windows-1253', shapes: ['80-a9 ab-ff'] },
  CP1254: { decoder: 'windows-1254', shapes: ['80-ff'] },
  CP1256: { decoder: 'windows-1256', shapes: ['80-ff'] },
  CP1257: { decoder: 'windows-1257', shapes: ['80-ff'] },
  IBM866: { decoder: 'ibm866', shapes: ['80-ff'] },
  'KOI8-R': { decoder: 'koi8-r', shapes: ['80-ff'] },
  'KOI8-U': {
    decoder: 'koi8-u',
    shapes: ['80-ff'],
    without: 'ae-ae be-be',
    differing: '╝ae ╬be',
  },
  SJIS: {
    decoder: 'shift_jis',
    shapes: ['a1-df', '81-84 88-9f e0-ea/40-fc'],
    differing: SJIS_SYMBOLS,
    lacking: '～∥－',
  },
  CP932: {
    decoder: 'shift_jis',
    shapes: ['a1-df', '81-9f e0-ec fa-fc/40-fc'],
    differing: `${SJIS_SYMBOLS} —815c`,
  },
  'EUC-JP': {
    decoder: 'euc-jp',
    identicalBelow: 0xa0,
    shapes: ['8e-8e/a1-df', 'a1-a8 b0-f4/a1-fe', '8f-8f/a1-ab b0-ed/a1-fe'],
    differing: '¢a1f1 £a1f2 ¥5c ¬a2cc ‖a1c2 ‾7e −a1dd 〜a1c1 ～8fa2b7',
    lacking: '∥－￠￡￢\x8e\x8f',
  },
  'EUC-KR': {
    decoder: 'euc-kr',
    identicalBelow: 0xa0,
    shapes: ['a1-fe/a1-fe'],
    differing: '®a2e7 ₩a3dc €a2e6 ㉾a2e8',
  },
  GB2312: {
    decoder: 'gbk',
    shapes: ['a1-a9 b0-f7/a1-fe'],
    without: `a2e3-a2e3 ${GBK_LATE}`,
    differing: '―a1aa ・a1a4',
    lacking: '·—ⅰⅱⅲⅳⅴⅵⅶⅷⅸⅹ︵︶︹︺︿﹀︽︾﹁﹂﹃﹄︻︼︷︸︱︳︴ɑńňǹɡ',
  },
  GBK: { decoder: 'gbk', shapes: ['81-fe/40-fe'], without: GBK_LATE, differing: '€80' },
  BIG5: {
    decoder: 'big5',
    identicalBelow: 0x81,
    shapes: ['a1-f9/40-fe'],
    differing: '十a451 卅a4ca',
  },
};

/** The names of iconv, in capitals and without `-` and `_`. */
const ALIASES: Readonly<Record<string, string>> = {
  LATIN2: 'ISO-8859-2',
  LATIN9: 'ISO-8859-15',
  CP866: 'IBM866',
  IBM866: 'IBM866',
  KOI8R: 'KOI8-R',
  KOI8U: 'KOI8-U',
  SJIS: 'SJIS',
  SHIFTJIS: 'SJIS',
  MSKANJI: 'SJIS',
  CP932: 'CP932',
  MS932: 'CP932',
  WINDOWS31J: 'CP932',
  EUCJP: 'EUC-JP',
  UJIS: 'EUC-JP',
  EUCKR: 'EUC-KR',
  GB2312: 'GB2312',
  EUCCN: 'GB2312',
  GBK: 'GBK',
  CP936: 'GBK',
  BIG5: 'BIG5',
  CP950: 'BIG5',
};

const tables = new Map<string, EncodingTable | null>();

/** null for a charset that is not known here, or not to this build of Node. */
export function encodingTable(name: string): EncodingTable | null {
  const canonical = canonicalName(name);
  let table = tables.get(canonical);
  if (table === undefined) {
    const charset = charsetOf(canonical);
    table = charset === undefined ? null : makeTable(charset);
    tables.set(canonical, table);
  }
  return table;
}

function canonicalName(name: string): string {
  const plain = name.toUpperCase().replaceAll(/[-_]/g, '');
  const [, part] = /^ISO8859(\d{1,2})$/.exec(plain) ?? [];
  if (part !== undefined) return `ISO-8859-${part}`;
  const [, page] = /^(?:CP|WINDOWS)(125\d)$/.exec(plain) ?? [];
  return page === undefined ? (ALIASES[plain] ?? '') : `CP${page}`;
}

function charsetOf(canonical: string): Charset | undefined {
  const isPart = /^ISO-8859-(?:[2-8]|1[0345])$/.test(canonical);
  return isPart
    ? { decoder: canonical, identicalBelow: 0xa0, shapes: ['a0-ff'] }
    : CHARSETS[canonical];
}

function makeTable(charset: Charset): EncodingTable | null {
  const { decoder, identicalBelow = 0x80, shapes, differing = '', lacking = '' } = charset;
  const decode = decoderOf(decoder);
  if (decode === null) return null;
  const table = new Map<number, number>();
  for (let code = 0; code < identicalBelow; code++) table.set(code, code);
  for (const [, character = '', bytes = ''] of differing.matchAll(/(.)([0-9a-f]+)/gu)) {
    table.set(character.codePointAt(0) ?? 0, parseInt(bytes, 16));
  }
  const without = rangesOf(charset.without ?? '');
  for (const bytes of shapes.flatMap(sequences)) {
    const whole = bytes.readUIntBE(0, bytes.length);
    const code = decode(bytes);
    if (code === null || table.has(code)) continue;
    if (!without.some(([first, last]) => first <= whole && whole <= last)) table.set(code, whole);
  }
  for (const character of lacking) table.delete(character.codePointAt(0) ?? 0);
  return table;
}

/** Decodes the bytes of one character; null when they are none, a control or a private one. */
function decoderOf(name: string): ((bytes: Buffer) => number | null) | null {
  let decoder: TextDecoder;
  try {
    decoder = new TextDecoder(name);
  } catch (error) {
    // A Node built with fewer charsets.
    if (error instanceof RangeError) return null;
    throw error;
  }
  return (bytes) => {
    const [character, ...more] = decoder.decode(bytes);
    const code = character?.codePointAt(0) ?? 0;
    const isPrivate = code >= 0xe000 && code <= 0xf8ff;
    return more.length > 0 || code < 0xa0 || isPrivate || code === 0xfffd ? null : code;
  };
}

/** Every sequence of bytes that a shape allows. */
function sequences(shape: string): Buffer[] {
  let made: number[][] = [[]];
  for (const ranges of shape.split('/')) {
    const bytes = rangesOf(ranges).flatMap(([first, last]) =>
      Array.from({ length: last - first + 1 }, (_, at) => first + at),
    );
    made = made.flatMap((start) => bytes.map((byte) => [...start, byte]));
  }
  return made.map((bytes) => Buffer.from(bytes));
}

/** `81-9f e0-ef` */
function rangesOf(text: string): [first: number, last: number][] {
  return [...text.matchAll(/([0-9a-f]+)-([0-9a-f]+)/g)].map(([, first = '', last = '']) => [
    parseInt(first, 16),
    parseInt(last, 16),
  ]);
}
