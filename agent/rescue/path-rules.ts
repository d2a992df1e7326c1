/**
 * Paths of a rescue: nothing out, or RESCUE_PATH_REFUSED. A worktree's path is held against the same
 * rules as a tree's (path-safety.ts); two things never meet in one place, and nothing lies below a file.
 */
import { MODE } from '../checkout/index-entry.ts';
import { MAX_PATH_BYTES, verifyName } from '../checkout/path-safety.ts';
import { AgentError, CheckoutError } from '../errors.ts';
import { displayPath } from '../repository/byte-path.ts';
import type { BytePath } from '../repository/byte-path.ts';

/** @throws RESCUE_PATH_REFUSED unless every component may stand in a worktree. */
export function checkWorktreePath(path: BytePath, mode: number): void {
  if (path.length > MAX_PATH_BYTES) throw refusedPath(path.slice(0, 80), 'is too long');
  const components = path.split('/');
  for (const [at, name] of components.entries()) {
    checkComponent(name, path, at === components.length - 1 ? mode : MODE.directory);
  }
}

/** The same for one that starts at the root of the file system. */
export function checkAbsolutePath(path: BytePath): void {
  checkWorktreePath(path.slice(1), MODE.directory);
}

function checkComponent(name: string, path: BytePath, mode: number): void {
  try {
    if (name.includes('\0')) throw refusedPath(path, 'has a NUL in it');
    verifyName(Buffer.from(name, 'latin1'), mode);
  } catch (error) {
    if (!(error instanceof CheckoutError)) throw error;
    throw refusedPath(path, error.message, error);
  }
}

/** Where everything of a rescue goes. */
export class Places {
  readonly #places = new Map<BytePath, 'file' | 'directory'>();

  /** @throws RESCUE_PATH_REFUSED when the place is taken, or lies below a file or link. */
  occupy(path: BytePath, kind: 'file' | 'directory'): void {
    const places = this.#places;
    for (let end = path.indexOf('/', 1); end !== -1; end = path.indexOf('/', end + 1)) {
      const above = path.slice(0, end);
      if (places.get(above) === 'file') throw refusedPath(path, 'lies below a file or a link');
      places.set(above, 'directory');
    }
    const there = places.get(path);
    if (there !== undefined && (there === 'file' || kind === 'file')) {
      throw refusedPath(path, 'comes twice');
    }
    places.set(path, kind);
  }
}

export function joinPath(base: BytePath, path: BytePath): BytePath {
  return base === '' ? path : `${base}/${path}`;
}

export function refusedPath(path: BytePath, why: string, cause?: unknown): AgentError {
  const text = JSON.stringify(displayPath(path));
  return new AgentError('RESCUE_PATH_REFUSED', `the path ${text} ${why}`, { cause });
}
