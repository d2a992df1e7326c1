/**
 * What is known of a mount's rescues beside the files themselves: that everything up to some time has
 * been saved elsewhere, so that no later session is given work again that was pushed long ago; and
 * which rescue a clone was made from.
 */
import { readFile, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { errnoOf } from '../errors.ts';
import { mountKey } from '../mount-key.ts';
import { toBytePath } from '../repository/byte-path.ts';
import { readBytesAsText } from '../repository/read-file.ts';
import type { RescueNote } from '../rescue-note.ts';
import type { RescueHeader } from './format.ts';
import { describeCounts } from './counts.ts';
import { RESTORED_NAME } from './restore-journal.ts';
import { listRescues } from './shelf.ts';

interface MountOnShelf {
  readonly url: string;
  readonly mountPath: string;
}

/** The newest rescue of the mount that holds what nobody has saved since; null without one. */
export async function findRestorable(
  directory: string,
  mount: MountOnShelf,
): Promise<RescueNote | null> {
  const [newest] = await listRescues(directory, mount);
  if (newest === undefined) return null;
  const settledAt = await readSettled(directory, mount.mountPath);
  if (settledAt !== null && newest.header.created_at <= settledAt) return null;
  return noteOf(newest.file, newest.header);
}

/** From now on nothing before `at` is work that somebody misses. */
export async function settle(directory: string, mountPath: string, at: Date): Promise<void> {
  const path = settledPath(directory, mountPath);
  await writeFile(`${path}.new`, `${JSON.stringify({ settled_at: at.toISOString() })}\n`);
  await rename(`${path}.new`, path);
}

async function readSettled(directory: string, mountPath: string): Promise<string | null> {
  try {
    const text = await readFile(settledPath(directory, mountPath), 'utf8');
    const { settled_at: at } = (JSON.parse(text) ?? {}) as { settled_at?: unknown };
    return typeof at === 'string' ? at : null;
  } catch (error) {
    // In doubt nothing is settled: work that is offered once too often is not lost.
    if (errnoOf(error) === 'ENOENT' || error instanceof SyntaxError) return null;
    throw error;
  }
}

function settledPath(directory: string, mountPath: string): string {
  return join(directory, `${mountKey(mountPath)}.settled.json`);
}

export function noteOf(file: string, header: RescueHeader): RescueNote {
  const { created_at, session_id, counts, operation } = header;
  return { file, created_at, session_id, covers: describeCounts(counts, operation), gaps: [] };
}

/** When the rescue was taken that the clone at a mount was restored from; null for none. */
export function restoredFrom(mount: string): string | null {
  const path = `${toBytePath(mount)}/.git/${RESTORED_NAME}`;
  const text = readBytesAsText(path, { noFollow: true });
  return /"created_at":"([0-9TZ:.-]+)"/.exec(text ?? '')?.[1] ?? null;
}
