/**
 * What somebody has in a mount, as git and the file system say it: HEAD, branches, tags, stashes, the
 * index, and every file that is tracked or would be. A mount that was lost and put back has all of it.
 */
import { createHash } from 'node:crypto';
import { lstatSync, readFileSync, readlinkSync, realpathSync } from 'node:fs';
import { dirname } from 'node:path';
import { errnoOf } from '../../agent/errors.ts';
import { runGit } from '../work/scratch-repository.ts';

/** A line for each thing. */
export function holdingsOf(mountPath: string): string[] {
  const ask = (...args: string[]): string[] => {
    const output = runGit(mountPath, args, { GIT_OPTIONAL_LOCKS: '0' }).toString('latin1');
    return output.split(/[\0\n]/).filter(Boolean);
  };
  const refs = ask('for-each-ref', '--format=%(objectname) %(refname)', 'refs/heads', 'refs/tags');
  const paths = new Set([
    ...ask('ls-files', '-z'),
    ...ask('ls-files', '-z', '--others', '--exclude-standard'),
  ]);
  return [
    `HEAD ${readFileSync(`${mountPath}/.git/HEAD`, 'latin1').trim()}`,
    ...refs,
    ...ask('stash', 'list', '--format=stash %H'),
    ...ask('ls-files', '-s', '-z').map((line) => `index ${line}`),
    // A directory is a repository of its own.
    ...[...paths].filter((path) => !path.endsWith('/')).map((path) => fileAt(mountPath, path)),
  ];
}

function fileAt(mountPath: string, path: string): string {
  const place = Buffer.from(`${mountPath}/${path}`, 'latin1');
  try {
    // What lies behind a link to a directory is not the mount's.
    const parent = Buffer.from(dirname(place.toString('latin1')), 'latin1');
    if (!realpathSync(parent, 'buffer').equals(parent)) return `${path} is not there`;
    const stats = lstatSync(place);
    if (stats.isSymbolicLink()) return `${path} -> ${readlinkSync(place, 'latin1')}`;
    if (!stats.isFile()) return `${path} is a directory`;
    const digest = createHash('sha256').update(readFileSync(place)).digest('hex');
    return `${path} ${(stats.mode & 0o777).toString(8)} ${digest}`;
  } catch (error) {
    if (!['ENOENT', 'ENOTDIR'].includes(errnoOf(error) ?? '')) throw error;
    return `${path} is not there`;
  }
}
