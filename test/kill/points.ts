/** Where a program can be killed: each call that changes something, in the order in which it comes. */
import { readFileSync, rmSync } from 'node:fs';
import { Random } from '../fuzz/random.ts';

/** Calls that change the disk, and `write` and `openat`, which often do. */
const MUTATING = [
  ...['mkdir', 'mkdirat', 'rename', 'renameat', 'renameat2', 'unlink', 'unlinkat', 'rmdir'],
  ...['fsync', 'fdatasync', 'chmod', 'fchmod', 'fchmodat', 'chown', 'fchown', 'fchownat', 'lchown'],
  ...['symlink', 'symlinkat', 'link', 'linkat', 'truncate', 'ftruncate', 'fallocate', 'utimensat'],
  ...['pwrite64', 'writev', 'pwritev', 'copy_file_range', 'sendfile', 'write', 'openat'],
];
/** Most of these calls wake a thread or read a file. */
const MOSTLY_HARMLESS = new Set(['write', 'openat']);

export interface KillPoint {
  readonly call: string;
  /** The n-th of its kind in a thread. */
  readonly nth: number;
}

/** What runs the program so that it is disturbed at a point. */
export type Disturbance = (point: KillPoint) => string[];

export function traceTo(path: string): string[] {
  return ['strace', '-f', '-qq', '-o', path, '-e', `trace=${MUTATING.join()}`];
}

/** strace counts in each thread; whichever comes to the n-th first is killed, and all with it. */
export function killingAt({ call, nth }: KillPoint): string[] {
  return ['strace', '-f', '-qq', '-o', '/dev/null', '-e', `inject=${call}:signal=KILL:when=${nth}`];
}

/** The same call fails instead, as a disk, a limit or a mount option makes it fail. */
export function failingAt(errno: string): Disturbance {
  return ({ call, nth }) => {
    const inject = `inject=${call}:error=${errno}:when=${nth}`;
    return ['strace', '-f', '-qq', '-o', '/dev/null', '-e', inject];
  };
}

/** Every point of a run that was traced to `path`, which is removed. */
export function pointsIn(path: string): KillPoint[] {
  const counts = new Map<string, Map<string, number>>();
  for (const line of readFileSync(path, 'latin1').split('\n')) {
    const [, thread = '', call = ''] = /^(\d+) +(\w+)\(/.exec(line) ?? [];
    if (call === '') continue;
    const threads = counts.get(call) ?? new Map<string, number>();
    counts.set(call, threads.set(thread, (threads.get(thread) ?? 0) + 1));
  }
  rmSync(path);
  return [...counts].flatMap(([call, threads]) => {
    const most = Math.max(...threads.values());
    return Array.from({ length: most }, (_, at) => ({ call, nth: at + 1 }));
  });
}

/** `count` of the points, the same ones for the same seed, most of them where the disk changes. */
export function sampleOf(points: readonly KillPoint[], count: number, seed: number): KillPoint[] {
  const random = new Random(seed);
  const left = points.filter(({ call }) => !MOSTLY_HARMLESS.has(call) || random.chance(0.1));
  const chosen: KillPoint[] = [];
  while (chosen.length < count && left.length > 0) {
    chosen.push(...left.splice(random.below(left.length), 1));
  }
  return chosen;
}
