import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { AttributeState } from '../../agent/checkout/attribute-lines.ts';
import { FILE_LIMIT_BYTES } from '../../agent/checkout/attribute-lines.ts';
import { Attributes } from '../../agent/checkout/attributes.ts';
import { conversionOf } from '../../agent/checkout/convert.ts';
import { Repository, temporaryDirectory } from './repository.ts';

const RUNS = Number(process.env['ATTRIBUTES_RUNS'] ?? '120');
const ATTRIBUTES = ['text', 'crlf', 'eol', 'ident', 'working-tree-encoding'];

let root = '';
let made: Repository;
beforeAll(() => {
  root = temporaryDirectory();
  made = new Repository(root, 'attributes');
});
afterAll(() => {
  rmSync(root, { recursive: true, force: true });
});

type Files = Readonly<Record<string, string>>;

/** What `git check-attr` says, turned into a conversion by our own rules for values. */
function conversionsOfGit(files: Files, paths: readonly string[]): unknown[] {
  for (const [directory, content] of Object.entries(files)) {
    const path = Buffer.from(join(made.worktree, directory, '.gitattributes'), 'latin1');
    mkdirSync(path.subarray(0, path.lastIndexOf('/')), { recursive: true });
    writeFileSync(path, content, 'latin1');
  }
  const args = ['check-attr', '--stdin', '-z', ...ATTRIBUTES];
  const output = made.gitBytes(
    args,
    Buffer.from(paths.map((path) => `${path}\0`).join(''), 'latin1'),
  );
  const fields = output.toString('latin1').split('\0');
  const byPath = new Map<string, Map<string, AttributeState>>();
  for (let at = 0; at + 2 < fields.length; at += 3) {
    const [path = '', name = '', value = ''] = fields.slice(at, at + 3);
    const states = byPath.get(path) ?? new Map<string, AttributeState>();
    if (value !== 'unspecified') states.set(name, stateOf(value));
    byPath.set(path, states);
  }
  for (const directory of Object.keys(files)) {
    rmSync(join(made.worktree, directory, '.gitattributes'), { force: true });
  }
  return paths.map((path) => conversionOf(byPath.get(path) ?? new Map()));
}

function stateOf(value: string): AttributeState {
  return value === 'set' ? true : value === 'unset' ? false : value;
}

function ourConversions(files: Files, paths: readonly string[]): unknown[] {
  const attributes = new Attributes();
  for (const [directory, content] of Object.entries(files)) {
    attributes.addFile(directory, Buffer.from(content, 'latin1'));
  }
  return paths.map((path) => attributes.conversionFor(path));
}

const names = ['a', 'b', 'ab', 'a.c', 'x y', '!a', '\xe9', '[', '"a"', '#a', '\\'];
const pathOf = fc
  .array(fc.constantFrom(...names), { minLength: 1, maxLength: 3 })
  .map((parts) => parts.join('/'));
const pattern = fc
  .array(
    fc.constantFrom(
      ...[
        'a',
        'b',
        '.c',
        '*',
        '**',
        '?',
        '/',
        '/',
        '[ab]',
        '[!a]',
        '\\*',
        '\\',
        '!',
        '\xe9',
        'x y',
      ],
    ),
    { minLength: 1, maxLength: 5 },
  )
  .map((parts) => parts.join(''));
