/**
 * The rescue files of one mount in `--rescue-dir`: a name for the next one, the ones that are there,
 * newest first, and the oldest of too many removed. A file counts as ours by its name alone when it is
 * listed, and by its header (this mount, written by a rescue) before it is removed.
 */
import { createReadStream } from 'node:fs';
import { readdir, unlink } from 'node:fs/promises';
import { join } from 'node:path';
import { pipeline } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { createGunzip } from 'node:zlib';
import { extract } from 'tar-stream';
import { AgentError, errnoOf } from '../errors.ts';
import { mountKey } from '../mount-key.ts';
import { HEADER_LIMIT_BYTES, MEMBER, parseHeader } from './format.ts';
import type { RescueHeader } from './format.ts';

export const RESCUE_EXTENSION = '.rescue.tar.gz';
/** Rescues of one mount that are kept. */
const KEPT = 3;
/** zlib has codes as well: Z_DATA_ERROR. */
const SYSTEM_ERRNO = /^E[A-Z]+$/;

export interface ShelvedRescue {
  readonly file: string;
  readonly header: RescueHeader;
}

/** `web-0123456789ab-20260102T030405Z.rescue.tar.gz`; names sort as the times do. */
export function rescueFileName(mountPath: string, createdAt: Date): string {
  const time = createdAt.toISOString().replaceAll(/[-:]|\.\d+/g, '');
  return `${mountKey(mountPath)}-${time}${RESCUE_EXTENSION}`;
}

/**
 * Rescues of the mount, newest first; what cannot be read as one is left out. An empty list when the
 * directory is not there. @throws system errors of reading the directory.
 */
export async function listRescues(
  directory: string,
  mount: { readonly url: string; readonly mountPath: string },
): Promise<ShelvedRescue[]> {
  const found: ShelvedRescue[] = [];
  for (const file of await namesOf(directory, mount.mountPath)) {
    const header = await readHeader(file).catch((error: unknown) => {
      if (error instanceof AgentError || errnoOf(error) !== undefined) return null;
      throw error;
    });
    const isOurs = header?.mount_path === mount.mountPath && header.url === mount.url;
    if (header !== null && isOurs) found.push({ file, header });
  }
  // Two of one second are told apart by a number, which does not sort.
  return found.sort((a, b) => b.header.created_at.localeCompare(a.header.created_at));
}

/** Removes all but the newest three of the mount. @returns the files that are gone. */
export async function pruneRescues(
  directory: string,
  mount: { readonly url: string; readonly mountPath: string },
): Promise<string[]> {
  const rescues = await listRescues(directory, mount);
  const old = rescues.slice(KEPT).map(({ file }) => file);
  for (const file of old) await unlink(file);
  return old;
}

/** The first member. @throws RESCUE_INVALID, RESCUE_UNSUPPORTED, system errors of reading the file. */
export async function readHeader(file: string): Promise<RescueHeader> {
  const source = createReadStream(file);
  const entries = extract();
  // The end is reached early and on purpose: what is said about that says nothing about the file.
  pipeline(source, createGunzip(), entries, () => undefined);
  try {
    for await (const entry of entries) {
      const { name, size } = entry.header;
      if (name !== MEMBER.header || size > HEADER_LIMIT_BYTES) break;
      return parseHeader(await buffer(entry));
    }
  } catch (error) {
    if (error instanceof AgentError || SYSTEM_ERRNO.test(errnoOf(error) ?? '')) throw error;
    throw new AgentError('RESCUE_INVALID', `${file} is no archive of a rescue`, { cause: error });
  } finally {
    source.destroy();
  }
  throw new AgentError('RESCUE_INVALID', `${file} does not begin with ${MEMBER.header}`);
}

async function namesOf(directory: string, mountPath: string): Promise<string[]> {
  const prefix = `${mountKey(mountPath)}-`;
  const names = await readdir(directory).catch((error: unknown) => {
    if (errnoOf(error) === 'ENOENT') return [];
    throw error;
  });
  const isRescue = (name: string): boolean =>
    name.startsWith(prefix) &&
    /^\d{8}T\d{6}Z(?:-\d+)?\.rescue\.tar\.gz$/.test(name.slice(prefix.length));
  return names
    .filter(isRescue)
    .sort()
    .reverse()
    .map((name) => join(directory, name));
}
