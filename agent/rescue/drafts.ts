/**
 * A rescue while it is written, and a directory while it is restored: the name says which process is at
 * it, so that the next one knows what a killed one has left behind. Removed is only what is ours by its
 * name and of no living process; of another container or machine, which cannot be asked, only what is a
 * day old.
 */
import { createHash, randomBytes } from 'node:crypto';
import { lstatSync, readFileSync, readdirSync, readlinkSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { errnoOf } from '../errors.ts';
import { statOrUndefined } from '../repository/repository.ts';

const DRAFT = /^\.(.+)\.([0-9a-f]{8})-(\d+)-(\d+)\.[0-9a-f]{12}$/;
/** Of files. */
const RESCUE = /\.rescue\.tar\.gz$/;
const STRANGERS_AGE_MS = 24 * 3_600_000;
/** Of /proc/PID/stat, counted from 0 after the command's closing parenthesis. */
const START_TIME_FIELD = 19;

/** @param name of the rescue, or of the directory. */
export function draftName(name: string): string {
  const started = startOf(process.pid) ?? '0';
  return `.${name}.${realm()}-${process.pid}-${started}.${randomBytes(6).toString('hex')}`;
}

/** Of rescues. @returns the names that are gone. */
export function sweepDrafts(directory: string): string[] {
  return sweep(directory, (name, isFile) => isFile && RESCUE.test(name));
}

/** Of a directory of that name. */
export function sweepDirectoryDrafts(directory: string, name: string): string[] {
  return sweep(directory, (other, isFile) => !isFile && other === name);
}

function sweep(directory: string, isOurs: (name: string, isFile: boolean) => boolean): string[] {
  const swept: string[] = [];
  const user = process.geteuid?.() ?? 0;
  for (const name of readdirSync(directory)) {
    const [, own = '', home, pid, started] = DRAFT.exec(name) ?? [];
    if (home === undefined || pid === undefined) continue;
    const stats = statOrUndefined(() => lstatSync(join(directory, name)));
    if (stats === undefined || (!stats.isFile() && !stats.isDirectory())) continue;
    // Processes of others may be hidden from this one.
    if (!isOurs(own, stats.isFile()) || (user !== 0 && stats.uid !== user)) continue;
    const isLiving =
      home === realm()
        ? startOf(Number(pid)) === started
        : Date.now() - stats.mtimeMs < STRANGERS_AGE_MS;
    if (!isLiving && remove(join(directory, name))) swept.push(name);
  }
  return swept;
}

/** What stands in the way of removing one does not stand in the way of a rescue. */
function remove(path: string): boolean {
  try {
    rmSync(path, { recursive: true });
    return true;
  } catch (error) {
    if (!['ENOENT', 'ENOTEMPTY', 'EACCES', 'EPERM', 'EROFS'].includes(errnoOf(error) ?? ''))
      throw error;
    return false;
  }
}

/** Where a process number means the same: one boot, one PID namespace. Zeros where there is no /proc. */
function realm(): string {
  const boot = statOrUndefined(() => readFileSync('/proc/sys/kernel/random/boot_id', 'utf8'));
  const space = statOrUndefined(() => readlinkSync('/proc/self/ns/pid'));
  if (boot === undefined || space === undefined) return '00000000';
  return createHash('sha256').update(`${boot}\0${space}`).digest('hex').slice(0, 8);
}

/** Tells a process from a later one of the same number (proc_pid_stat(5)); undefined: it has ended. */
function startOf(pid: number): string | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
    return stat.slice(stat.lastIndexOf(')') + 2).split(' ')[START_TIME_FIELD];
  } catch (error) {
    if (['ENOENT', 'ESRCH'].includes(errnoOf(error) ?? '')) return undefined;
    throw error;
  }
}
