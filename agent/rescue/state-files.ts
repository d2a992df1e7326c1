/**
 * A Git directory in; every file of it that tells its state out, with its bytes: refs, logs, index,
 * operations under way, all but what is kept elsewhere (objects, other repositories) or means nothing
 * after this disk (locks, sockets, daemons). Reads only; a second look tells whether it held still.
 */
import { lstatSync, readdirSync } from 'node:fs';
import type { BigIntStats, Dirent } from 'node:fs';
import { errnoOf } from '../errors.ts';
import { fsPath } from '../repository/byte-path.ts';
import type { BytePath } from '../repository/byte-path.ts';
import { readRegularFile } from '../repository/read-file.ts';
import { statOrUndefined } from '../repository/repository.ts';

export interface StateFile {
  /** Below the Git directory. */
  readonly path: BytePath;
  readonly kind: 'git' | 'config' | 'hook';
  readonly stats: BigIntStats;
  /** undefined for a large file, which is read when it is its turn. */
  readonly content: Buffer | undefined;
}

/** At the top: what is captured as objects and repositories, and what this machine alone has a use for. */
const ELSEWHERE = new Set(['objects', 'lfs', 'modules', 'worktrees', 'fsmonitor--daemon']);
const MEANINGLESS = /^(?:gc\.(?:pid|log)|fsmonitor--daemon.*|mount-agent\b.*|commondir|gitdir)$/;
/** Locks, and the examples that every repository has. */
const NOBODYS = /\.lock$|^hooks\/[^/]*\.sample$/;
/** Larger ones (an index of 100,000 files has 10 MB) are not all held at once. */
const HELD_BYTES = 16 * 2 ** 20;

/** @param all with objects and everything else: for a repository that cannot be read otherwise. */
export function readStateFiles(gitdir: BytePath, all = false): StateFile[] {
  const found: StateFile[] = [];
  for (const path of walk(gitdir, '', all)) {
    const stats = statFile(gitdir, path);
    if (stats === undefined) continue;
    const held = !all && stats.size <= HELD_BYTES;
    const content = held ? readRegularFile(`${gitdir}/${path}`, { noFollow: true }) : undefined;
    if (held && content === undefined) continue;
    found.push({ path, kind: kindOf(path), stats, content });
  }
  return found;
}

/** The bytes of a state file, wherever they are; undefined when it went away. */
export function contentOf(gitdir: BytePath, file: StateFile): Buffer | undefined {
  return file.content ?? readRegularFile(`${gitdir}/${file.path}`, { noFollow: true });
}

/** What changes when anything in the Git directory's state does. */
export function stateSignature(gitdir: BytePath): string {
  const lines: string[] = [];
  for (const path of walk(gitdir, '', false)) {
    const stats = statFile(gitdir, path);
    if (stats !== undefined) lines.push(`${path}\0${signatureOf(stats)}`);
  }
  return lines.join('\n');
}

export function signatureOf({ ino, size, mode, mtimeNs, ctimeNs }: BigIntStats): string {
  return `${ino} ${size} ${mode} ${mtimeNs} ${ctimeNs}`;
}

function statFile(gitdir: BytePath, path: BytePath): BigIntStats | undefined {
  const place = fsPath(`${gitdir}/${path}`);
  const stats = statOrUndefined(() => lstatSync(place, { bigint: true }));
  return stats?.isFile() === true ? stats : undefined;
}

function kindOf(path: BytePath): StateFile['kind'] {
  if (path === 'config' || path === 'config.worktree') return 'config';
  return path.startsWith('hooks/') ? 'hook' : 'git';
}

function* walk(gitdir: BytePath, prefix: BytePath, all: boolean): Generator<BytePath> {
  for (const entry of list(`${gitdir}/${prefix}`)) {
    const path = prefix + entry.name;
    if (!all && isLeftOut(prefix, entry.name)) continue;
    if (entry.isDirectory()) yield* walk(gitdir, `${path}/`, all);
    else if (entry.isFile()) yield path;
  }
}

function isLeftOut(prefix: BytePath, name: BytePath): boolean {
  if (prefix === '' && (ELSEWHERE.has(name) || MEANINGLESS.test(name))) return true;
  return NOBODYS.test(prefix + name);
}

function list(directory: BytePath): Dirent[] {
  try {
    const entries = readdirSync(fsPath(directory), { encoding: 'latin1', withFileTypes: true });
    return entries.sort((a, b) => (a.name < b.name ? -1 : 1));
  } catch (error) {
    if (['ENOENT', 'ENOTDIR'].includes(errnoOf(error) ?? '')) return [];
    throw error;
  }
}
