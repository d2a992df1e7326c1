/**
 * Has the system read many directories from disk, several at once, ahead of a walk that reads one
 * after the other. Only what is in the system's cache becomes another; nothing waits for it, and
 * nothing depends on what comes back. Where they are in memory already (after a clone they are) it
 * would cost 70 ms of CPU for 5,000 and gain nothing: a few are tried first.
 */
import { access, lstatSync } from 'node:fs';
import { errnoOf } from '../errors.ts';
import { fsPath } from '../repository/byte-path.ts';
import type { BytePath } from '../repository/byte-path.ts';
import type { DirectoryContext } from '../repository/directory-reading.ts';

const LEAST_DIRECTORIES = 500;
/** Kept going while the walk holds up the event loop for a slice; libuv works on four at a time. */
const AT_ONCE = 256;
const SAMPLES = 16;
/** One may have been held up by something else than the disk. */
const ENOUGH_SLOW = 2;
/** In memory a file is found in 0.01 ms; a disk is asked two or three times for it. */
const SLOW_MS = 0.1;

export function warmUp(context: DirectoryContext, prefixes: readonly BytePath[]): void {
  if (prefixes.length < LEAST_DIRECTORIES || isInMemory(context, prefixes)) return;
  const left = prefixes.values();
  const goOn = (): void => {
    for (const prefix of left) {
      const path = firstFileOf(context, prefix);
      if (path === undefined) continue;
      access(path, goOn);
      return;
    }
  };
  for (let started = 0; started < AT_ONCE; started++) goOn();
}

/** To find one entry of a directory its block has to be read, and most have one. */
function firstFileOf(
  { repository, index }: DirectoryContext,
  prefix: BytePath,
): string | Buffer | undefined {
  const first = index.directory(prefix)?.positions[0];
  return first === undefined ? undefined : fsPath(`${repository.worktree}/${index.path(first)}`);
}

function isInMemory(context: DirectoryContext, prefixes: readonly BytePath[]): boolean {
  let slow = 0;
  for (let sample = 0; sample < SAMPLES && slow < ENOUGH_SLOW; sample++) {
    const prefix = prefixes[Math.floor((sample * prefixes.length) / SAMPLES)];
    const path = prefix === undefined ? undefined : firstFileOf(context, prefix);
    if (path === undefined) continue;
    const startedAt = performance.now();
    try {
      lstatSync(path, { throwIfNoEntry: false });
    } catch (error) {
      // Who reads the directory meets it again, and says what it means.
      if (errnoOf(error) === undefined) throw error;
    }
    if (performance.now() - startedAt > SLOW_MS) slow++;
  }
  return slow < ENOUGH_SLOW;
}
