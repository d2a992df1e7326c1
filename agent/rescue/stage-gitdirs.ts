/**
 * What a restore writes into Git directories itself, because it says where things are and what runs:
 * the skeleton of a repository that the clone does not have, the links between worktrees and Git
 * directories, and of a rescue's configuration the plain part, or all of it when it was asked for.
 */
import { writeFileSync } from 'node:fs';
import { posix } from 'node:path';
import { displayPath, fsPath } from '../repository/byte-path.ts';
import type { BytePath } from '../repository/byte-path.ts';
import { GitConfig } from '../repository/git-config-reader.ts';
import { readBytesAsText } from '../repository/read-file.ts';
import { joinPath } from './path-rules.ts';
import type { RepositoryPlan } from './repository-places.ts';
import { assignment, plainConfigOf } from './restored-config.ts';
import type { NotRestored } from './restore-plan.ts';
import type { Stage } from './stage.ts';

export interface GitdirsContext {
  readonly stage: Stage;
  readonly repositories: readonly RepositoryPlan[];
  /** Configuration files of the rescue, by repository and name. */
  readonly configs: ReadonlyMap<number, ReadonlyMap<BytePath, Buffer>>;
  readonly withConfig: boolean;
  /** Where the mount will stand, absolute. */
  readonly mountPath: BytePath;
  /** The clone's own configuration file. */
  readonly ownConfig: BytePath;
}

/** @returns what was held back. */
export function stageGitdirs(context: GitdirsContext): NotRestored[] {
  const notRestored: NotRestored[] = [];
  for (const plan of context.repositories) {
    if (plan.record.kind === 'linked') stageLinked(context, plan);
    else stageOwn(context, plan);
    notRestored.push(...stageConfigs(context, plan));
  }
  return notRestored;
}

function stageOwn({ stage }: GitdirsContext, plan: RepositoryPlan): void {
  for (const name of ['refs/heads', 'refs/tags']) makeDirectory(stage, plan, name);
  if (plan.record.kind === 'mount') return;
  for (const name of ['objects/info', 'objects/pack']) makeDirectory(stage, plan, name);
  const { worktree, gitdir } = plan;
  if (worktree === null || gitdir === `${worktree}/.git`) return;
  const { tree, path } = stage.inWorktree(plan, '.git');
  tree.write(path, Buffer.from(`gitdir: ${relative(worktree, gitdir)}\n`, 'latin1'));
}

function stageLinked({ stage, mountPath }: GitdirsContext, plan: RepositoryPlan): void {
  const { worktree, gitdir } = plan;
  if (worktree === null) return;
  const place = worktree.startsWith('/') ? worktree : joinPath(mountPath, worktree);
  const write = (name: string, text: BytePath): void => {
    const { tree, path } = stage.inGitdir(plan, name);
    tree.write(path, Buffer.from(`${text}\n`, 'latin1'));
  };
  write('gitdir', `${place}/.git`);
  write('commondir', '../..');
  const { tree, path } = stage.inWorktree(plan, '.git');
  tree.write(path, Buffer.from(`gitdir: ${linkedGitdir(mountPath, gitdir)}\n`, 'latin1'));
}

/** What the `.git` file of a linked worktree names. */
export function linkedGitdir(mountPath: BytePath, gitdir: BytePath): BytePath {
  return joinPath(mountPath, gitdir);
}

function stageConfigs(context: GitdirsContext, plan: RepositoryPlan): NotRestored[] {
  const { configs, withConfig } = context;
  const notRestored: NotRestored[] = [];
  const found = configs.get(plan.record.number);
  const isMount = plan.record.kind === 'mount';
  const names = new Set(found?.keys());
  if (!isMount && plan.record.kind !== 'linked') names.add('config');
  for (const name of names) {
    const rescued = found?.get(name);
    const { text, held } =
      withConfig && rescued !== undefined
        ? { text: rescued, held: [] }
        : plainText(context, plan, name, rescued);
    if (text.length > 0) write(context.stage, plan, name, text);
    for (const key of held) {
      const what = `${key} in ${displayPath(joinPath(plan.gitdir, name))}`;
      notRestored.push({ what, why: 'it may make git run something; --config brings it back' });
    }
  }
  return notRestored;
}

function plainText(
  { stage, ownConfig }: GitdirsContext,
  plan: RepositoryPlan,
  name: BytePath,
  content: Buffer | undefined,
): { text: Buffer; held: readonly string[] } {
  const isMount = plan.record.kind === 'mount' && name === 'config';
  const own = new GitConfig();
  if (isMount) own.readAlone(ownConfig);
  const rescued = readConfig(stage, content);
  const { text, held } = plainConfigOf(rescued, own, plan.record.kind === 'mount');
  const before = isMount ? fileText(ownConfig, text) : skeleton(plan, name);
  return { text: Buffer.from(text === '' && isMount ? '' : before + text, 'latin1'), held };
}

/** The text of the clone's own file; nothing of it is needed when nothing is added. */
function fileText(file: BytePath, added: string): string {
  if (added === '') return '';
  const text = readBytesAsText(file) ?? '';
  return text.endsWith('\n') || text === '' ? text : `${text}\n`;
}

function readConfig(stage: Stage, content: Buffer | undefined): GitConfig {
  const config = new GitConfig();
  if (content === undefined) return config;
  const place = `${stage.root}/config-to-read`;
  writeFileSync(fsPath(place), content, { mode: 0o600 });
  config.readAlone(place);
  return config;
}

function skeleton({ record, worktree, gitdir }: RepositoryPlan, name: BytePath): string {
  if (name !== 'config' || record.kind === 'linked') return '';
  const core = [
    ['core.repositoryformatversion', '0'],
    ['core.filemode', 'true'],
    ['core.bare', 'false'],
    ['core.logallrefupdates', 'true'],
  ] as const;
  const lines = core.map(([key, value]) => assignment(key, value));
  if (worktree !== null && gitdir !== `${worktree}/.git`) {
    lines.push(assignment('core.worktree', relative(gitdir, worktree)));
  }
  return lines.join('');
}

function write(stage: Stage, plan: RepositoryPlan, name: BytePath, text: Buffer): void {
  const { tree, path } = stage.inGitdir(plan, name);
  tree.write(path, text);
}

function makeDirectory(stage: Stage, plan: RepositoryPlan, name: BytePath): void {
  const { tree, path } = stage.inGitdir(plan, name);
  tree.directory(path);
}

/** Both relative to the mount. */
function relative(from: BytePath, to: BytePath): BytePath {
  return posix.relative(`/${from}`, `/${to}`);
}
