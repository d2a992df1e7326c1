/**
 * How a clone process is started (see clone-processes.ts for what it is for): the C library's
 * settings, and how far it stands back. Small, because main.js runs it first of all.
 */
import type { ChildProcess } from 'node:child_process';
import type { Environment, Owner } from '../host.ts';
import { startJobProcess } from '../job-start.ts';
import { builtFile } from '../own-files.ts';

/**
 * For glibc, others ignore it. Left alone, it takes up to 32 MiB from the heap once as much was freed,
 * never gives that back, and fills new tables with zeros, whose pages the system then commits at once.
 * From 64 KiB on: 13 MB less a process than from 1 MiB on.
 */
const MALLOC_SETTINGS: Environment = {
  MALLOC_MMAP_THRESHOLD_: String(2 ** 16),
  MALLOC_TRIM_THRESHOLD_: String(2 ** 21),
};

/**
 * Probes are answered first: beside five clones on two cores `/livez` took 84 ms at the 99th
 * percentile with the same niceness for all, and takes 17 to 20 ms.
 */
const NICENESS = 5;

export interface SpawnContext {
  readonly env: Environment;
  /** Whose the clones shall be; the daemon's own user unless told. */
  readonly owner?: Owner | null;
  /** The built worker; the one in dist/ unless told. */
  readonly workerPath?: string;
}

export function startCloneProcess({ env, owner, workerPath }: SpawnContext): ChildProcess {
  return startJobProcess(workerPath ?? builtFile('clone-worker.js'), {
    env,
    ...(owner === undefined ? {} : { owner }),
    settings: MALLOC_SETTINGS,
    niceness: NICENESS,
  });
}
