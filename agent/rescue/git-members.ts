/**
 * What a Git directory holds, into the archive: its state files as they were read at the survey, Git
 * LFS files that its commits speak of, and its objects as a bundle. Secrets in config stay behind.
 */
import { displayPath } from '../repository/byte-path.ts';
import type { BytePath } from '../repository/byte-path.ts';
import type { Archive } from './archive.ts';
import type { Bundle } from './bundle.ts';
import { withoutSecrets, withoutUserinfos } from './config-filter.ts';
import { copyOf } from './file-copy.ts';
import { lfsPath } from './lfs-objects.ts';
import type { MemberNames } from './member-names.ts';
import { signatureOf } from './state-files.ts';
import type { StateFile } from './state-files.ts';
import type { Surveyed } from './survey.ts';

export class GitMembers {
  readonly #archive: Archive;
  readonly #surveyed: Surveyed;
  readonly #names: MemberNames;

  constructor(archive: Archive, surveyed: Surveyed, names: MemberNames) {
    this.#archive = archive;
    this.#surveyed = surveyed;
    this.#names = names;
  }

  async writeBundle(bundle: Bundle): Promise<string> {
    const name = this.#names.fixed('work.bundle');
    const facts = { name, kind: 'bundle', repository: this.#surveyed.number } as const;
    await this.#archive.addStream(facts, bundle.size, bundle.pieces());
    return name;
  }

  /** @returns what changed under way, in words. */
  async writeState(): Promise<string[]> {
    const { gitdir } = this.#surveyed.repository;
    const unsettled: string[] = [];
    for (const file of this.#surveyed.state) {
      if (file.content !== undefined) {
        await this.#archive.add(this.#facts(file), filtered(file, file.content), secondsOf(file));
      } else if (!(await this.#writeLarge(gitdir, file))) {
        unsettled.push(`${displayPath(`${gitdir}/${file.path}`)} changed while it was read`);
      }
    }
    return unsettled;
  }

  async writeLfs(oids: Iterable<string>): Promise<void> {
    const { commondir } = this.#surveyed.repository;
    for (const oid of oids) {
      const path = lfsPath(oid);
      await using copy = await copyOf(`${commondir}/${path}`);
      if (copy === undefined) continue;
      const facts = this.#facts({ path, kind: 'git', stats: copy.stats, content: undefined });
      await this.#archive.addStream(facts, copy.size, copy.pieces);
    }
  }

  async #writeLarge(gitdir: BytePath, file: StateFile): Promise<boolean> {
    await using copy = await copyOf(`${gitdir}/${file.path}`);
    if (copy === undefined) return false;
    await this.#archive.addStream(this.#facts(file), copy.size, copy.pieces, secondsOf(file));
    return copy.isWhole() && signatureOf(copy.stats) === signatureOf(file.stats);
  }

  #facts({ path, kind, stats }: StateFile) {
    const mode = (stats.mode & 0o777n).toString(8);
    const names = this.#names.of('git', path);
    return { ...names, kind, repository: this.#surveyed.number, mode };
  }
}

function filtered({ path, kind }: StateFile, content: Buffer): Buffer {
  if (kind === 'config') return Buffer.from(withoutSecrets(content.toString('latin1')), 'latin1');
  if (path !== 'FETCH_HEAD') return content;
  return Buffer.from(withoutUserinfos(content.toString('latin1')), 'latin1');
}

function secondsOf({ stats }: StateFile): number {
  return Number(stats.mtimeMs / 1000n);
}
