/**
 * One of every kind of work into a clone of the small repository, so that a rescue of it and a restore
 * have something to do in each of their steps.
 */
import { execFileSync, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { chmodSync, mkdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { CLEAN_GIT_ENVIRONMENT } from '../fixtures/cache.ts';

const LARGE_BYTES = 1_200_000;

/** @param beside a directory that does not exist: what a submodule is cloned from goes there. */
export function workOfEveryKind(mount: string, beside: string): void {
  const options = ['-c', 'protocol.file.allow=always', '-c', 'core.editor=true'];
  const run = (cwd: string, ...args: string[]): void => {
    const env = { ...CLEAN_GIT_ENVIRONMENT };
    execFileSync('git', [...options, ...args], { cwd, env, stdio: 'pipe' });
  };
  const write = (name: string, content: string): void => {
    mkdirSync(join(mount, name, '..'), { recursive: true });
    writeFileSync(join(mount, name), content);
  };

  run(mount, 'init', '-q', beside);
  writeFileSync(join(beside, 'file'), 'of the submodule\n');
  run(beside, 'add', '.');
  run(beside, 'commit', '-qm', 'one');

  write('stashed.txt', 'stashed\n');
  run(mount, 'stash', 'push', '-qu');
  run(mount, 'submodule', '--quiet', 'add', beside, 'lib/sub');
  run(mount, 'commit', '-qm', 'a submodule');
  write('lib/sub/file', 'changed in the submodule\n');
  run(mount, 'worktree', 'add', '-q', '-b', 'inside', 'inside');
  write('inside/README.md', 'changed in a linked worktree\n');
  run(mount, 'checkout', '-qb', 'theirs');
  write('README.md', 'theirs\n');
  run(mount, 'commit', '-qam', 'theirs');
  run(mount, 'checkout', '-qb', 'mine', 'HEAD~1');
  write('README.md', 'mine\n');
  write('committed.txt', 'committed\n');
  run(mount, 'add', 'README.md', 'committed.txt');
  run(mount, 'commit', '-qm', 'mine');
  // Ends in a conflict.
  spawnSync('git', [...options, 'rebase', '-q', 'theirs'], {
    cwd: mount,
    env: { ...CLEAN_GIT_ENVIRONMENT },
  });

  write('src/a.ts', 'staged\n');
  run(mount, 'add', 'src/a.ts');
  write('src/a.ts', 'unstaged\n');
  chmodSync(join(mount, 'src/b.ts'), 0o755);
  rmSync(join(mount, 'src/deep'), { recursive: true });
  write('src/deep', 'a file where a directory was\n');
  rmSync(join(mount, 'empty'));
  write('empty/directory/where-a-file-was', '');
  rmSync(join(mount, 'link-to-file'));
  symlinkSync('elsewhere', join(mount, 'link-to-file'));
  mkdirSync(join(mount, 'hollow'));
  write('new/directory/file', 'untracked\n');
  // More than one piece of an archive.
  writeFileSync(join(mount, 'large.bin'), noise(LARGE_BYTES));
  run(mount, 'init', '-q', 'new/nested');
  write('new/nested/file', 'of a repository inside\n');
}

/** The same bytes each time, and no compression makes them fewer. */
function noise(length: number): Buffer {
  const pieces = Array.from({ length: Math.ceil(length / 64) }, (_, at) =>
    createHash('sha512').update(String(at)).digest(),
  );
  return Buffer.concat(pieces, length);
}
