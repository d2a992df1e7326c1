/**
 * One line of a gitignore(5) or gitattributes(5) pattern, compiled; matching as Git's dir.c does it:
 * without a slash against the last name, with one against the path below the file's directory.
 */
import type { BytePath } from './byte-path.ts';
import { compileWildmatch } from './wildmatch.ts';
import type { Matcher } from './wildmatch.ts';

export interface PathPattern {
  /** `!pattern`: what it matches is not ignored. */
  readonly negated: boolean;
  /** Ends in a slash: only directories match. */
  readonly directoryOnly: boolean;
  /** @param path relative to the directory of the pattern's file; @param name its last component. */
  matches(path: BytePath, name: BytePath): boolean;
}

/** @param source the pattern alone: no comment, no line end, no blanks that do not count. */
export function compilePattern(source: string): PathPattern {
  const negated = source.startsWith('!');
  let pattern = negated ? source.slice(1) : source;
  const directoryOnly = pattern.endsWith('/');
  if (directoryOnly) pattern = pattern.slice(0, -1);
  const anywhere = !pattern.includes('/');
  const match = compileMatch(anywhere || !pattern.startsWith('/') ? pattern : pattern.slice(1));
  return {
    negated,
    directoryOnly,
    matches: anywhere ? (_path, name) => match(name) : (path) => match(path),
  };
}

/**
 * Git compares what stands before the first special character as it is and gives only the rest to
 * wildmatch: so in `ab**` + `/c` the `**` stands at a beginning. That is kept.
 */
function compileMatch(pattern: string): Matcher {
  const special = pattern.search(/[*?[\\]/);
  if (special === -1) return (text) => text === pattern;
  const literal = pattern.slice(0, special);
  const rest = compileWildmatch(pattern.slice(special));
  if (special === 0) return rest;
  return (text) => text.startsWith(literal) && rest(text.slice(special));
}

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
