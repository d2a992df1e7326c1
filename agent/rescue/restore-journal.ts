/**
 * `mount-agent-restore.json` in a Git directory: a restore has begun to put its stage in place. While
 * it is there the clone is neither as it was nor restored; the same restore, run again, ends that.
 */
import { closeSync, fsyncSync, openSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { fsPath } from '../repository/byte-path.ts';
import type { BytePath } from '../repository/byte-path.ts';
import { readBytesAsText } from '../repository/read-file.ts';

export const JOURNAL_NAME = 'mount-agent-restore.json';
/** Stays in the Git directory: from which rescue its clone was restored. */
export const RESTORED_NAME = 'mount-agent-restored.json';

export interface RestoreJournal {
  /** Which rescue: the SHA-256 of its manifest. */
  readonly rescue: string;
  /** Where it was read from, for people. */
  readonly file: string;
}

/** null when there is none, or none that can be read. */
export function readJournal(gitdir: BytePath): RestoreJournal | null {
  const text = readBytesAsText(`${gitdir}/${JOURNAL_NAME}`, { noFollow: true });
  if (text === undefined) return null;
  try {
    const value = JSON.parse(Buffer.from(text, 'latin1').toString()) as unknown;
    const { rescue, file } = (value ?? {}) as Partial<RestoreJournal>;
    if (typeof rescue === 'string' && typeof file === 'string') return { rescue, file };
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
  }
  return { rescue: '', file: '' };
}

export function writeJournal(gitdir: BytePath, journal: RestoreJournal): void {
  const path = `${gitdir}/${JOURNAL_NAME}`;
  writeFileSync(fsPath(`${path}.new`), `${JSON.stringify(journal)}\n`, { mode: 0o600 });
  sync(`${path}.new`);
  renameSync(fsPath(`${path}.new`), fsPath(path));
  sync(gitdir);
}

export function removeJournal(gitdir: BytePath): void {
  rmSync(fsPath(`${gitdir}/${JOURNAL_NAME}`), { force: true });
  sync(gitdir);
}

/** What the clone was restored from, for whoever asks later. */
export function writeNote(gitdir: BytePath, createdAt: string): void {
  const path = `${gitdir}/${RESTORED_NAME}`;
  writeFileSync(fsPath(`${path}.new`), `${JSON.stringify({ created_at: createdAt })}\n`);
  renameSync(fsPath(`${path}.new`), fsPath(path));
}

/** To the disk; nothing when it is not there. */
export function sync(path: BytePath): void {
  const fd = openSync(fsPath(path), 'r');
  try {
    fsyncSync(fd);
  } finally {
    closeSync(fd);
  }
}
