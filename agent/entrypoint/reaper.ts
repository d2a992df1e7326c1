/**
 * Whoever is PID 1 inherits the processes that others leave behind, and has to wait for them, else
 * they stay as zombies until the table of processes is full. Node waits only for what it started
 * itself. As PID 1 we therefore start the command under tini as a subreaper (prctl(2),
 * PR_SET_CHILD_SUBREAPER) where there is a tini, and say so where there is none.
 */
import { accessSync, constants, statSync } from 'node:fs';
import { join } from 'node:path';
import { errnoOf } from '../errors.ts';

export interface Reaped {
  readonly command: readonly string[];
  /** Nobody will wait for what the command leaves behind. */
  readonly leavesZombies: boolean;
}

/** For the log. */
export const NO_REAPER =
  'running as PID 1 without tini: what the command leaves behind stays as zombies; start the container with "tini --" before mount-agent, or with docker run --init';

const REAPERS = ['tini', 'docker-init'];

/** @param pid ours. */
export function withReaper(command: readonly string[], path: string, pid: number): Reaped {
  if (pid !== 1) return { command, leavesZombies: false };
  const reaper = REAPERS.map((name) => findProgram(name, path)).find((found) => found !== null);
  if (reaper === undefined) return { command, leavesZombies: true };
  // A command that cannot be started is for us to name, with its own error.
  const [program = ''] = command;
  if (findProgram(program, path) === null) return { command, leavesZombies: false };
  // -s: subreaper; -g: signals to the whole group that it puts the command into.
  return { command: [reaper, '-s', '-g', '--', ...command], leavesZombies: false };
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
