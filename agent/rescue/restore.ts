/**
 * A rescue file and a fresh clone in; the clone as the lost one was out. The path of the data: verify
 * the whole file, plan where everything goes, look at the clone, stage, check, and only then put in
 * place. Until then the clone is as it was; from then on a journal says so, and the same restore run
 * again ends it. The rescue file is only read.
 */
import { createHash } from 'node:crypto';
import { rmSync } from 'node:fs';
import { asStorageError } from '../pack/storage-error.ts';
import type { ObjectStore } from '../pack/object-store.ts';
import { requireSpace } from '../pack/disk-space.ts';
import { AgentError } from '../errors.ts';
import { readIndex } from '../checkout/index-reader.ts';
import type { IndexEntry } from '../checkout/index-entry.ts';
import { displayPath, fsPath, toBytePath } from '../repository/byte-path.ts';
import type { BytePath } from '../repository/byte-path.ts';
import { Doubt } from '../repository/doubt.ts';
import { GitConfig } from '../repository/git-config-reader.ts';
import { Pace } from '../repository/pace.ts';
import { directoryModes } from './directory-modes.ts';
import type { RescueManifest } from './format.ts';
import { gapsIn } from './gaps.ts';
import { openClone, requireFresh, treeOfHead } from './fresh-clone.ts';
import { kindAt } from './kind-at.ts';
import { publish } from './publish-stage.ts';
import type { RepositoryPlan } from './repository-places.ts';
import { readJournal, removeJournal, writeJournal, writeNote } from './restore-journal.ts';
import { planRestore } from './restore-plan.ts';
import type { NotRestored, RestorePlan } from './restore-plan.ts';
import { Stage } from './stage.ts';
import { stageGitdirs } from './stage-gitdirs.ts';
import { stageMembers } from './stage-members.ts';
import type { StagedContents } from './stage-members.ts';
import { Carried, stageWorktree } from './stage-worktree.ts';
import type { PresentChanges, PresentFiles } from './stage-worktree.ts';
import { openStagedObjects, requireLinks, requirePrerequisites } from './staged-objects.ts';
import { verifyRescue } from './verify.ts';

export interface RestoreProgress {
  readonly phase: 'verifying' | 'staging' | 'publishing';
  readonly bytes: number;
  readonly totalBytes: number;
}

export interface RestoreContext {
  readonly file: string;
  /** Where the clone is now, absolute. */
  readonly mount: string;
  /** Where it will stand: the same, but for a clone that is still to be published. */
  readonly mountPath: string;
  readonly withHooks?: boolean;
  readonly withConfig?: boolean;
  readonly outsideWorktrees?: boolean;
  readonly signal: AbortSignal;
  readonly onProgress?: (progress: RestoreProgress) => void;
}

export interface RestoreOutcome {
  readonly rescue: RescueManifest['rescue'];
  /** Of the repositories that were put back. */
  readonly repositories: readonly string[];
  readonly notRestored: readonly NotRestored[];
  /** In words: what neither the rescue nor a clone has; then only files came back (salvage.ts). */
  readonly missing: readonly string[];
  /** In words: what was gone, or went on changing, when the rescue was taken. */
  readonly lost: readonly string[];
}

const BLOCK_BYTES = 4096;

/** @throws RESCUE_*, PackError, MountError; the signal's reason. */
export async function restore(context: RestoreContext): Promise<RestoreOutcome> {
  try {
    return await new Restore(context).run();
  } catch (error) {
    context.signal.throwIfAborted();
    throw asStorageError(error, `restoring into ${context.mountPath}`);
  }
}

class Restore {
  readonly #context: RestoreContext;
  readonly #mount: BytePath;
  readonly #gitdir: BytePath;
  readonly #pace: Pace;

  constructor(context: RestoreContext) {
    this.#context = context;
    this.#mount = toBytePath(context.mount);
    this.#gitdir = `${this.#mount}/.git`;
    this.#pace = new Pace(context.signal);
  }

