/**
 * A rescue file and a directory that does not exist yet in, where nothing has the commits that the work
 * builds on; out: what the file itself holds, as plain files: worktrees, bundles, patches, the state of
 * Git directories; and MISSING.txt, which says what is not there. Paths are held against the same
 * rules as a restore's, and the directory comes into being by one rename.
 */
import { renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { requireSpace } from '../pack/disk-space.ts';
import { displayPath, fsPath, toBytePath } from '../repository/byte-path.ts';
import type { BytePath } from '../repository/byte-path.ts';
import { Pace } from '../repository/pace.ts';
import type { RescueManifest } from './format.ts';
import { kindAt } from './kind-at.ts';
import { gapsIn } from './gaps.ts';
import { readMembers } from './members.ts';
import { WORKTREES } from './repository-places.ts';
import type { RepositoryPlan } from './repository-places.ts';
import { planRestore } from './restore-plan.ts';
import type { RestorePlan } from './restore-plan.ts';
import type { RestoreOutcome, RestoreProgress } from './restore.ts';
import { salvageHead } from './salvage-head.ts';
import { Stage } from './stage.ts';
import { stageMembers } from './stage-members.ts';
import type { StagedContents } from './stage-members.ts';
import { StagedTree } from './staged-tree.ts';
import { absentPrerequisites, openStagedObjects } from './staged-objects.ts';
import { verifyRescue } from './verify.ts';

export interface SalvageContext {
  readonly file: string;
  /** A new directory beside its place. */
  readonly draft: string;
  /** Objects of a clone that has some of what is needed; null without one. */
  readonly cloneObjects: string | null;
  readonly signal: AbortSignal;
  readonly onProgress?: ((progress: RestoreProgress) => void) | undefined;
}

export const MISSING_NAME = 'MISSING.txt';
const BLOCK_BYTES = 4096;
/** For people, beside the bundles; what else a name says is of no account. */
const FOR_PEOPLE =
  /^repositories\/(\d+)\/(?:(work\.bundle)|patches\/(\d+-[a-z0-9-]*\.patch)|(changes\.diff))$/;

/** @throws RESCUE_INVALID, RESCUE_PATH_REFUSED, errors of the disk; the signal's reason. */
export async function salvage(context: SalvageContext): Promise<RestoreOutcome> {
  const { file, draft, signal, cloneObjects } = context;
  const manifest = await verifyRescue(file, { signal });
  const plan = asFiles(planRestore(manifest, PLAIN));
  await requireSpace(draft, 2 * plan.bytes + plan.files * BLOCK_BYTES, plan.files);
  const missing: string[] = [];
  {
    using stage = new Stage(toBytePath(draft));
    const contents = await stageMembers({ file, plan, stage, signal });
    const pace = new Pace(signal);
    for (const owner of plan.repositories.filter(({ record }) => record.kind !== 'linked')) {
      const { number } = owner.record;
      using store = openStagedObjects(stage, owner, cloneObjects);
      const absent = absentPrerequisites(store, owner, contents.prerequisites.get(number) ?? []);
      missing.push(...absent.map((oid) => `the commit ${oid}, which ${nameOf(owner)} builds on`));
      for (const repository of plan.repositories) {
        if (repository.owner !== number || repository.worktree === null) continue;
        const work = { stage, store, plan, repository, pace, ...listsOf(contents, repository) };
        missing.push(...(await salvageHead(work)).map((what) => `${nameOf(repository)}: ${what}`));
      }
    }
    takeOut(stage, draft);
  }
  await extractForPeople(context, plan);
  const outcome = outcomeOf(manifest, plan, missing);
  writeFileSync(join(draft, MISSING_NAME), textOf(file, outcome));
  return outcome;
}

const PLAIN = { withHooks: false, withConfig: false, outsideWorktrees: false };

/** Git directories by number, so that none is taken for a repository. */
function asFiles(plan: RestorePlan): RestorePlan {
  const repositories = plan.repositories.map((each): RepositoryPlan => {
    const { record, worktree } = each;
    const isInGitdir = worktree?.startsWith(`${WORKTREES}/`) === true;
    return {
      ...each,
      gitdir: `.git/${record.number}`,
      worktree: isInGitdir ? `.git/worktrees${worktree.slice(WORKTREES.length)}` : worktree,
    };
  });
  return { ...plan, repositories };
}

function listsOf(
  { deleted, modes }: StagedContents,
  { record: { number } }: RepositoryPlan,
): { deleted: readonly BytePath[]; modes: ReadonlyMap<BytePath, number> } {
  return { deleted: deleted.get(number) ?? [], modes: modes.get(number) ?? new Map() };
}

function nameOf({ record, worktree, stoodAt }: RepositoryPlan): string {
  if (record.kind === 'mount') return 'the mount';
  const place = stoodAt ?? worktree;
  return place === null ? `repository ${record.number}` : displayPath(place);
}

function takeOut(stage: Stage, draft: string): void {
  const worktrees = `${stage.gitdir.root}/worktrees`;
  if (kindAt(worktrees) === 'directory') renameSync(fsPath(worktrees), join(draft, 'worktrees'));
  renameSync(fsPath(stage.gitdir.root), join(draft, 'git'));
  renameSync(fsPath(stage.worktree.root), join(draft, 'worktree'));
}

async function extractForPeople(
  { file, draft, signal }: SalvageContext,
  plan: RestorePlan,
): Promise<void> {
  const bundles = new StagedTree(toBytePath(join(draft, 'bundles')));
  const patches = new StagedTree(toBytePath(join(draft, 'patches')));
  await readMembers(file, signal, async ({ name, content, skip }) => {
    const [, number, bundle, patch, diff] = FOR_PEOPLE.exec(name) ?? [];
    if (number === undefined || !plan.members.has(name)) {
      skip();
      return;
    }
    using target =
      bundle === undefined
        ? patches.file(`${number}/${patch ?? diff ?? ''}`, 0o644)
        : bundles.file(`${number}.bundle`, 0o644);
    for await (const piece of content) target.write(piece);
    target.finish();
  });
}

function outcomeOf(
  manifest: RescueManifest,
  plan: RestorePlan,
  missing: readonly string[],
): RestoreOutcome {
  return {
    rescue: manifest.rescue,
    repositories: plan.repositories.map(nameOf),
    notRestored: [],
    missing,
    lost: gapsIn(manifest),
  };
}

function textOf(file: string, { rescue, missing, lost }: RestoreOutcome): string {
  return `Taken out of ${file}
a rescue of ${rescue.url}, ${rescue.created_at}

worktree/    the files as they stood, those that were committed and not pushed as Git stores them
worktrees/   linked worktrees that stood outside the mount
patches/     git am N/*.patch, git apply N/changes.diff
bundles/     git fetch N.bundle '+refs/*:refs/rescued/*', where the commits below are
git/         files of the Git directories: the index, refs, reflogs, an operation under way

A clone that has the commits below gets everything back: mount-agent restore FILE MOUNT

Not in it and nowhere here:
${missing.map((line) => `  ${line}\n`).join('')}
Lost before, or not taken:
${lost.map((line) => `  ${line}\n`).join('')}`;
}
