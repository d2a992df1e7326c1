import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { parseIgnoreFile } from '../../agent/repository/ignore-pattern.ts';
import { isIgnored } from '../../agent/repository/ignore-rules.ts';
import { compileWildmatch } from '../../agent/checkout/wildmatch.ts';
import { runGit } from '../work/scratch-repository.ts';

const RUNS = Number(process.env['IGNORE_RUNS'] ?? '150');

let worktree = '';

beforeAll(() => {
  worktree = mkdtempSync(join(tmpdir(), 'ignore-'));
  runGit(worktree, ['init', '-q']);
});
afterAll(() => {
  rmSync(worktree, { recursive: true, force: true });
});

/** The paths that git ignores under this .gitignore. */
function ignoredByGit(text: string, paths: readonly string[]): string[] {
  writeFileSync(join(worktree, '.gitignore'), text, 'latin1');
  const { status, stdout, stderr } = spawnSync(
    'git',
    ['check-ignore', '--no-index', '--stdin', '-z'],
    {
      cwd: worktree,
      input: Buffer.from(paths.join('\0'), 'latin1'),
      env: { PATH: process.env['PATH'], GIT_CONFIG_NOSYSTEM: '1', GIT_CONFIG_GLOBAL: '/dev/null' },
    },
  );
  if (status === null || status > 1) throw new Error(stderr.toString());
  return stdout.toString('latin1').split('\0').filter(Boolean);
}

/** As the walk does it: a directory that is ignored is not entered. */
function ignoredByUs(text: string, paths: readonly string[]): string[] {
  const patterns = parseIgnoreFile(text).reverse();
  const rules = { patterns, baseLength: 0, above: undefined, text: '' };
  return paths.filter((path) => {
    const names = path.split('/');
    return names.some((name, depth) =>
      isIgnored(rules, names.slice(0, depth + 1).join('/'), name, depth < names.length - 1),
    );
  });
}

const pieces = [
  'a',
  'b',
  'ab',
  'é',
  '*',
  '**',
  '?',
  '/',
  '/',
  '[ab]',
  '[!a]',
  '[^b-d]',
  '[a-',
  ']',
];
const odd = [
  '\\',
  '\\*',
  '\\ ',
  ' ',
  '#',
  '!',
  '.',
  '-',
  '[[:alpha:]]',
  '[]a]',
  '[a\\]]',
  '[[:x:]]',
];
const line = fc
  .tuple(
    fc.constantFrom('', '', '!', '/'),
    fc.array(fc.constantFrom(...pieces, ...pieces, ...odd), { minLength: 1, maxLength: 6 }),
    fc.constantFrom('', '', '/', ' ', '\r'),
  )
  .map(([start, middle, end]) => Buffer.from(start + middle.join('') + end).toString('latin1'));
const name = fc
  .array(fc.constantFrom('a', 'b', 'c', 'ab', '*', ']', '\\', ' ', '#', '!', '.x', 'é', '-'), {
    minLength: 1,
    maxLength: 3,
  })
  .map((parts) => Buffer.from(parts.join('')).toString('latin1'));
const path = fc.array(name, { minLength: 1, maxLength: 4 }).map((names) => names.join('/'));

test('patterns ignore what git check-ignore says', () => {
  fc.assert(
    fc.property(
      fc.array(line, { minLength: 1, maxLength: 4 }),
      fc.uniqueArray(path, { minLength: 20, maxLength: 40 }),
      (lines, paths) => {
        const usable = paths.filter((one) => !one.split('/').some((part) => /^\.+$/.test(part)));
        const text = `${lines.join('\n')}\n`;
        expect(ignoredByUs(text, usable)).toEqual(ignoredByGit(text, usable));
      },
    ),
    { numRuns: RUNS },
  );
}, 120_000);

test('what the manual gives as examples', () => {
  const text = '\ufefffoo/*\n!foo/keep\n**/logs\nx/**/y\nabc/**\n\\#file\ntrail\\ \nlast';
  const paths = [
    'foo/a',
    'foo/keep',
    'a/b/logs',
    'x/y',
    'x/1/2/y',
    'abc/d/e',
    'abc',
    '#file',
    'trail ',
    'trail',
    'deep/last',
  ];
  const bytes = Buffer.from(text).toString('latin1');
  expect(ignoredByUs(bytes, paths)).toEqual(ignoredByGit(bytes, paths));
});

test('a pattern made to backtrack costs no more than any other', () => {
  const match = compileWildmatch(`${'*a'.repeat(60)}b`);
  const startedAt = performance.now();
  expect(match('a'.repeat(255))).toBe(false);
  expect(performance.now() - startedAt).toBeLessThan(500);
});