  async run(): Promise<RestoreOutcome> {
    const { file, signal } = this.#context;
    const manifest = await verifyRescue(file, { signal });
    const plan = planRestore(manifest, {
      withHooks: this.#context.withHooks ?? false,
      withConfig: this.#context.withConfig ?? false,
      outsideWorktrees: this.#context.outsideWorktrees ?? false,
    });
    const rescue = createHash('sha256').update(JSON.stringify(manifest)).digest('hex');
    const goesOn = await this.#admit(manifest, rescue);
    await requireSpace(this.#context.mount, plan.bytes + plan.files * BLOCK_BYTES, plan.files);

    using stage = new Stage(this.#gitdir);
    const contents = await stageMembers({ file, plan, stage, signal, onMember: this.#meter(plan) });
    const present = { entries: this.#index(), trusted: !goesOn };
    const changes = await this.#stageRest(stage, plan, contents, present);
    const held = this.#stageGitdirs(stage, plan, contents);
    signal.throwIfAborted();

    const publishing = publish({
      ...{ mount: this.#mount, mountPath: toBytePath(this.#context.mountPath), stage, plan },
      changes,
      directories: directoryModes(this.#mount, plan.repositories, contents.modes),
      present: goesOn ? null : present.entries,
    });
    publishing.check();
    writeJournal(this.#gitdir, { rescue, file });
    publishing.run();
    writeNote(this.#gitdir, manifest.rescue.created_at);
    rmSync(fsPath(stage.root), { recursive: true, force: true });
    removeJournal(this.#gitdir);
    return outcomeOf(manifest, plan, held);
  }

  /** Whether a restore of this rescue was ended in the middle. Else the clone has to be fresh. */
  async #admit({ rescue: { url } }: RescueManifest, rescue: string): Promise<boolean> {
    const { mount, signal } = this.#context;
    if (kindAt(this.#gitdir) !== 'directory') openClone(mount);
    this.#requireSameUrl(url);
    const journal = readJournal(this.#gitdir);
    if (journal?.rescue === rescue) return true;
    if (journal !== null) {
      const message = `a restore of ${journal.file} into ${mount} was ended before it was done`;
      throw new AgentError('RESCUE_UNFINISHED', message, { data: { file: journal.file } });
    }
    await requireFresh(openClone(mount), signal);
    return false;
  }

  #requireSameUrl(url: string): void {
    const config = new GitConfig();
    config.readAlone(`${this.#gitdir}/config`);
    const own = displayPath(config.get('remote.origin.url') ?? '');
    if (normalUrl(own) === normalUrl(url)) return;
    const message = `expected a rescue of ${withoutUser(own)}, got one of ${url}`;
    throw new AgentError('RESCUE_OTHER_REPOSITORY', message, { data: { url } });
  }

  #index(): readonly IndexEntry[] {
    return readIndex(displayPath(this.#gitdir)).entries;
  }

  /** Checks the objects and stages the files that HEAD has. @returns what to do to the mount's. */
  async #stageRest(
    stage: Stage,
    plan: RestorePlan,
    { prerequisites, deleted, modes }: StagedContents,
    present: PresentFiles,
  ): Promise<PresentChanges> {
    let changes: PresentChanges = { removed: [], modes: [] };
    const cloneObjects = `${this.#context.mount}/.git/objects`;
    for (const owner of plan.repositories.filter(({ record }) => record.kind !== 'linked')) {
      using store = openStagedObjects(stage, owner, cloneObjects);
      const { number } = owner.record;
      requirePrerequisites(store, owner, prerequisites.get(number) ?? []);
      await requireLinks(stage, store, owner, this.#pace);
      for (const repository of plan.repositories) {
        if (repository.owner !== number || repository.worktree === null) continue;
        const isMount = repository.record.kind === 'mount';
        const found = await stageWorktree({
          ...{ stage, store, plan: repository, signal: this.#context.signal },
          treeOid: headTree(store, repository),
          carried: new Carried(plan.sinks.values(), repository.record.number),
          deleted: deleted.get(repository.record.number) ?? [],
          modes: modes.get(repository.record.number) ?? new Map(),
          present: isMount ? present : { entries: [], trusted: false },
        });
        if (isMount) changes = found;
      }
    }
    return changes;
  }

  #stageGitdirs(stage: Stage, plan: RestorePlan, { configs }: StagedContents): NotRestored[] {
    return stageGitdirs({
      stage,
      repositories: plan.repositories,
      configs,
      withConfig: this.#context.withConfig ?? false,
      mountPath: toBytePath(this.#context.mountPath),
      ownConfig: `${this.#gitdir}/config`,
    });
  }

  #meter({ bytes: totalBytes }: RestorePlan): (bytes: number) => void {
    let done = 0;
    return (bytes) => {
      done += bytes;
      this.#context.onProgress?.({ phase: 'staging', bytes: done, totalBytes });
    };
  }
}

function headTree(store: ObjectStore, { record }: RepositoryPlan): string | null {
  try {
    return treeOfHead(store, record.head.oid);
  } catch (error) {
    if (!(error instanceof Doubt)) throw error;
    const message = `HEAD of repository ${record.number}: ${error.message}`;
    throw new AgentError('RESCUE_OBJECTS_MISSING', message, { cause: error });
  }
}

function outcomeOf(
  manifest: RescueManifest,
  plan: RestorePlan,
  held: readonly NotRestored[],
): RestoreOutcome {
  return {
    rescue: manifest.rescue,
    repositories: plan.repositories.map(describeRepository),
    notRestored: [...plan.notRestored, ...held],
    missing: [],
    lost: gapsIn(manifest),
  };
}

function describeRepository({ record, worktree, gitdir }: RepositoryPlan): string {
  if (record.kind === 'mount') return 'the mount';
  return `${record.kind} ${displayPath(worktree ?? gitdir)}`;
}

/** Without userinfo, `.git` or a slash at its end, the host in lower case. */
function normalUrl(url: string): string {
  const plain = withoutUser(url)
    .replace(/\/+$/, '')
    .replace(/\.git$/, '');
  const parts = /^([a-z][a-z0-9+.-]*:\/\/[^/]*)(.*)$/i.exec(plain);
  return parts === null ? plain : `${(parts[1] ?? '').toLowerCase()}${parts[2] ?? ''}`;
}

function withoutUser(url: string): string {
  return url.replace(/^([a-z][a-z0-9+.-]*:\/\/)[^/@]*@/i, '$1');
}
