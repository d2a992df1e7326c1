/**
 * Paths as Git has them: bytes. A BytePath is a string with one byte per character ("latin1"), so
 * that names in any encoding survive, compare in Git's order, and cost no Buffer each.
 */
export type BytePath = string;

const ASCII = /^[\0-\x7f]*$/;

/** An ordinary string (a worktree's path, a directory of the system) as a BytePath. */
export function toBytePath(path: string): BytePath {
  return ASCII.test(path) ? path : Buffer.from(path, 'utf8').toString('latin1');
}

/** What node:fs takes for a BytePath. */
export function fsPath(path: BytePath): string | Buffer {
  return ASCII.test(path) ? path : Buffer.from(path, 'latin1');
}

/** For people and JSON; bytes that are not UTF-8 become U+FFFD. */
export function displayPath(path: BytePath): string {
  return ASCII.test(path) ? path : Buffer.from(path, 'latin1').toString('utf8');
}

/** True when the path's bytes are UTF-8: an API that takes strings only can reach it. */
export function isUtf8(path: BytePath): boolean {
  return ASCII.test(path) || toBytePath(displayPath(path)) === path;
}