const quotedPattern = pattern.map(
  (text) => `"${text.replaceAll(/["\\]/g, '\\$&').replaceAll('\xe9', '\\351')}"`,
);
const word = fc.constantFrom(
  ...[
    'text',
    '-text',
    '!text',
    'text=auto',
    'text=input',
    'text=x',
    'binary',
    '-binary',
    '!binary',
  ],
  ...['eol=crlf', 'eol=lf', '!eol', 'eol', 'ident', '-ident', '!ident', 'ident=x', 'crlf', '-crlf'],
  ...['crlf=input', 'crlf=auto', '-eol=crlf', 'working-tree-encoding=UTF-16', 'foo', '-foo', 'bar'],
  ...['working-tree-encoding=utf8', '!working-tree-encoding', '=x', 'a~', '--text', 'diff=java'],
);
const words = fc.array(word, { maxLength: 4 }).map((parts) => parts.join(' '));
const line = fc.oneof(
  { weight: 6, arbitrary: fc.tuple(pattern, words).map((parts) => parts.join(' ')) },
  { weight: 2, arbitrary: fc.tuple(quotedPattern, words).map((parts) => parts.join(' ')) },
  { weight: 2, arbitrary: words.map((text) => `[attr]foo ${text}`) },
  { weight: 1, arbitrary: words.map((text) => `[attr]bar\t${text} foo`) },
  { weight: 1, arbitrary: words.map((text) => `[attr]binary ${text}`) },
  { weight: 1, arbitrary: fc.constantFrom('# a text', '  * ident', '', '[attr]', '[attr]x~ text') },
  {
    weight: 1,
    arbitrary: fc.constantFrom('"a ident', '"a"ident', '"\\q" ident', '"[attr]foo" text'),
  },
);
const file = fc
  .tuple(fc.array(line, { maxLength: 8 }), fc.constantFrom('\n', '\r\n'))
  .map(([lines, end]) => lines.map((text) => text + end).join(''));

test('patterns, macros and values say what git check-attr says', () => {
  const property = fc.property(
    fc.tuple(file, fc.option(file), fc.option(file)),
    fc.array(pathOf, { minLength: 12, maxLength: 12 }),
    ([top, first, second], paths) => {
      const files: Record<string, string> = { '': top };
      if (first !== null) files['a'] = first;
      if (second !== null) files['a/b'] = second;
      expect(ourConversions(files, paths)).toEqual(conversionsOfGit(files, paths));
    },
  );
  fc.assert(property, { seed: 20_261_122, numRuns: RUNS });
});

test.each([
  ['a line of 2,048 bytes', `a ${'-x '.repeat(679)} ident   \n`.padEnd(2048)],
  ['a line of 2,047 bytes', `a ${'-x '.repeat(679)} ident`.padEnd(2047)],
  ['a macro below the top', 'b ident\n', '[attr]m eol=crlf\na m\n'],
  ['a pattern for directories', 'a/ ident\na/* -ident\n'],
  ['a negated pattern', '* ident\n!a -ident\n'],
  ['a value that is a prefix', 'a eol=crlfx ident\n'],
])('%s is read as git reads it', (_what, top, below = '') => {
  const files = { '': top, a: below };
  const paths = ['a', 'b', 'a/a', 'a/b', 'b/a'];
  expect(ourConversions(files, paths)).toEqual(conversionsOfGit(files, paths));
});

test('all after a NUL and a file of 100 MiB count as absent', () => {
  const paths = ['a', 'b'];
  const [a, b] = ourConversions({ '': 'a ident\n\0\nb ident\n' }, paths);
  expect([a, b]).toEqual([expect.objectContaining({ ident: 'streamed' }), null]);
  const large = new Attributes();
  large.addFile('', Buffer.concat([Buffer.from('* ident\n'), Buffer.alloc(FILE_LIMIT_BYTES, 10)]));
  expect(large.empty).toBe(true);
});

test('a repository whose attributes convert nothing is seen to be one', () => {
  const attributes = new Attributes();
  attributes.addFile('', Buffer.from('* text=auto\n*.sh eol=lf\n*.png binary\n*.psd filter=lfs\n'));
  attributes.addFile('sub', Buffer.from('* -ident working-tree-encoding=UTF-8\n'));
  expect(attributes.empty).toBe(true);
  expect(attributes.conversionFor('a.sh')).toBeNull();
  attributes.addFile('sub/deep', Buffer.from('*.bat eol=crlf\n'));
  expect(attributes.empty).toBe(false);
  expect(attributes.conversionFor('a.bat')).toBeNull();
  expect(attributes.conversionFor('sub/deep/a.bat')).not.toBeNull();
});

test('rules without number are a limit reached, not memory', () => {
  const attributes = new Attributes();
  const content = Buffer.from('a[a-z]*[0-9]?.txt ident eol=crlf\n'.repeat(20_000));
  attributes.addFile('one', content);
  expect(() => {
    for (let at = 0; at < 10; at++) attributes.addFile(`d${at}`, content);
  }).toThrow(expect.objectContaining({ code: 'PACK_LIMIT' }) as Error);
});
