/**
 * A clone that is made again, and the rescue of what its mount held before: announced, or put back
 * before anybody sees the clone. In: the clone in its staging; out: whether it may be published. A
 * restore that fails leaves nothing behind but its reason.
 */
import type { Config } from './cli.ts';
import { toAgentError } from './errors.ts';
import type { Environment, Owner } from './host.ts';
import type { Log } from './log.ts';
import { readJournal } from './rescue/restore-journal.ts';
import { inspectInProcess, restoreInProcess } from './rescue/rescue-process.ts';
import type { Resource } from './resource.ts';
import type { RescueNote } from './rescue-note.ts';
import type { StatusTable } from './status.ts';
import { toBytePath } from './repository/byte-path.ts';

export interface BootRestoreContext {
  readonly config: Config;
  readonly env: Environment;
  readonly owner: Owner | null;
  readonly status: StatusTable;
  readonly log: Log;
  readonly signal: AbortSignal;
}

/** The rescue that a fresh clone of the resource should be given; null for none. */
export async function offerRescue(
  { url, mountPath }: Resource,
  { config, status, log }: BootRestoreContext,
): Promise<RescueNote | null> {
  if (config.rescueDir === null) return null;
  try {
    // What it reads archives with takes 2 ms to load.
    const { findRestorable } = await import('./rescue/shelf-notes.ts');
    const note = await findRestorable(config.rescueDir, { url, mountPath });
    if (note === null) return null;
    status.update(mountPath, { restorable: note });
    const { file, created_at, session_id, covers } = note;
    log.warn(
      { file, created_at, session_id, covers },
      `work from ${created_at} can be restored with: mount-agent restore ${file} ${mountPath}`,
    );
    return note;
  } catch (error) {
    log.error({ err: toAgentError(error) }, 'rescues cannot be looked for');
    return null;
  }
}

/** What an announced rescue does not hold is lost for good: it takes a reading of all of it to know. */
export async function tellGaps(
  { mountPath }: Resource,
  note: RescueNote,
  context: BootRestoreContext,
): Promise<void> {
  const { status, log, signal } = context;
  const { file } = note;
  const gaps = await gapsOf(file, context);
  const restorable = status.mount(mountPath)?.restorable;
  if (gaps.length === 0 || signal.aborted || restorable?.file !== file) return;
  status.update(mountPath, { restorable: { ...restorable, gaps } });
  log.warn({ file, gaps }, 'not all of the work can be restored');
}

async function gapsOf(
  file: string,
  { env, owner, signal, log }: BootRestoreContext,
): Promise<readonly string[]> {
  try {
    return (await inspectInProcess({ kind: 'inspect', file }, { env, owner, signal, log })).gaps;
  } catch (error) {
    const { message, code } = toAgentError(error);
    return [`it cannot be restored: ${message} (${code})`];
  }
}

/** @returns false when it failed: the clone may be half restored, and has to be made again. */
export async function restoreInto(
  clone: string,
  { mountPath }: Resource,
  note: RescueNote,
  context: BootRestoreContext,
): Promise<boolean> {
  const { env, owner, status, log, signal } = context;
  try {
    const { notRestored, lost, repositories } = await restoreInProcess(
      { kind: 'restore', file: note.file, mount: clone, mountPath },
      { env, owner, signal, log },
    );
    const gaps = [...notRestored.map(({ what, why }) => `${what}: ${why}`), ...lost];
    status.update(mountPath, { restorable: null, restored: { ...note, gaps } });
    log.warn({ file: note.file, repositories, gaps }, `work from ${note.created_at} restored`);
    return true;
  } catch (error) {
    signal.throwIfAborted();
    const failure = toAgentError(error);
    const gaps = [`it could not be restored: ${failure.message} (${failure.code})`];
    status.update(mountPath, { restorable: { ...note, gaps } });
    log.error({ err: failure, file: note.file }, 'the rescue could not be restored');
    return false;
  }
}

/** A clone from before, in which a restore was ended in the middle, goes on being restored or says so. */
export async function resumeRestore(
  resource: Resource,
  context: BootRestoreContext,
): Promise<void> {
  const { mountPath } = resource;
  const journal = readJournal(`${toBytePath(mountPath)}/.git`);
  if (journal === null) return;
  const { config, log, status } = context;
  const gap = 'its restore was ended in the middle: until it is run again, the clone is neither';
  const note: RescueNote = {
    ...{ file: journal.file, created_at: '', session_id: null, covers: [], gaps: [gap] },
  };
  status.update(mountPath, { restorable: note });
  log.error(
    { file: journal.file },
    `a restore was ended in the middle; run it again: mount-agent restore ${journal.file} ${mountPath}`,
  );
  if (config.restore === 'auto') await restoreInto(mountPath, resource, note, context);
}
