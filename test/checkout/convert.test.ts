import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { Attributes } from '../../agent/checkout/attributes.ts';
import { convertToWorktree } from '../../agent/checkout/convert.ts';
import { encodingTable } from '../../agent/checkout/encoding-tables.ts';
import { Repository, temporaryDirectory } from './repository.ts';

const FILES = Number(process.env['CONVERT_FILES'] ?? '1500');

let root = '';
let count = 0;
beforeAll(() => {
  root = temporaryDirectory();
});
afterAll(() => {
  rmSync(root, { recursive: true, force: true });
});

interface Sample {
  readonly attributes: string;
  readonly content: Buffer;
}

/** What git itself checks out for each sample, and what we make of its blob. */
function checkOutBothWays(samples: readonly Sample[]): { ours: Buffer[]; theirs: Buffer[] } {
  const made = new Repository(root, `convert-${count++}`);
  const rules = samples.map(({ attributes }, at) => `f${at} ${attributes}\n`).join('');
  writeFileSync(join(made.worktree, '.gitattributes'), rules);
  // Hashed as they are: on the way in nothing may be converted.
  const paths = samples.map(({ content }, at) => {
    const path = join(root, `sample-${at}`);
    writeFileSync(path, content);
    return `${path}\n`;
  });
  const oids = made
    .gitWith(paths.join(''), 'hash-object', '-w', '--no-filters', '--stdin-paths')
    .split('\n');
  const lines = oids.map((oid, at) => `100644 ${oid}\tf${at}\n`).join('');
  made.gitWith(lines, 'update-index', '--index-info');
  made.tryGit('checkout-index', '--all', '--force');

  const attributes = new Attributes();
  attributes.addFile('', Buffer.from(rules));
  const convert = ({ content }: Sample, at: number): Buffer => {
    const conversion = attributes.conversionFor(`f${at}`);
    return conversion === null ? content : convertToWorktree(content, conversion, oids[at]!);
  };
  return {
    ours: samples.map(convert),
    theirs: samples.map((_sample, at) => readFileSync(join(made.worktree, `f${at}`))),
  };
}

function expectSame(samples: readonly Sample[]): number {
  const { ours, theirs } = checkOutBothWays(samples);
  const failing = samples.filter((_sample, at) => !ours[at]!.equals(theirs[at]!));
  expect(
    failing.map(({ attributes, content }) => [attributes, content.toString().slice(0, 200)]),
  ).toEqual([]);
  return samples.filter(({ content }, at) => !content.equals(theirs[at]!)).length;
}

const attributes = fc
  .array(
    fc
      .constantFrom(
        ...['text', '-text', 'text=auto', 'text=input', 'eol=crlf', 'eol=crlf', 'eol=lf', 'ident'],
        ...['ident', '-ident', 'crlf', '-crlf', 'crlf=auto', 'binary', 'filter=lfs', 'filter=x'],
        ...['working-tree-encoding=UTF-16', 'working-tree-encoding=UTF-16LE-BOM', 'text=other'],
        ...[
          'working-tree-encoding=utf-8',
          'working-tree-encoding=ISO-8859-1',
          'working-tree-encoding',
        ],
      )
      .filter((word) => word !== 'working-tree-encoding'),
    { minLength: 1, maxLength: 3 },
  )
  .map((words) => words.join(' '));
const content = fc
  .array(
    fc.constantFrom(
      ...['\n', '\n', '\r\n', '\r', 'a', 'line of text', '\t', ' ', '\0', '\x1a', '\x7f', '\x01'],
      ...['$', '$I', '$Id', '$Id$', '$Id$', '$Id:$', '$Id: $', '$Id: a$', '$Id: a b$', '$Id:a b$'],
      ...['$Id: 0123456789012345678901234567890123456789 $', '$Id: a.c,v 1.2 2020/01/02 joe Exp $'],
      ...['$Id: x\ny$', '$Id:\0 $', ':', 'Id$', 'é', '\ufeff', '漢字', '𝄞', 'x'.repeat(130)],
    ),
    { maxLength: 9 },
  )
  .chain((pieces) =>
    fc.boolean().map((broken) => {
      const text = Buffer.from(pieces.join(''));
      return broken && pieces.length % 4 === 0 ? Buffer.concat([text, Buffer.from([0xe9])]) : text;
    }),
  );

test('content comes out as git checks it out, whatever its attributes and its oddities', () => {
  const sample = fc.record({ attributes, content });
  const samples = fc.sample(sample, { seed: 20_261_122, numRuns: FILES });
  expect(expectSame(samples)).toBeGreaterThan(FILES / 4);
});

const UTF = [
  ...['UTF-16', 'utf16', 'UTF-16LE', 'UTF-16BE', 'UTF-16LE-BOM', 'UTF-16BE-BOM', 'UTF16LE-BOM'],
  ...['UTF-32', 'UTF-32LE', 'UTF32BE', 'UTF-32LE-BOM', 'UTF-16-BOM', 'US-ASCII', 'latin-1'],
];
const CHARSETS = [
  ...[2, 3, 4, 5, 6, 7, 8, 9, 10, 13, 14, 15].map((part) => `ISO-8859-${part}`),
  ...[0, 1, 2, 3, 4, 6, 7].map((page) => `CP125${page}`),
  ...['windows-1252', 'KOI8-R', 'KOI8-U', 'IBM866', 'CP866', 'SHIFT-JIS', 'Shift_JIS', 'CP932'],
  ...['EUC-JP', 'EUC-KR', 'GB2312', 'GBK', 'CP936', 'BIG5', 'CP950'],
];

test('every character of every charset becomes the bytes that git makes of it', () => {
  const samples = CHARSETS.map((charset): Sample => {
    const codes = [...(encodingTable(charset)?.keys() ?? [])];
    expect(codes.length, charset).toBeGreaterThan(150);
    const characters = codes.map((code) => String.fromCodePoint(code)).join('');
    return { attributes: `working-tree-encoding=${charset}`, content: Buffer.from(characters) };
  });
  expect(expectSame(samples)).toBe(samples.length);
});

test('what a charset lacks, and a charset that nobody knows, leave the content as it is', () => {
  const texts = ['text', 'é', '～∥－', '漢字', '한글', '€', '𝄞', '\ufeffx', '\ud7ff', '·—', '\x80'];
  const broken = Buffer.from([0x61, 0xed, 0xa0, 0x80]);
  const contents = [...texts.map((text) => Buffer.from(text)), broken, Buffer.alloc(0)];
  const samples = [...UTF, ...CHARSETS, 'NO-SUCH', 'Klingon'].flatMap((charset) =>
    contents.map((bytes) => ({
      attributes: `working-tree-encoding=${charset} text eol=crlf ident`,
      content: bytes,
    })),
  );
  expect(expectSame(samples)).toBeGreaterThan(100);
});

test('an encoding that cannot be written is told, and nothing is thrown', () => {
  const told: string[] = [];
  const conversion = { lineEnds: 'crlf', ident: 'keep', encoding: 'UTF-7' } as const;
  const bytes = convertToWorktree(Buffer.from('a\n'), conversion, '', (name) => told.push(name));
  expect([bytes.toString(), told]).toEqual(['a\r\n', ['UTF-7']]);
});
