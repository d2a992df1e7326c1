/**
 * What gitignore(5) says about a path: the files of its directory and of those above, deepest
 * first, then `info/exclude`, then `core.excludesFile`; in each the last match decides. What lies
 * below an ignored directory is never asked about, because the walk does not enter it.
 */
import type { PathPattern } from '../checkout/path-pattern.ts';
import type { BytePath } from './byte-path.ts';
import { parseIgnoreFile } from './ignore-pattern.ts';
import { readBytesAsText } from './read-file.ts';
import type { Repository } from './repository.ts';

/** The rules that hold in one directory; chained to those of the directory above. */
export interface IgnoreRules {
  readonly patterns: readonly PathPattern[];
  /** Length of the directory's path with its slash: patterns see the path after it. */
  readonly baseLength: number;
  readonly above: IgnoreRules | undefined;
  /** The file's text: the same text makes the same patterns. */
  readonly text: string;
}

/** Rules for the whole worktree, weakest last. */
export function readSharedRules(repository: Repository): IgnoreRules | undefined {
  const { commondir, config, home } = repository;
  const ownFile =
    config.path('core.excludesfile') ??
    (home === undefined ? undefined : `${home}/.config/git/ignore`);
  const own = ownFile === undefined ? undefined : readRules(ownFile, 0, undefined);
  return readRules(`${commondir}/info/exclude`, 0, own);
}

/** @param prefix the directory, empty or with a slash at its end. */
export function readDirectoryRules(
  repository: Repository,
  prefix: BytePath,
  above: IgnoreRules | undefined,
): IgnoreRules | undefined {
  const file = `${repository.worktree}/${prefix}.gitignore`;
  return readRules(file, prefix.length, above, { noFollow: true });
}

function readRules(
  file: BytePath,
  baseLength: number,
  above: IgnoreRules | undefined,
  options: { readonly noFollow?: boolean } = {},
): IgnoreRules | undefined {
  return parseRules(readBytesAsText(file, options), baseLength, above);
}

/** @param text of the file; undefined when there is none. */
export function parseRules(
  text: string | undefined,
  baseLength: number,
  above: IgnoreRules | undefined,
): IgnoreRules | undefined {
  const patterns = text === undefined ? [] : parseIgnoreFile(text).reverse();
  if (text === undefined || patterns.length === 0) return above;
  return { patterns, baseLength, above, text };
}

export function sameRules(a: IgnoreRules | undefined, b: IgnoreRules | undefined): boolean {
  let one = a;
  let other = b;
  while (one !== undefined && other !== undefined) {
    if (one === other) return true;
    if (one.text !== other.text || one.baseLength !== other.baseLength) return false;
    one = one.above;
    other = other.above;
  }
  return one === other;
}

export function isIgnored(
  rules: IgnoreRules | undefined,
  path: BytePath,
  name: BytePath,
  directory: boolean,
): boolean {
  for (let level = rules; level !== undefined; level = level.above) {
    const below = path.slice(level.baseLength);
    for (const pattern of level.patterns) {
      if (pattern.directoryOnly && !directory) continue;
      if (pattern.matches(below, name)) return !pattern.negated;
    }
  }
  return false;
}
