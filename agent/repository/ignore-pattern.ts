/**
 * The text of a gitignore(5) file in, its patterns out: comments, line ends and blanks that do not
 * count are taken off here, the pattern itself is path-pattern.ts's.
 */
import { compilePattern } from '../checkout/path-pattern.ts';
import type { PathPattern } from '../checkout/path-pattern.ts';

/** The patterns of a gitignore file, in its order. */
export function parseIgnoreFile(text: string): PathPattern[] {
  const patterns: PathPattern[] = [];
  for (const line of text.replace(/^\xef\xbb\xbf/, '').split('\n')) {
    const source = trimTrailingSpaces(line.endsWith('\r') ? line.slice(0, -1) : line);
    if (source !== '' && !source.startsWith('#')) patterns.push(compilePattern(source));
  }
  return patterns;
}

/** Blanks at the end do not count unless a backslash stands before them. */
function trimTrailingSpaces(line: string): string {
  let end = line.length;
  while (end > 0 && line.charAt(end - 1) === ' ') end--;
  let backslashes = 0;
  while (line.charAt(end - 1 - backslashes) === '\\') backslashes++;
  return line.slice(0, backslashes % 2 === 1 ? Math.min(end + 1, line.length) : end);
}
