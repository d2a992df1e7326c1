/**
 * One pattern of a gitignore(5) or gitattributes(5) file, compiled; matching as Git's dir.c does it:
 * without a slash against the last name, with one against the path below the file's directory.
 */
import { compileWildmatch } from './wildmatch.ts';
import type { Matcher } from './wildmatch.ts';

export interface PathPattern {
  /** `!pattern`: what it matches is not ignored. */
  readonly negated: boolean;
  /** Ends in a slash: only directories match. */
  readonly directoryOnly: boolean;
  /**
   * @param path bytes as latin1, relative to the directory of the pattern's file; @param name its
   * last component.
   */
  matches(path: string, name: string): boolean;
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
