/**
 * Where a program can be killed: each call that changes the disk, as strace tells it. A call is counted
 * in its thread, because strace counts so when it kills; a `write` to a pipe or an `openat` for reading
 * counts and is no point.
 */
import { existsSync, readFileSync, rmSync } from 'node:fs';
import { Random } from '../fuzz/random.ts';

const MUTATING = [
  ...['mkdir', 'mkdirat', 'rename', 'renameat', 'renameat2', 'unlink', 'unlinkat', 'rmdir'],
  ...['fsync', 'fdatasync', 'chmod', 'fchmod', 'fchmodat', 'chown', 'fchown', 'fchownat', 'lchown'],
  ...['symlink', 'symlinkat', 'link', 'linkat', 'truncate', 'ftruncate', 'fallocate', 'utimensat'],
  ...['pwrite64', 'writev', 'pwritev', 'copy_file_range', 'sendfile', 'write', 'openat'],
];
/** What strace writes about a call with its thread: "12 write(7</tmp/x>, …". */
const CALL = /^(\d+) +(\w+)\((.*)/;
const FD_CALLS = new Set([
  ...['write', 'writev', 'pwrite64', 'pwritev', 'fsync', 'fdatasync', 'fchmod', 'fchown'],
  ...['ftruncate', 'fallocate', 'sendfile', 'copy_file_range'],
]);
const OPENS_FOR_WRITING = /O_(?:WRONLY|RDWR|CREAT|TRUNC)/;

export interface KillPoint {
  readonly call: string;
  /** The n-th of its kind in a thread. */
  readonly nth: number;
}

/** What runs the program so that it is disturbed at a point; what strace says goes to `record`. */
export type Disturbance = (point: KillPoint, record?: string) => string[];

/** `-y`: file descriptors with their paths. */
function strace(record: string, ...what: string[]): string[] {
  return ['strace', '-f', '-qq', '-y', '-o', record, ...what];
}

export function traceTo(path: string): string[] {
  return strace(path, '-e', `trace=${MUTATING.join()}`);
}

/** strace counts in each thread; whichever comes to the n-th first is killed, and all with it. */
export const killingAt: Disturbance = ({ call, nth }, record = '/dev/null') => {
  return strace(record, '-e', `trace=${call}`, '-e', `inject=${call}:signal=KILL:when=${nth}`);
};

/** The same call fails instead, as a disk, a limit or a mount option makes it fail. */
export function failingAt(errno: string): Disturbance {
  return ({ call, nth }, record = '/dev/null') => {
    const inject = `inject=${call}:error=${errno}:when=${nth}`;
    return strace(record, '-e', `trace=${call}`, '-e', inject);
  };
}

/** Every point of a run that was traced to `path`, which is removed. */
export function pointsIn(path: string): KillPoint[] {
  const counts = new Map<string, number>();
  const points = new Map<string, KillPoint>();
  for (const line of readFileSync(path, 'latin1').split('\n')) {
    const [, thread = '', call = '', rest = ''] = CALL.exec(line) ?? [];
    if (call === '') continue;
    const nth = (counts.get(`${thread} ${call}`) ?? 0) + 1;
    counts.set(`${thread} ${call}`, nth);
    if (changesDisk(call, rest)) points.set(`${call} ${nth}`, { call, nth });
  }
  rmSync(path);
  return [...points.values()];
}

/** The call at which a run ended, by its record, which is removed; undefined when it went through. */
export function lastCallIn(record: string): string | undefined {
  if (!existsSync(record)) return undefined;
  const lines = readFileSync(record, 'latin1').split('\n');
  rmSync(record);
  const isKilled = lines.some((line) => line.includes('killed by SIGKILL'));
  const injected = lines.filter((line) => line.includes('(INJECTED)'));
  const at = isKilled
    ? lines.findLast((line) => / = \?$|<unfinished \.\.\.>$/.test(line) && CALL.test(line))
    : injected.at(-1);
  const [, , call = '', rest = ''] = CALL.exec(at ?? '') ?? [];
  return changesDisk(call, rest) ? `${call}(${rest}` : undefined;
}

function changesDisk(call: string, rest: string): boolean {
  if (call === 'openat') return OPENS_FOR_WRITING.test(rest) && !rest.includes('"/dev/');
  // A pipe, a socket or an eventfd has no path that begins with a slash.
  if (FD_CALLS.has(call)) return /^\d+<\/(?!dev\/|proc\/)/.test(rest);
  return call !== '';
}

/** `count` of the points, the same ones for the same seed. */
export function sampleOf(points: readonly KillPoint[], count: number, seed: number): KillPoint[] {
  const random = new Random(seed);
  const left = [...points];
  const chosen: KillPoint[] = [];
  while (chosen.length < count && left.length > 0) {
    chosen.push(...left.splice(random.below(left.length), 1));
  }
  return chosen;
}
