/**
 * A rescue of one repository made the plain way, with real git and nothing left out: what restore()
 * has to take, whoever wrote it. Small repositories only.
 */
import { spawnSync } from 'node:child_process';
import { lstatSync, readFileSync, readdirSync, readlinkSync } from 'node:fs';
import { join } from 'node:path';
import { gitdirPartOf } from '../../agent/rescue/gitdir-rules.ts';
import { statOrUndefined } from '../../agent/repository/repository.ts';
import { runGit } from '../work/scratch-repository.ts';
import { file, git, link, member, mountRecord } from './make-rescue.ts';
import type { Member, Rescue } from './make-rescue.ts';

export function scriptedCapture(mount: string): Rescue {
  const ask = (...args: string[]): string => runGit(mount, args).toString('latin1').trim();
  const url = ask('config', 'remote.origin.url');
  const oid = ask('rev-parse', 'HEAD');
  const symbolic = spawnSync('git', ['symbolic-ref', '-q', 'HEAD'], { cwd: mount }).stdout;
  const ref = symbolic.toString().trim() || null;
  const record = mountRecord(url, { ref, oid });
  const bundle = 'repositories/0/work.bundle';
  const tracked = ask('ls-tree', '-r', '-z', '--name-only', 'HEAD').split('\0').filter(Boolean);
  const gone = tracked.filter(
    (path) => statOrUndefined(() => lstatSync(join(mount, path))) === undefined,
  );
  return {
    url,
    mountPath: mount,
    repositories: [{ ...record, bundle }],
    members: [
      member(bundle, everything(mount), { kind: 'bundle', repository: 0 }),
      ...gitdirMembers(join(mount, '.git'), ''),
      member('repositories/0/git/config', readFileSync(join(mount, '.git/config')), {
        ...{ kind: 'config', repository: 0, path: 'config', mode: '644' },
      }),
      ...worktreeMembers(mount, ''),
      member('repositories/0/deleted', gone.map((path) => `${path}\0`).join(''), {
        ...{ kind: 'deleted', repository: 0 },
      }),
    ],
  };
}

/** All objects that there are, as a bundle without refs worth a name. */
export function everything(mount: string): Buffer {
  const run = (args: string[], input = ''): Buffer =>
    spawnSync('git', args, { cwd: mount, input, maxBuffer: 2 ** 28 }).stdout;
  const all = run(['cat-file', '--batch-all-objects', '--batch-check=%(objectname)']).toString();
  const pack = run(['pack-objects', '--stdout', '-q'], all);
  const head = run(['rev-parse', 'HEAD']).toString().trim();
  return Buffer.concat([Buffer.from(`# v2 git bundle\n${head} refs/heads/rescued\n\n`), pack]);
}

function gitdirMembers(gitdir: string, prefix: string): Member[] {
  return readdirSync(join(gitdir, prefix), { withFileTypes: true }).flatMap((entry) => {
    const path = prefix === '' ? entry.name : `${prefix}/${entry.name}`;
    if (/^(?:objects|modules|worktrees|hooks|mount-agent)/.test(path)) return [];
    if (entry.isDirectory()) return gitdirMembers(gitdir, path);
    if (gitdirPartOf(path) !== 'state') return [];
    return [git(path, readFileSync(join(gitdir, path)))];
  });
}

function worktreeMembers(mount: string, prefix: string): Member[] {
  return readdirSync(join(mount, prefix), { withFileTypes: true }).flatMap((entry) => {
    const path = prefix === '' ? entry.name : `${prefix}/${entry.name}`;
    if (path === '.git') return [];
    const place = join(mount, path);
    if (entry.isSymbolicLink()) return [link(path, readlinkSync(place))];
    if (entry.isFile()) {
      const mode = (lstatSync(place).mode & 0o777).toString(8);
      return [file(path, readFileSync(place), mode)];
    }
    const below = worktreeMembers(mount, path);
    if (below.length > 0) return below;
    const name = `repositories/0/worktree/${path}`;
    return [member(name, '', { kind: 'directory', repository: 0, path })];
  });
}
