/**
 * Somebody who works in the mounts, as a process of their own: the steps of test/work/, and now and
 * then everything put away. One message a piece of work, one answer when it is done. Ends with its parent.
 */
import { existsSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { ScratchRepository, runGit } from '../work/scratch-repository.ts';
import { takeStep } from '../work/steps.ts';
import { SUBMODULE_STEP } from './work.ts';
import type { WorkAnswer, WorkRequest } from './work.ts';

process.on('message', ({ id, work }: WorkRequest) => {
  try {
    if (work.kind === 'step') takeOne(work.base, work.name, work.pick);
    else putAway(work.base);
    process.send?.({ id } satisfies WorkAnswer);
  } catch (error) {
    const words = error instanceof Error ? (error.stack ?? error.message) : String(error);
    process.send?.({ id, error: words } satisfies WorkAnswer);
  }
});
process.once('disconnect', () => process.exit());

function takeOne(base: string, name: string, pick: number): void {
  const repository = new ScratchRepository(base);
  if (name !== SUBMODULE_STEP) {
    takeStep(repository, name, pick);
    return;
  }
  const source = join(base, 'sub.git');
  const allow = ['-c', 'protocol.file.allow=always'];
  repository.tryGitNow(...allow, 'submodule', '--quiet', 'add', source, 'lib/sub');
}

/** As after the clone, but for what the host has got in the meantime. */
function putAway(base: string): void {
  const repository = new ScratchRepository(base);
  const git = (...args: string[]): void => {
    repository.tryGit(...args);
  };
  for (const name of ['rebase-merge', 'rebase-apply', 'sequencer', 'modules', 'info/attributes']) {
    rmSync(repository.path(join('.git', name)), { recursive: true, force: true });
  }
  for (const head of ['MERGE_HEAD', 'CHERRY_PICK_HEAD', 'REVERT_HEAD', 'AUTO_MERGE']) {
    rmSync(repository.path(join('.git', head)), { force: true });
  }
  git('bisect', 'reset');
  for (const name of ['info/exclude', 'index', 'index.lock', 'worktrees']) {
    rmSync(repository.path(join('.git', name)), { recursive: true, force: true });
  }
  for (const key of ['core.excludesFile', 'core.fileMode']) git('config', '--unset-all', key);
  git('config', 'core.fileMode', 'true');
  git('config', '--remove-section', 'submodule.lib/sub');
  git('symbolic-ref', 'HEAD', 'refs/heads/main');
  git('reset', '-q', '--hard', 'origin/main');
  git('clean', '-qffdx');
  git('stash', 'clear');
  forget(repository);
  for (const name of readdirSync(base)) {
    if (/^(linked|other|series|excludes|index-copy)/.test(name)) {
      rmSync(join(base, name), { recursive: true, force: true });
    }
  }
}

/** Every ref that is only here; the tags are those that the host has. */
function forget(repository: ScratchRepository): void {
  const bareDir = join(repository.base, 'origin.git');
  const onHost = refsOf(bareDir, [
    'for-each-ref',
    '--format=%(refname) %(objectname)',
    'refs/tags',
  ]);
  const own = refsOf(repository.worktree, ['for-each-ref', '--format=%(refname) %(objectname)']);
  for (const [ref] of own) {
    const isKept = ref === 'refs/heads/main' || ref.startsWith('refs/remotes/') || onHost.has(ref);
    if (!isKept) repository.tryGit('update-ref', '--no-deref', '-d', ref);
  }
  for (const [ref, oid] of onHost) {
    if (own.get(ref) !== oid) repository.tryGit('update-ref', ref, oid);
  }
  if (existsSync(repository.path('.git/refs/stash'))) repository.tryGit('stash', 'clear');
}

function refsOf(directory: string, args: string[]): Map<string, string> {
  const lines = runGit(directory, args).toString('latin1').split('\n').filter(Boolean);
  return new Map(lines.map((line) => line.split(' ') as [string, string]));
}
