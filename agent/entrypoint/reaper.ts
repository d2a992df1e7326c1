/**
 * Whoever is PID 1 inherits the processes that others leave behind, and has to wait for them, else
 * they stay as zombies until the table of processes is full. Node waits only for what it started
 * itself. As PID 1 we therefore start the command under tini as a subreaper (prctl(2),
 * PR_SET_CHILD_SUBREAPER) where there is a tini, and say so where there is none.
 */
import { accessSync, constants, statSync } from 'node:fs';
import { join } from 'node:path';
import { errnoOf } from '../errors.ts';
import type { Log } from '../log.ts';

const REAPERS = ['tini', 'docker-init'];

/** @param pid ours. @returns the command as it is to be started. */
export function withReaper(
  command: readonly string[],
  { path, pid, log }: { readonly path: string; readonly pid: number; readonly log: Log },
): readonly string[] {
  if (pid !== 1) return command;
  const reaper = REAPERS.map((name) => findProgram(name, path)).find((found) => found !== null);
  if (reaper === undefined) {
    log.warn('running as PID 1 without tini: what the command leaves behind stays as zombies');
    return command;
  }
  // A command that cannot be started is for us to name, with its own error.
  if (findProgram(command[0] ?? '', path) === null) return command;
  // -s: subreaper; -g: signals to the whole group that it puts the command into.
  return [reaper, '-s', '-g', '--', ...command];
}

/** As execvp(3) looks for it. */
function findProgram(name: string, path: string): string | null {
  const candidates = name.includes('/')
    ? [name]
    : path.split(':').map((at) => join(at || '.', name));
  return candidates.find(isExecutable) ?? null;
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return statSync(path).isFile();
  } catch (error) {
    if (errnoOf(error) === undefined) throw error;
    return false;
  }
}
