import { expect, it } from 'vitest';
import { cut, fit, mask, widthOf, wrap } from '../../agent/terminal/text.ts';
import { formatBytes, formatCount, formatDuration, plural } from '../../agent/terminal/units.ts';

it('bytes have one decimal below ten, and go on to the next unit before 1,000', () => {
  const shown = [
    0, 1, 999, 1000, 1234, 9949, 9950, 23_400_000, 999_499, 999_500, 3e9, 7.25e12, 5e15,
  ];
  expect(shown.map(formatBytes)).toEqual([
    '0 B',
    '1 B',
    '999 B',
    '1.0 kB',
    '1.2 kB',
    '9.9 kB',
    '10 kB',
    '23 MB',
    '999 kB',
    '1.0 MB',
    '3.0 GB',
    '7.3 TB',
    '5000 TB',
  ]);
});

it('durations are rounded down and have at most two units', () => {
  const hours = 3_600_000;
  const shown = [-5, 0, 99, 450, 9_999, 59_999, 61_000, 754_000, 4.2 * hours, 24 * hours - 1];
  expect([...shown, 24 * hours, 51.9 * hours].map(formatDuration)).toEqual([
    '0 s',
    '0 s',
    '0 s',
    '0.4 s',
    '9.9 s',
    '59 s',
    '1 min 1 s',
    '12 min',
    '4 h 12 min',
    '23 h 59 min',
    '24 h',
    '2 d 3 h',
  ]);
});

it('counts have commas, and one is not many', () => {
  expect([0, 999, 1000, 1234567].map(formatCount)).toEqual(['0', '999', '1,000', '1,234,567']);
  expect([plural(1, 'stash', 'stashes'), plural(2000, 'commit')]).toEqual([
    '1 stash',
    '2,000 commits',
  ]);
});

it('mask() leaves nothing that a terminal obeys', () => {
  const bad = 'a\x1b[2Jb\rc\nd\u009be\u202ef\u2028g\u200bh\ud800i\x7fj';
  expect(mask(bad)).toBe('a�[2Jb�c�d�e�f�g�h�i�j');
  expect(mask('grün 漢字 👍')).toBe('grün 漢字 👍');
});

it('width counts columns: two for wide characters, none for combining ones', () => {
  expect(['abc', '漢字', 'e\u0301', '👍', ''].map(widthOf)).toEqual([3, 4, 1, 2, 0]);
  expect(cut('漢字漢字', 5)).toBe('漢字…');
  expect(cut('漢字漢字', 4)).toBe('漢…');
  expect(cut('abc', 0)).toBe('');
  expect(fit('漢', 4)).toBe('漢  ');
});

it('wrap() keeps words whole where it can and every character in any case', () => {
  expect(wrap('one two three', 7)).toEqual(['one two', 'three']);
  expect(wrap('abcdefgh ij', 3)).toEqual(['abc', 'def', 'gh', 'ij']);
  expect(wrap('', 5)).toEqual(['']);
  expect(wrap('漢字', 1)).toEqual(['漢字']);
});
