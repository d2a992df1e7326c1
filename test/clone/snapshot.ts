/** What must be the same in our clone and in git's: everything but times, identities and packs. */
import { execFileSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { git } from './sandbox.ts';

export interface Snapshot {
  readonly head: string;
  readonly refs: readonly string[];
  readonly packedRefs: string;
  readonly looseRefs: readonly string[];
  readonly reflogs: Readonly<Record<string, readonly string[]>>;
  readonly config: readonly string[];
  readonly exclude: string;
  readonly description: string;
  readonly shallow: string;
  readonly status: string;
  readonly index: string;
  readonly worktree: string;
}

export function snapshot(worktree: string): Snapshot {
  const gitdir = join(worktree, '.git');
  const read = (name: string): string => {
    const path = join(gitdir, name);
    return existsSync(path) ? readFileSync(path, 'latin1') : 'absent';
  };
  const format = '%(refname) %(objectname) %(objecttype) %(symref) %(*objectname)';
  return {
    head: read('HEAD'),
    refs: git(worktree, 'for-each-ref', `--format=${format}`).split('\n'),
    packedRefs: read('packed-refs'),
    looseRefs: filesUnder(gitdir, 'refs').map((name) => `${name}: ${read(name)}`),
    reflogs: Object.fromEntries(
      filesUnder(gitdir, 'logs').map((name) => [name, reflogOf(read(name))]),
    ),
    config: git(worktree, 'config', '--local', '--list', '--null').split('\0').sort(),
    exclude: read('info/exclude'),
    description: read('description'),
    shallow: read('shallow'),
    status: git(worktree, 'status', '--porcelain=v2', '--branch', '--ignored'),
    index: git(worktree, 'ls-files', '--stage', '-z'),
    worktree: execFileSync(
      'sh',
      [
        '-c',
        'find . -path ./.git -prune -o -printf "%P %m %l\\n" | LC_ALL=C sort; find . -path ./.git -prune -o -type f -exec sha1sum {} + | LC_ALL=C sort',
      ],
      { cwd: worktree, encoding: 'latin1' },
    ),
  };
}

/** Old oid, new oid and message; who and when are not compared. */
function reflogOf(text: string): string[] {
  return text
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => `${line.slice(0, 81)} ${line.slice(line.indexOf('\t') + 1)}`);
}

function filesUnder(gitdir: string, name: string): string[] {
  const path = join(gitdir, name);
  if (!existsSync(path)) return [];
  if (statSync(path).isFile()) return [name];
  return readdirSync(path)
    .sort()
    .flatMap((child) => filesUnder(gitdir, `${name}/${child}`));
}
