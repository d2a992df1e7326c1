/**
 * `owner.json` in a staging directory: says that mount-agent made it, for which mount path, and
 * which process did. A staging whose process has ended is stale. A process is told from a later one
 * with the same number by its start time and the boot it belongs to, see proc_pid_stat(5).
 */
import { open, readFile, rename } from 'node:fs/promises';
import { join } from 'node:path';
import { unlessAbsent } from './mount-errors.ts';
import { readJsonObject } from './json-file.ts';

export const OWNER_FILE = 'owner.json';
export const OWNER_FILE_DRAFT = 'owner.json.new';
const MADE_BY = 'mount-agent';
/** Of /proc/PID/stat, counted from 0 after the command's closing parenthesis. */
const START_TIME_FIELD = 19;

interface StagingOwner {
  readonly mountPath: string;
  readonly pid: number;
  /** Names the process for good; null where there is no /proc. */
  readonly incarnation: string | null;
}

export async function writeStagingOwner(directory: string, mountPath: string): Promise<void> {
  const draft = join(directory, OWNER_FILE_DRAFT);
  {
    await using file = await open(draft, 'wx', 0o600);
    const incarnation = await incarnationOf(process.pid);
    const owner = { made_by: MADE_BY, mount_path: mountPath, pid: process.pid, incarnation };
    await file.writeFile(`${JSON.stringify(owner)}\n`);
    await file.sync();
  }
  await rename(draft, join(directory, OWNER_FILE));
}

/** null when the file is absent or not one of ours. */
export function readStagingOwner(directory: string): StagingOwner | null {
  const owner = readJsonObject(join(directory, OWNER_FILE)) ?? {};
  const { made_by: madeBy, mount_path: mountPath, pid, incarnation } = owner;
  if (madeBy !== MADE_BY || typeof mountPath !== 'string' || typeof pid !== 'number') return null;
  return { mountPath, pid, incarnation: typeof incarnation === 'string' ? incarnation : null };
}

/** True while another process that made a staging is still there to finish it. */
export async function isOtherLiveProcess({ pid, incarnation }: StagingOwner): Promise<boolean> {
  return pid !== process.pid && incarnation !== null && (await incarnationOf(pid)) === incarnation;
}

async function incarnationOf(pid: number): Promise<string | null> {
  const boot = await unlessAbsent(readFile('/proc/sys/kernel/random/boot_id', 'utf8'));
  const stat = await unlessAbsent(readFile(`/proc/${pid}/stat`, 'utf8'));
  if (boot === null || stat === null) return null;
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return `${boot.trim()}/${fields[START_TIME_FIELD] ?? ''}`;
}
