/**
 * One look at a mount and all of it into an archive. In: what the remote shows, and objects known to be
 * unreadable; out: the finished file, or 'again' when refs, index or operations changed under way.
 * Refs and objects are always of one moment; files that changed are taken again.
 */
import { displayPath, toBytePath } from '../repository/byte-path.ts';
import type { BytePath } from '../repository/byte-path.ts';
import type { Pace } from '../repository/pace.ts';
import type { Archive } from './archive.ts';
import { planBundle } from './bundle.ts';
import type { Bundle } from './bundle.ts';
import type { CaptureContext } from './capture.ts';
import { NOTHING_CERTAIN, findCertain } from './certain.ts';
import type { Certain } from './certain.ts';
import { lookAt } from './file-copy.ts';
import { FORMAT, FORMAT_VERSION, MEMBER, writeManifest } from './format.ts';
import type { RepositoryRecord, RescueManifest } from './format.ts';
import { headerOf } from './header.ts';
import { GitMembers } from './git-members.ts';
import { MemberNames } from './member-names.ts';
import { recordOf } from './repository-record.ts';
import { writePatches } from './patch-members.ts';
import { readmeOf } from './readme.ts';
import { Survey } from './survey.ts';
import type { Surveyed } from './survey.ts';
import { findWanted } from './wanted-objects.ts';
import type { WantedObjects } from './wanted-objects.ts';
import { WorktreeMembers } from './worktree-members.ts';

export interface PassContext {
  readonly archive: Archive;
  readonly createdAt: string;
  readonly shown: ReadonlyMap<string, string> | null;
  readonly broken: ReadonlySet<string>;
  /** What has not settled by now is said. */
  readonly isLast: boolean;
  readonly pace: Pace;
}

export interface PassResult {
  readonly file: string;
  readonly sizeBytes: number;
  readonly manifest: RescueManifest;
}

/** What one repository comes to. */
interface Part {
  readonly surveyed: Surveyed;
  readonly names: MemberNames;
  readonly files: WorktreeMembers;
  readonly certain: Certain;
  /** null where it has no objects of its own to give. */
  readonly wanted: WantedObjects | null;
  readonly bundle: Bundle | null;
  readonly fileBytes: number;
}

/** Looks at the worktrees after the first one. */
const ROUNDS = 3;
const UNSETTLED_SHOWN = 20;

export class CapturePass {
  readonly #context: CaptureContext;
  readonly #pass: PassContext;
  readonly #mount: BytePath;
  readonly #unsettled: string[] = [];
  #doneBytes = 0;
  #totalBytes = 0;

  constructor(context: CaptureContext, pass: PassContext) {
    this.#context = context;
    this.#pass = pass;
    this.#mount = toBytePath(context.mount);
  }

