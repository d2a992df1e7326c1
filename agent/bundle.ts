/**
 * In: a file of CommonJS that the build made. Out: its program, running. V8's code cache beside it has
 * what an earlier run compiled, and is refused by V8, harmlessly, when it is not from the same V8 with
 * the same flags, or not for a text of the same length.
 */
import type { ChildProcess } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { Script } from 'node:vm';

type Program = (
  require: (id: string) => unknown,
  filename: string,
  dirname: string,
  spare: ChildProcess | null,
) => void;

export interface Bundle {
  /** @param spare see start-main.ts. */
  run(spare?: ChildProcess | null): void;
  /** Whether there was a cache that V8 could use. */
  readonly cached: boolean;
  /** All that is compiled by now, for the next start. */
  createCache(): Buffer;
}

export function cachePathOf(bundlePath: string): string {
  return bundlePath.replace(/\.js$/, '.cache');
}

/**
 * @param path of a file in ASCII: a Program's function expression. It stands there whole, because V8 would
 * copy a text that is put together here, all of it.
 */
export function loadBundle(path: string): Bundle {
  const text = readFileSync(path, 'latin1');
  const cachedData = readCache(cachePathOf(path));
  const script = new Script(text, {
    filename: path,
    ...(cachedData === null ? {} : { cachedData }),
  });
  return {
    run(spare = null) {
      const program = script.runInThisContext() as Program;
      // All else is in the bundle.
      program((id) => process.getBuiltinModule(id), path, dirname(path), spare);
    },
    cached: script.cachedDataRejected === false,
    createCache: () => script.createCachedData(),
  };
}

/** The program runs without one, whatever the reason. */
function readCache(path: string): Buffer | null {
  try {
    return readFileSync(path);
  } catch (error) {
    if (error instanceof Error && 'code' in error) return null;
    throw error;
  }
}
