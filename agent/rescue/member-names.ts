/**
 * A path in a repository in; the name of its member out: the path itself where tar and people can take
 * it as it is, a number where not. What counts is the path in the manifest.
 */
import { CheckoutError } from '../errors.ts';
import { MODE } from '../checkout/index-entry.ts';
import { verifyName } from '../checkout/path-safety.ts';
import { displayPath, isUtf8 } from '../repository/byte-path.ts';
import type { BytePath } from '../repository/byte-path.ts';

/** Control characters, a backslash, empty components, `.` and `..`. */
const ODD = /[\p{Cc}\\]|(?:^|\/)\.{0,2}(?:\/|$)/u;
const LONGEST_BYTES = 1024;

/** Its path is given as base64, UTF-8 or not: a shell can read it. */
interface NumberedName {
  readonly name: string;
  readonly path_base64: string;
}

export class MemberNames {
  readonly #base: string;
  #numbered = 0;

  constructor(repository: number) {
    this.#base = `repositories/${repository}`;
  }

  /** @param folder `git`, `worktree`, `symlinks`; or below `again/<round>/`. */
  of(folder: string, path: BytePath): { name: string; path: string } | NumberedName {
    if (path.length <= LONGEST_BYTES && isUtf8(path) && !ODD.test(path)) {
      const text = displayPath(path);
      return { name: `${this.#base}/${folder}/${text}`, path: text };
    }
    const name = `${this.#base}/by-number/${this.#numbered++}`;
    return { name, path_base64: Buffer.from(path, 'latin1').toString('base64') };
  }

  fixed(name: string): string {
    return `${this.#base}/${name}`;
  }
}

/** Whether Git itself would refuse to write there (checkout/path-safety.ts). */
export function isRefusedPath(path: BytePath, isSymlink: boolean): boolean {
  try {
    const names = path.split('/');
    for (const [at, name] of names.entries()) {
      const isLast = at === names.length - 1;
      verifyName(Buffer.from(name, 'latin1'), isLast && isSymlink ? MODE.symlink : MODE.regular);
    }
    return false;
  } catch (error) {
    if (error instanceof CheckoutError) return true;
    throw error;
  }
}
