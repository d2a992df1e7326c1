/**
 * A worktree in, the places of its repository out (gitrepository-layout): its own Git directory,
 * the common one, the objects, the merged configuration. Throws a Doubt for what is not supported.
 */
import { lstatSync, statSync } from 'node:fs';
import { normalize } from 'node:path/posix';
import { errnoOf } from '../errors.ts';
import { displayPath, fsPath } from './byte-path.ts';
import type { BytePath } from './byte-path.ts';
import { Doubt } from './doubt.ts';
import { GitConfig } from './git-config-reader.ts';
import { readBytesAsText } from './read-file.ts';

export interface Repository {
  readonly worktree: BytePath;
  /** Of this worktree: HEAD, index, operation files. */
  readonly gitdir: BytePath;
  /** Shared by linked worktrees: refs, objects, config, info. */
  readonly commondir: BytePath;
  readonly config: GitConfig;
  readonly home: BytePath | undefined;
}

/** @throws Doubt when there is no repository, or one of a format that is not read here. */
export function openRepository(worktree: BytePath, home?: BytePath): Repository {
  if (!isDirectory(worktree)) throw new Doubt('the directory is gone');
  const gitdir = findGitdir(worktree);
  if (gitdir === undefined) throw new Doubt('there is no .git: commits and stashes cannot be read');
  const commondir = readCommondir(gitdir);
  const config = new GitConfig(home);
  if (home !== undefined) {
    config.read(`${home}/.config/git/config`);
    config.read(`${home}/.gitconfig`);
  }
  config.read(`${commondir}/config`);
  if (config.bool('extensions.worktreeconfig') === true) config.read(`${gitdir}/config.worktree`);
  refuseUnsupported(config, gitdir, worktree);
  return { worktree, gitdir, commondir, config, home };
}

/** `.git` as a directory, or as a file that names one; undefined when neither is a repository. */
export function findGitdir(worktree: BytePath): BytePath | undefined {
  const path = `${worktree}/.git`;
  if (isDirectory(path)) return isGitdir(path) ? path : undefined;
  const text = readBytesAsText(path);
  const target = text === undefined ? null : /^gitdir: (.+?)[\r\n]*$/.exec(text);
  if (target?.[1] === undefined) return undefined;
  const gitdir = resolveFrom(worktree, target[1]);
  return isGitdir(gitdir) ? gitdir : undefined;
}

/** As is_git_directory: HEAD, objects and refs are there. */
function isGitdir(path: BytePath): boolean {
  if (!exists(`${path}/HEAD`)) return false;
  const commondir = readCommondir(path);
  return isDirectory(`${commondir}/objects`) && isDirectory(`${commondir}/refs`);
}

function readCommondir(gitdir: BytePath): BytePath {
  const text = readBytesAsText(`${gitdir}/commondir`)?.replace(/[\r\n]+$/, '');
  return text === undefined || text === '' ? gitdir : resolveFrom(gitdir, text);
}

function refuseUnsupported(config: GitConfig, gitdir: BytePath, worktree: BytePath): void {
  const storage = config.get('extensions.refstorage');
  if (storage !== undefined && storage !== 'files') {
    throw new Doubt(`the refs are stored as ${storage}, which is not read here`);
  }
  const format = config.get('extensions.objectformat');
  if (format !== undefined && format !== 'sha1') {
    throw new Doubt(`the objects are named by ${format}, which is not read here`);
  }
  const elsewhere = config.get('core.worktree');
  if (elsewhere !== undefined && resolveFrom(gitdir, elsewhere) !== normalize(worktree)) {
    throw new Doubt(`core.worktree names another directory: ${displayPath(elsewhere)}`);
  }
}

export function resolveFrom(base: BytePath, path: BytePath): BytePath {
  return normalize(path.startsWith('/') ? path : `${base}/${path}`);
}

export function isDirectory(path: BytePath): boolean {
  return statOrUndefined(() => statSync(fsPath(path)))?.isDirectory() ?? false;
}

export function exists(path: BytePath): boolean {
  return statOrUndefined(() => lstatSync(fsPath(path))) !== undefined;
}

/** A stat call whose "no such file" is an answer. */
export function statOrUndefined<T>(stat: () => T): T | undefined {
  try {
    return stat();
  } catch (error) {
    if (['ENOENT', 'ENOTDIR', 'ELOOP', 'ENAMETOOLONG'].includes(errnoOf(error) ?? '')) {
      return undefined;
    }
    throw error;
  }
}
