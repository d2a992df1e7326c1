/**
 * Reads a file that somebody else may have put there: regular files of bounded size only, links
 * not followed, FIFOs and devices not waited for. null stands for "no such file to be read".
 */
import { constants } from 'node:fs';
import { open } from 'node:fs/promises';
import { errnoOf } from '../errors.ts';

const { O_RDONLY, O_NOFOLLOW, O_NONBLOCK } = constants;
/** Absent, below something that is no directory, a symbolic link, a socket. */
const NOT_A_FILE = new Set(['ENOENT', 'ENOTDIR', 'ELOOP', 'ENXIO']);

/** @returns the bytes, or null when it is absent, not a regular file, or over the limit. */
export async function readSmallFile(path: string, limitBytes: number): Promise<Buffer | null> {
  try {
    await using file = await open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK);
    const stats = await file.stat();
    if (!stats.isFile() || stats.size > limitBytes) return null;
    return await file.readFile();
  } catch (error) {
    if (NOT_A_FILE.has(errnoOf(error) ?? '')) return null;
    throw error;
  }
}

/** The value of a JSON text, or null when it is none. */
export function parseJson(text: Buffer): unknown {
  try {
    return JSON.parse(text.toString()) as unknown;
  } catch (error) {
    if (error instanceof SyntaxError) return null;
    throw error;
  }
}