  async run(): Promise<PassResult | 'again'> {
    this.#report('looking');
    using survey = await this.#survey();
    const parts: Part[] = [];
    for (const surveyed of survey.repositories) parts.push(await this.#part(surveyed, survey));
    const header = headerOf(this.#context, this.#pass.createdAt, parts);
    const { archive } = this.#pass;
    archive.onBytes = (bytes) => {
      this.#doneBytes += bytes;
      this.#report('writing');
    };
    await archive.add(
      { name: MEMBER.header, kind: 'header' },
      Buffer.from(`${JSON.stringify(header, null, 1)}\n`),
    );
    await archive.add({ name: MEMBER.readme, kind: 'readme' }, Buffer.from(readmeOf(header)));
    const records: RepositoryRecord[] = [];
    for (const part of parts) records.push(await this.#write(part));
    if ((await this.#settle(parts)) === 'again') return 'again';
    const leftOut = parts.flatMap(({ surveyed, files }) => [
      ...(surveyed.plan?.leftOut ?? []),
      ...files.leftOut,
    ]);
    const manifest: RescueManifest = {
      format: FORMAT,
      version: FORMAT_VERSION,
      rescue: header,
      unsettled: this.#unsettled,
      left_out: [...survey.leftOut, ...leftOut],
      repositories: records,
      members: archive.members,
    };
    return { ...(await archive.finish(MEMBER.manifest, writeManifest(manifest))), manifest };
  }

  #survey(): Promise<Survey> {
    const { includeIgnored, home } = this.#context;
    return Survey.take({
      mount: this.#mount,
      home: home === undefined ? undefined : toBytePath(home),
      includeIgnored,
      pace: this.#pass.pace,
    });
  }

  /** What of a repository's objects has to be put in; those of its linked worktrees with them. */
  async #part(surveyed: Surveyed, survey: Survey): Promise<Part> {
    const { number, store, commits, shallow, sharesWith } = surveyed;
    const names = new MemberNames(number);
    const files = new WorktreeMembers(this.#pass.archive, number, names);
    const fileBytes = bytesOf(surveyed);
    this.#totalBytes += fileBytes;
    const common = { surveyed, names, files, fileBytes };
    if (store === null || commits === null || sharesWith !== null) {
      return { ...common, certain: NOTHING_CERTAIN, wanted: null, bundle: null };
    }
    const linked = survey.repositories.filter((other) => other.sharesWith === number);
    const roots = [surveyed, ...linked].flatMap((each) => each.roots);
    const certain = this.#certain(surveyed);
    const wanted = await findWanted(
      {
        store,
        commits,
        certain: certain.commits,
        certainTags: certain.tags,
        broken: this.#pass.broken,
        shallow,
        pace: this.#pass.pace,
      },
      roots,
    );
    const bundle = planBundle(wanted, store, shallow);
    this.#totalBytes += bundle?.size ?? 0;
    return { ...common, certain, wanted, bundle };
  }

  #certain({ kind, repository, roots, commits, store }: Surveyed): Certain {
    if (this.#context.selfContained || commits === null) return NOTHING_CERTAIN;
    const isMount = kind === 'mount';
    return findCertain({
      repository,
      roots,
      commits,
      has: (oid) => store?.has(oid) === true,
      shown: { url: this.#context.url, refs: isMount ? this.#pass.shown : null },
      clonedTags: isMount ? this.#context.clonedTags : undefined,
    });
  }

  async #write({
    surveyed,
    names,
    files,
    certain,
    wanted,
    bundle,
  }: Part): Promise<RepositoryRecord> {
    const git = new GitMembers(this.#pass.archive, surveyed, names);
    const bundleName = bundle === null ? null : await git.writeBundle(bundle);
    this.#unsettled.push(...(await git.writeState()));
    if (wanted !== null) await git.writeLfs(wanted.lfsOids);
    if (surveyed.plan !== null) await files.write(surveyed, surveyed.plan);
    await writePatches({
      archive: this.#pass.archive,
      names,
      surveyed,
      wanted,
      pace: this.#pass.pace,
    });
    return recordOf(surveyed, certain.trust, wanted, bundleName, (place) => this.#relative(place));
  }

  /** Looks again, and takes again, until a look shows nothing new. */
  async #settle(parts: readonly Part[]): Promise<'settled' | 'again'> {
    let changed: BytePath[] = [];
    for (let round = 1; round <= ROUNDS; round++) {
      using survey = await this.#survey();
      if (stateOf(survey.repositories) !== stateOf(parts.map(({ surveyed }) => surveyed))) {
        if (!this.#pass.isLast) return 'again';
        if (round === 1) this.#unsettled.push('refs, the index or an operation went on changing');
      }
      changed = [];
      for (const { surveyed, files } of parts) {
        const now = survey.repositories.find((other) => isSame(other, surveyed));
        if (now?.plan == null) continue;
        const { worktree } = surveyed.repository;
        const paths = await files.write(surveyed, now.plan);
        changed.push(...paths.map((path) => `${worktree}/${path}`));
      }
      if (changed.length === 0) return 'settled';
    }
    const shown = changed
      .slice(0, UNSETTLED_SHOWN)
      .map((path) => displayPath(this.#relative(path)));
    const more = changed.length > shown.length ? ` and ${changed.length - shown.length} more` : '';
    this.#unsettled.push(`went on changing: ${shown.join(', ')}${more}`);
    return 'settled';
  }

  #relative(place: BytePath): BytePath {
    if (place === this.#mount) return '';
    return place.startsWith(`${this.#mount}/`) ? place.slice(this.#mount.length + 1) : place;
  }

  #report(phase: 'looking' | 'writing'): void {
    const [doneBytes, totalBytes] = [this.#doneBytes, this.#totalBytes];
    this.#context.onProgress?.({ phase, doneBytes, totalBytes });
  }
}

function bytesOf({ plan, repository: { worktree } }: Surveyed): number {
  let bytes = 0;
  for (const path of plan?.files.keys() ?? []) {
    bytes += Number(lookAt(`${worktree}/${path}`)?.size ?? 0n);
  }
  return bytes;
}

function isSame(one: Surveyed, other: Surveyed): boolean {
  return one.repository.gitdir === other.repository.gitdir;
}

/** Equal as long as no repository came, went, or changed its state. */
function stateOf(repositories: readonly Surveyed[]): string {
  return repositories
    .map(({ repository, signature }) => repository.gitdir + signature)
    .join('\0\0');
}
