/** What happens in a repository while somebody works in it; `pick` varies what a step is done to. */
import {
  chmodSync,
  lstatSync,
  mkdirSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  unlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { errnoOf } from '../../agent/errors.ts';
import { statOrUndefined } from '../../agent/repository/repository.ts';
import { runGit } from './scratch-repository.ts';
import type { ScratchRepository } from './scratch-repository.ts';

export type Step = (repository: ScratchRepository, pick: number) => void;

const TRACKED = [
  'file0.txt',
  'src/file1.txt',
  'src/file2.txt',
  'src/deep/er/file3.txt',
  'docs/file0.txt',
  'crlf.txt',
  'empty',
  'run.sh',
];

function tracked(pick: number): string {
  return TRACKED[pick % TRACKED.length] ?? 'file0.txt';
}

/** undefined when there is nothing, or when a file stands in the way. */
function look(path: string) {
  return statOrUndefined(() => lstatSync(path));
}

/** Of an index both split and sparse git 2.39 makes one that it cannot read itself. */
function hasSparseIndex(repository: ScratchRepository): boolean {
  const path = repository.path('.git/config.worktree');
  return look(path)?.isFile() === true && readFileSync(path, 'utf8').includes('sparse = true');
}

function isFile(repository: ScratchRepository, name: string): boolean {
  return look(repository.path(name))?.isFile() ?? false;
}

export function commitAll(repository: ScratchRepository, message: string): void {
  repository.tryGit('add', '-A');
  repository.tryGit('commit', '-qm', message);
}

/** Two sides that change the same line; returns with the other side on branch `other`. */
function diverge(repository: ScratchRepository, pick: number): void {
  repository.tryGit('checkout', '-q', '-B', 'other');
  repository.write('src/file1.txt', `theirs ${pick}\n`);
  repository.tryGit('commit', '-qam', 'theirs');
  repository.tryGit('checkout', '-q', '-B', 'mine', 'HEAD~1');
  repository.write('src/file1.txt', `ours ${pick}\n`);
  repository.tryGit('commit', '-qam', 'ours');
}

function touch(path: string, seconds: number): void {
  utimesSync(path, seconds, seconds);
}

export function write(repository: ScratchRepository, name: string, content: string | Buffer): void {
  // Where a step before left a file instead of a directory, or the reverse, this one does nothing.
  for (let at = name.indexOf('/'); at > 0; at = name.indexOf('/', at + 1)) {
    const stats = look(repository.path(name.slice(0, at)));
    if (stats !== undefined && !stats.isDirectory()) return;
  }
  const stats = look(repository.path(name));
  if (stats !== undefined && !stats.isFile()) return;
  repository.write(name, content);
}

export const STEPS: Readonly<Record<string, Step>> = {
  edit: (r, pick) => {
    write(r, tracked(pick), `edited ${pick}\n`);
  },
  'edit to the same size at once': (r, pick) => {
    if (!isFile(r, 'file1.txt')) return;
    write(r, 'file1.txt', `xxxx${pick % 10}`);
    // Refused outside of a sparse checkout.
    r.tryGit('add', 'file1.txt');
    write(r, 'file1.txt', `yyyy${pick % 10}`);
  },
  'write the same content again': (r) => {
    r.tryGit('checkout', '-q', '--', 'file2.txt');
    if (isFile(r, 'file2.txt')) write(r, 'file2.txt', ' 2\nline\nline\n');
  },
  'touch without change': (r, pick) => {
    if (isFile(r, tracked(pick))) touch(r.path(tracked(pick)), 1_500_000_000 + pick);
  },
  'edit and add': (r, pick) => {
    write(r, tracked(pick), `added ${pick}\n`);
    r.tryGit('add', tracked(pick));
  },
  'edit, add, edit': (r, pick) => {
    write(r, tracked(pick), `added ${pick}\n`);
    r.tryGit('add', tracked(pick));
    write(r, tracked(pick), `edited again ${pick}\n`);
  },
  'new file': (r, pick) => {
    write(r, `new${pick % 3}.txt`, 'x'.repeat(pick % 100));
  },
  'new file in a new directory': (r, pick) => {
    write(r, `fresh/dir${pick % 2}/new.txt`, 'new\n');
  },
  'new file, added': (r, pick) => {
    write(r, `added${pick % 3}.txt`, 'added\n');
    r.tryGit('add', `added${pick % 3}.txt`);
  },
  'intent to add': (r, pick) => {
    write(r, `intended${pick % 3}`, 'intended\n');
    r.tryGit('add', '-N', `intended${pick % 3}`);
  },
  'empty new file': (r) => {
    write(r, 'zero', '');
    r.tryGit('add', 'zero');
  },
  'git rm': (r, pick) => {
    r.tryGit('rm', '-qf', tracked(pick));
  },
  'git rm --cached': (r, pick) => {
    r.tryGit('rm', '-q', '--cached', tracked(pick));
  },
  'rm of a file': (r, pick) => {
    if (isFile(r, tracked(pick))) unlinkSync(r.path(tracked(pick)));
  },
  'rm -rf of a directory': (r, pick) => {
    rmSync(r.path(['src/deep', 'docs', 'src'][pick % 3] ?? 'docs'), {
      recursive: true,
      force: true,
    });
  },
  'git mv': (r, pick) => {
    r.tryGit('mv', tracked(pick), `moved${pick % 2}.txt`);
  },
  chmod: (r, pick) => {
    if (isFile(r, tracked(pick))) chmodSync(r.path(tracked(pick)), pick % 2 === 0 ? 0o755 : 0o644);
  },
  'symlink changed': (r, pick) => {
    rmSync(r.path('link'), { recursive: true, force: true });
    symlinkSync(`elsewhere${pick}`, r.path('link'));
  },
  'file becomes a symlink': (r, pick) => {
    rmSync(r.path(tracked(pick)), { recursive: true, force: true });
    if (r.exists('src/deep/er') || !tracked(pick).includes('/')) {
      symlinkSync('file0.txt', r.path(tracked(pick)));
    }
  },
  'file becomes a directory': (r) => {
    rmSync(r.path('file3.txt'), { recursive: true, force: true });
    write(r, 'file3.txt/inside.txt', 'inside\n');
  },
  'directory becomes a file': (r) => {
    rmSync(r.path('docs'), { recursive: true, force: true });
    write(r, 'docs', 'a file now\n');
  },
  'directory becomes a symlink to one like it': (r) => {
    if (!r.exists('src/deep') || r.exists('elsewhere')) return;
    renameSync(r.path('src'), r.path('elsewhere'));
    symlinkSync('elsewhere', r.path('src'));
  },
  commit: (r) => {
    commitAll(r, 'work');
  },
  amend: (r) => {
    r.tryGit('commit', '-q', '--amend', '--allow-empty', '-m', 'amended');
  },
  'new branch with a commit': (r, pick) => {
    r.tryGit('checkout', '-q', '-b', `branch${pick % 3}`);
    write(r, 'branch.txt', `${pick}`);
    commitAll(r, 'on a branch');
  },
  'switch branches': (r, pick) => {
    r.tryGit('checkout', '-q', ['main', 'branch0', 'topic', 'other'][pick % 4] ?? 'main');
  },
  'detached commit': (r, pick) => {
    r.tryGit('checkout', '-q', '--detach');
    write(r, 'detached.txt', `${pick}`);
    commitAll(r, 'detached');
  },
  'orphan branch': (r) => {
    r.tryGit('checkout', '-q', '--orphan', 'orphan');
  },
  'tag on new work, branch moved back': (r, pick) => {
    write(r, 'tagged.txt', `${pick}`);
    commitAll(r, 'tagged');
    r.tryGit('tag', ...(pick % 2 === 0 ? [] : ['-a', '-m', 'mine']), `mine${pick % 4}`);
    r.tryGit('reset', '-q', '--hard', 'origin/main');
  },
  'delete a cloned tag': (r) => {
    r.tryGit('tag', '-d', 'light');
  },
  'move a cloned tag': (r) => {
    r.tryGit('tag', '-f', 'light', 'v1.0');
  },
  'reset to an older commit': (r, pick) => {
    r.tryGit('reset', '-q', pick % 2 === 0 ? '--hard' : '--mixed', 'HEAD~1');
  },
  stash: (r, pick) => {
    write(r, 'file0.txt', `stashed ${pick}\n`);
    r.tryGit('stash', 'push', '-q');
  },
  'stash with untracked': (r, pick) => {
    write(r, 'stash-me.txt', `${pick}`);
    r.tryGit('stash', 'push', '-q', '-u');
  },
  'stash pop': (r) => {
    r.tryGit('stash', 'pop', '-q');
  },
  push: (r) => {
    r.tryGit('push', '-q', '--force', 'origin', 'HEAD:refs/heads/pushed');
  },
  'fetch after somebody else pushed': (r, pick) => {
    const other = join(r.base, `other${pick}`);
    if (r.exists(`../other${pick}`)) return;
    runGit(r.base, ['clone', '-q', 'origin.git', other]);
    runGit(other, ['commit', '-q', '--allow-empty', '-m', 'theirs']);
    runGit(other, ['push', '-q', '--force', 'origin', 'HEAD:refs/heads/theirs']);
    r.tryGit('fetch', '-q');
  },
  'merge, clean': (r) => {
    r.tryGit('merge', '-q', '--no-edit', 'origin/topic', '-X', 'ours');
  },
  'merge conflict': (r, pick) => {
    diverge(r, pick);
    r.tryGit('merge', '-q', 'other');
  },
  'merge without commit': (r) => {
    r.tryGit('merge', '-q', '--no-commit', '--no-ff', '-X', 'ours', 'origin/topic');
  },
  'conflict of deletion and change': (r, pick) => {
    diverge(r, pick);
    r.tryGit('rm', '-qf', 'src/file1.txt');
    r.tryGit('commit', '-qm', 'deleted');
    r.tryGit('merge', '-q', 'other');
  },
  'rebase stopped': (r, pick) => {
    diverge(r, pick);
    r.tryGit('rebase', '-q', 'other');
  },
  'rebase with the apply backend stopped': (r, pick) => {
    diverge(r, pick);
    r.tryGit('rebase', '-q', '--apply', 'other');
  },
  'cherry-pick conflict': (r, pick) => {
    diverge(r, pick);
    r.tryGit('cherry-pick', 'other');
  },
  'revert conflict': (r, pick) => {
    diverge(r, pick);
    write(r, 'src/file1.txt', `more ${pick}\n`);
    r.tryGit('commit', '-qam', 'more');
    r.tryGit('revert', '--no-edit', 'HEAD~1');
  },
  'am stopped': (r, pick) => {
    diverge(r, pick);
    r.tryGit('format-patch', '-q', '--output=../series.patch', '-1', 'other');
    r.tryGit('am', '-q', '../series.patch');
  },
  bisect: (r) => {
    r.tryGit('bisect', 'start', 'HEAD', 'HEAD~2');
  },
  'operation aborted': (r) => {
    for (const [sign, ...command] of [
      ['MERGE_HEAD', 'merge', '--abort'],
      ['rebase-merge', 'rebase', '--abort'],
      ['rebase-apply', 'rebase', '--abort'],
      ['CHERRY_PICK_HEAD', 'cherry-pick', '--abort'],
      ['REVERT_HEAD', 'revert', '--abort'],
      ['rebase-apply', 'am', '--abort'],
      ['BISECT_START', 'bisect', 'reset'],
    ] as const) {
      if (r.exists(`.git/${sign}`)) r.tryGit(...command);
    }
  },
  'linked worktree with a detached commit': (r, pick) => {
    const linked = join(r.base, `linked${pick}`);
    r.tryGit('worktree', 'add', '-q', '--detach', linked);
    if (r.exists(`../linked${pick}`)) {
      runGit(linked, ['commit', '-q', '--allow-empty', '-m', `in a worktree ${pick}`]);
    }
  },
  'linked worktree inside': (r, pick) => {
    r.tryGit('worktree', 'add', '-q', '-b', `inside${pick}`, r.path(`inside${pick}`));
  },
  'ignored files': (r, pick) => {
    write(r, `ignored${pick}.log`, 'ignored\n');
    write(r, 'build/output/x', 'ignored\n');
    write(r, 'src/tmp-file', 'ignored\n');
    write(r, 'src/deep/tmp/x', 'ignored\n');
  },
  'files that a rule brings back': (r) => {
    write(r, 'docs/keep.log', 'kept\n');
    write(r, 'src/tmp-kept', 'kept\n');
    write(r, 'docs/only-here', 'kept\n');
    write(r, 'build/keep.log', 'not kept, its directory is ignored\n');
  },
  '.gitignore changed': (r, pick) => {
    write(
      r,
      'docs/.gitignore',
      ['*\n!.gitignore\n', '/*\n!/file*\n', '**/x\nnew\\ \n'][pick % 3] ?? '',
    );
    write(r, 'docs/sub/x', 'x');
    write(r, 'docs/new ', 'x');
  },
  'info/exclude': (r) => {
    r.write('.git/info/exclude', 'new*\n!new1.txt\n');
  },
  'excludes file of the repository': (r) => {
    r.write('../excludes', 'fresh\n*.txt\n!docs/\n');
    r.tryGit('config', 'core.excludesFile', join(r.base, 'excludes'));
  },
  'ignored directory with tracked files': (r) => {
    write(r, 'build/tracked', 'tracked\n');
    r.tryGit('add', '-f', 'build/tracked');
    write(r, 'build/untracked', 'not seen\n');
    write(r, 'build/tracked', 'changed\n');
  },
  'nested repository': (r, pick) => {
    const nested = r.path(`nested${pick % 2}`);
    if (r.exists(`nested${pick % 2}`)) return;
    mkdirSync(nested);
    runGit(nested, ['init', '-q']);
    if (pick % 3 !== 0) runGit(nested, ['commit', '-q', '--allow-empty', '-m', 'nested']);
    r.write(`nested${pick % 2}/file`, 'file\n');
  },
  submodule: (r) => {
    r.tryGitNow('submodule', '--quiet', 'add', '../sub.git', 'lib/sub');
  },
  'change in a submodule': (r, pick) => {
    if (!r.exists('lib/sub/.git')) return;
    if (pick % 3 === 0) write(r, 'lib/sub/untracked', 'x');
    else if (pick % 3 === 1) write(r, 'lib/sub/file0.txt', 'x');
    else runGit(r.path('lib/sub'), ['commit', '-q', '--allow-empty', '-m', 'in the submodule']);
  },
  gc: (r) => {
    r.tryGit('gc', '-q', '--prune=now');
  },
  'packed refs': (r) => {
    r.tryGit('pack-refs', '--all', '--prune');
  },
  'index version 4': (r) => {
    r.tryGit('update-index', '--index-version', '4');
  },
  'split index': (r, pick) => {
    if (hasSparseIndex(r)) return;
    r.tryGit('update-index', pick % 3 === 0 ? '--no-split-index' : '--split-index');
  },
  'untracked cache': (r) => {
    r.tryGit('update-index', '--force-untracked-cache');
  },
  'read-tree without stat data': (r) => {
    r.tryGit('read-tree', 'HEAD');
  },
  'assume-unchanged and changed': (r, pick) => {
    r.tryGit('update-index', '--assume-unchanged', tracked(pick));
    write(r, tracked(pick), `hidden ${pick}\n`);
  },
  'skip-worktree and changed': (r, pick) => {
    r.tryGit('update-index', '--skip-worktree', tracked(pick));
    write(r, tracked(pick), `hidden ${pick}\n`);
  },
  'skip-worktree and removed': (r, pick) => {
    r.tryGit('update-index', '--skip-worktree', tracked(pick));
    if (isFile(r, tracked(pick))) unlinkSync(r.path(tracked(pick)));
  },
  // Attributes that stay when branches change: where they come and go, the same bytes are clean or
  // not, and git notices that only once a second has passed since it wrote its index.
  'line ends converted': (r, pick) => {
    if (!isFile(r, 'file0.txt')) return;
    r.write('.git/info/attributes', '*.txt text=auto eol=crlf\n');
    unlinkSync(r.path('file0.txt'));
    r.tryGit('checkout', '-q', '--', 'file0.txt');
    touch(r.path('file0.txt'), 1_500_000_000 + pick);
  },
  'line ends changed by an editor': (r) => {
    r.write('.git/info/attributes', '*.txt text=auto eol=crlf\n');
    write(r, 'file1.txt', ' 1\r\nline\r\nline\r\n');
  },
  'filemode not trusted': (r) => {
    r.tryGit('config', 'core.fileMode', 'false');
    if (isFile(r, 'file0.txt')) chmodSync(r.path('file0.txt'), 0o755);
  },
  'names in other encodings': (r) => {
    const root = Buffer.from(`${r.worktree}/`);
    for (const name of ['caf\xe9', 'new\nline', 'tab\tquote"', 'a\\b', '\x1b[31m']) {
      const path = Buffer.concat([root, Buffer.from(name, 'latin1')]);
      writeFileSync(path, 'content');
    }
    const directory = Buffer.concat([root, Buffer.from('d\xefr', 'latin1')]);
    mkdirSync(directory, { recursive: true });
    writeFileSync(Buffer.concat([directory, Buffer.from('/\xe9t\xe9', 'latin1')]), 'content');
  },
  'add everything': (r) => {
    r.tryGit('add', '-A');
  },
  'clean everything': (r) => {
    r.tryGit('reset', '-q', '--hard');
    r.tryGit('clean', '-qffd');
  },
  'empty directories': (r) => {
    mkdirSync(r.path('hollow/inner'), { recursive: true });
  },
};

/** Steps for a clone as it came; after others git's answer depends on how much time has passed. */
export const FIRST_STEPS: Readonly<Record<string, Step>> = {
  'core.autocrlf': (r, pick) => {
    r.git('config', 'core.autocrlf', pick === 0 ? 'true' : 'input');
    unlinkSync(r.path('file0.txt'));
    r.git('checkout', '-q', '--', 'file0.txt');
    touch(r.path('file0.txt'), 1_500_000_000 + pick);
  },
  'a .gitattributes file': (r, pick) => {
    r.write('src/.gitattributes', pick === 0 ? 'file*.txt text\n' : '*.txt text eol=crlf\n');
    r.write('src/file1.txt', 'src/ 1\r\nline\r\nline\r\n');
    r.write('src/deep/er/file1.txt', 'src/deep/er/ 1\nline\nline\n');
  },
  'a file with CRLF in its blob that should have none': (r) => {
    r.write('.gitattributes', '*.txt text\n');
    touch(r.path('crlf.txt'), 1_500_000_000);
  },
};

/** Files that an earlier step put in the way end a step early; what it did by then is a state too. */
const IN_THE_WAY = new Set(['ENOTDIR', 'EISDIR', 'EEXIST', 'ENOENT', 'ENOTEMPTY', 'ELOOP']);

export function takeStep(
  repository: ScratchRepository,
  name: string,
  pick: number,
  steps: Readonly<Record<string, Step>> = STEPS,
): void {
  const step = steps[name];
  if (step === undefined) throw new Error(`no step is called ${name}`);
  try {
    step(repository, pick);
  } catch (error) {
    if (!IN_THE_WAY.has(errnoOf(error) ?? '')) throw error;
  }
}
