/**
 * A stage in; first the question whether anything stands in its way, then everything in its place:
 * objects, worktree, Git directory, linked worktrees outside. The order is such that git finds what a
 * ref or an index names before it finds the ref or the index.
 */
import { cpSync, existsSync, mkdirSync, renameSync, rmSync } from 'node:fs';
import type { IndexEntry } from '../checkout/index-entry.ts';
import { AgentError, errnoOf } from '../errors.ts';
import { displayPath, fsPath } from '../repository/byte-path.ts';
import type { BytePath } from '../repository/byte-path.ts';
import { readBytesAsText } from '../repository/read-file.ts';
import { closeDirectories, openDirectories } from './directory-modes.ts';
import type { DirectoryMode } from './directory-modes.ts';
import { kindAt } from './kind-at.ts';
import {
  inTheWay,
  list,
  mergeInto,
  publishGitdir,
  publishPacks,
  removeFiles,
  setModes,
} from './publish.ts';
import { sync } from './restore-journal.ts';
import { WORKTREES } from './repository-places.ts';
import type { RestorePlan } from './restore-plan.ts';
import type { Stage } from './stage.ts';
import { linkedGitdir } from './stage-gitdirs.ts';
import type { PresentChanges } from './stage-worktree.ts';

export interface PublishContext {
  readonly mount: BytePath;
  readonly mountPath: BytePath;
  readonly stage: Stage;
  readonly plan: RestorePlan;
  /** To the clone's own files. */
  readonly changes: PresentChanges;
  /** Permissions of directories. */
  readonly directories: readonly DirectoryMode[];
  /** The clone's own files; null when an earlier run has begun to replace them. */
  readonly present: readonly IndexEntry[] | null;
}

export interface Publishing {
  /** @throws RESCUE_TARGET_HAS_WORK when something that is nobody's work to git would be lost. */
  check(): void;
  run(): void;
}

export function publish(context: PublishContext): Publishing {
  return {
    check: () => {
      check(context);
    },
    run: () => {
      run(context);
    },
  };
}

function check({ mount, stage, present, plan }: PublishContext): void {
  for (const { worktree } of plan.repositories) {
    if (worktree?.startsWith('/') === true) requireVacant(worktree);
  }
  if (present === null) return;
  const own = new Set<BytePath>();
  for (const { path } of present) own.add(path.toString('latin1'));
  checkBelow(stage.worktree.root, mount, '', own);
  for (const name of ['modules', 'worktrees', WORKTREES.slice('.git/'.length)]) {
    const there = list(`${mount}/.git/${name}`).map((entry) => entry.name);
    const staged = list(`${stage.gitdir.root}/${name}`).map((entry) => entry.name);
    const both = staged.find((entry) => there.includes(entry));
    if (both !== undefined) throw inTheWay(`${mount}/.git/${name}/${both}`);
  }
}

/** Of what is staged, nothing may replace what the clone did not put there. */
function checkBelow(
  staged: BytePath,
  target: BytePath,
  prefix: BytePath,
  own: ReadonlySet<BytePath>,
): void {
  for (const { name, isDirectory } of list(staged)) {
    const path = prefix + name;
    const place = `${target}/${name}`;
    const there = kindAt(place);
    if (there === 'nothing' || own.has(path)) {
      if (there !== 'directory' || !isDirectory) continue;
    } else if (there !== 'directory') {
      throw inTheWay(place);
    } else if (!isDirectory && holdsOthers(place, `${path}/`, own)) {
      throw inTheWay(place);
    }
    if (isDirectory) checkBelow(`${staged}/${name}`, place, `${path}/`, own);
  }
}

/** Whether a directory holds anything that is not the clone's. */
function holdsOthers(directory: BytePath, prefix: BytePath, own: ReadonlySet<BytePath>): boolean {
  return list(directory).some(({ name, isDirectory }) => {
    if (own.has(prefix + name)) return false;
    return !isDirectory || holdsOthers(`${directory}/${name}`, `${prefix}${name}/`, own);
  });
}

function requireVacant(worktree: BytePath): void {
  const parent = worktree.slice(0, worktree.lastIndexOf('/'));
  for (let end = 0; end !== -1; end = parent.indexOf('/', end + 1)) {
    const above = end === 0 ? '/' : parent.slice(0, end);
    const kind = kindAt(above);
    if (kind !== 'directory' && kind !== 'nothing') throw occupied(above);
  }
  if (kindAt(parent) === 'link' || kindAt(parent) === 'file') throw occupied(parent);
}

function run(context: PublishContext): void {
  const { mount, stage, plan, changes, directories } = context;
  const gitdir = `${mount}/.git`;
  publishPacks(`${stage.root}/objects-0/pack`, `${gitdir}/objects/pack`);
  sync(`${gitdir}/objects/pack`);
  for (const repository of plan.repositories) {
    const { record } = repository;
    if (record.kind === 'mount' || record.kind === 'linked') continue;
    const { tree, path } = stage.inGitdir(repository, 'objects/pack');
    publishPacks(`${stage.root}/objects-${record.number}/pack`, `${tree.root}/${path}`);
  }
  openDirectories(directories);
  removeFiles(mount, changes.removed);
  mergeInto(stage.worktree.root, mount);
  setModes(mount, changes.modes);
  publishGitdir(stage.gitdir.root, gitdir);
  for (const name of ['HEAD', 'index', 'packed-refs', 'config']) {
    if (kindAt(`${gitdir}/${name}`) === 'file') sync(`${gitdir}/${name}`);
  }
  sync(gitdir);
  sync(mount);
  publishOutside(context);
  closeDirectories(directories);
}

function publishOutside({ mountPath, stage, plan }: PublishContext): void {
  for (const { record, worktree, gitdir } of plan.repositories) {
    const staged = stage.outside.get(record.number);
    if (staged === undefined || worktree === null) continue;
    const link = `gitdir: ${linkedGitdir(mountPath, gitdir)}\n`;
    // Put there by a run that was ended later: by one rename, so that it is whole.
    if (readBytesAsText(`${worktree}/.git`, { noFollow: true }) === link) continue;
    if (list(worktree).length > 0 || kindAt(worktree) === 'file') throw occupied(worktree);
    mkdirSync(fsPath(worktree.slice(0, worktree.lastIndexOf('/'))), { recursive: true });
    moveTree(staged.root, worktree, link);
  }
}

/** By one rename, from a copy beside the target where that is on another file system. */
function moveTree(source: BytePath, target: BytePath, link: BytePath): void {
  try {
    renameSync(fsPath(source), fsPath(target));
  } catch (error) {
    if (errnoOf(error) !== 'EXDEV') throw error;
    const slash = target.lastIndexOf('/');
    const copy = `${target.slice(0, slash)}/.${target.slice(slash + 1)}.mount-agent-restore`;
    if (existsSync(fsPath(copy))) {
      if (readBytesAsText(`${copy}/.git`, { noFollow: true }) !== link) throw occupied(copy);
      rmSync(fsPath(copy), { recursive: true });
    }
    cpSync(displayPath(source), displayPath(copy), { recursive: true, verbatimSymlinks: true });
    renameSync(fsPath(copy), fsPath(target));
  }
}

function occupied(path: BytePath): AgentError {
  const message = `a linked worktree cannot be put back: ${displayPath(path)} is not empty`;
  return new AgentError('RESCUE_TARGET_HAS_WORK', message, {
    remedy: 'Move it away, or restore without --outside-worktrees.',
  });
}
