/**
 * The plan of a worktree in, its members in the archive out. Called again with a later plan of the same
 * worktree it writes what changed in between, and marks what it wrote before as superseded.
 */
import { errnoOf } from '../errors.ts';
import { displayPath } from '../repository/byte-path.ts';
import type { BytePath } from '../repository/byte-path.ts';
import type { Archive } from './archive.ts';
import { copyOf, lookAt } from './file-copy.ts';
import type { MemberKind } from './format.ts';
import { isRefusedPath } from './member-names.ts';
import type { MemberNames } from './member-names.ts';
import { signatureOf } from './state-files.ts';
import type { Surveyed } from './survey.ts';
import type { WorktreePlan } from './worktree-plan.ts';

interface Taken {
  /** Of the file when it was copied; empty when it changed meanwhile. */
  readonly signature: string;
  /** Its place among the archive's members. */
  readonly member: number;
}

/** Stands for a signature: an empty directory is there or not. */
const DIRECTORY = 'directory';

export class WorktreeMembers {
  readonly #archive: Archive;
  readonly #number: number;
  readonly #names: MemberNames;
  readonly #taken = new Map<BytePath, Taken>();
  readonly #leftOut = new Map<BytePath, string>();
  #round = 0;
  readonly #lists = new Map<string, { readonly text: string; readonly member: number }>();

  constructor(archive: Archive, number: number, names: MemberNames) {
    this.#archive = archive;
    this.#number = number;
    this.#names = names;
  }

  get leftOut(): string[] {
    return [...this.#leftOut.values()];
  }

  /** @returns the paths that were not as they had been, or changed while they were copied. */
  async write({ repository: { worktree } }: Surveyed, plan: WorktreePlan): Promise<BytePath[]> {
    const changed: BytePath[] = [];
    for (const path of plan.files.keys()) {
      if (this.#isTaken(worktree, path)) continue;
      // What could not be read once is said, and not a change.
      if (this.#leftOut.has(path)) continue;
      if (this.#round > 0) changed.push(path);
      this.#supersede(path);
      if (!(await this.#file(worktree, path)) && this.#round === 0) changed.push(path);
    }
    await this.#directories(plan.emptyDirectories);
    const wanted = new Set([...plan.files.keys(), ...plan.emptyDirectories]);
    for (const path of [...this.#taken.keys()]) {
      if (wanted.has(path)) continue;
      changed.push(path);
      this.#supersede(path);
    }
    await this.#list('deleted', plan.deleted);
    const modes = [...plan.modes].flatMap(([path, mode]) => [mode.toString(8), path]);
    await this.#list('modes', modes);
    this.#round++;
    return changed;
  }

  #isTaken(worktree: BytePath, path: BytePath): boolean {
    const taken = this.#taken.get(path);
    if (taken === undefined) return false;
    const stats = lookAt(`${worktree}/${path}`);
    return stats !== undefined && signatureOf(stats) === taken.signature;
  }

  /** @returns false when its bytes are not of one moment. */
  async #file(worktree: BytePath, path: BytePath): Promise<boolean> {
    try {
      await using copy = await copyOf(`${worktree}/${path}`);
      // Gone since it was planned: the next look does not plan it.
      if (copy === undefined) return false;
      const kind = isRefusedPath(path, copy.kind === 'symlink') ? 'apart' : copy.kind;
      const folder = kind === 'apart' ? 'apart' : copy.kind === 'file' ? 'worktree' : 'symlinks';
      const mode = (copy.stats.mode & 0o7777n).toString(8);
      await this.#archive.addStream(
        this.#facts(kind, folder, path, copy.kind === 'file' ? { mode } : {}),
        copy.size,
        copy.pieces,
        Number(copy.stats.mtimeMs / 1000n),
      );
      const [isWhole, failure] = [copy.isWhole(), copy.failure()];
      this.#remember(path, isWhole ? signatureOf(copy.stats) : '');
      if (failure !== undefined) return this.#leaveOut(path, failure);
      this.#leftOut.delete(path);
      return isWhole;
    } catch (error) {
      const errno = errnoOf(error) ?? '';
      if (!['EACCES', 'EPERM', 'EIO'].includes(errno)) throw error;
      return this.#leaveOut(path, errno);
    }
  }

  #leaveOut(path: BytePath, errno: string): true {
    this.#supersede(path);
    this.#leftOut.set(path, `${displayPath(path)} cannot be read (${errno})`);
    return true;
  }

  async #directories(paths: readonly BytePath[]): Promise<void> {
    for (const path of paths) {
      if (this.#taken.get(path)?.signature === DIRECTORY) continue;
      this.#supersede(path);
      const kind = isRefusedPath(path, false) ? 'apart' : 'directory';
      if (kind === 'apart') continue;
      await this.#archive.add(this.#facts(kind, 'directories', path, {}), Buffer.alloc(0));
      this.#remember(path, DIRECTORY);
    }
  }

  /** One that is as it was when it was written last is not written again. */
  async #list(kind: 'deleted' | 'modes', words: readonly string[]): Promise<void> {
    const text = words.map((word) => `${word}\0`).join('');
    const before = this.#lists.get(kind);
    if (text === (before?.text ?? '')) return;
    if (before !== undefined) this.#mark(before.member);
    const name = this.#names.fixed(`${this.#again}${kind}`);
    await this.#archive.add({ name, kind, repository: this.#number }, Buffer.from(text, 'latin1'));
    this.#lists.set(kind, { text, member: this.#archive.members.length - 1 });
  }

  get #again(): string {
    return this.#round === 0 ? '' : `again/${this.#round}/`;
  }

  #facts(kind: MemberKind, folder: string, path: BytePath, more: { mode?: string }) {
    const names = this.#names.of(`${this.#again}${folder}`, path);
    return { ...names, kind, repository: this.#number, ...more };
  }

  #remember(path: BytePath, signature: string): void {
    this.#taken.set(path, { signature, member: this.#archive.members.length - 1 });
  }

  #supersede(path: BytePath): void {
    const taken = this.#taken.get(path);
    if (taken === undefined) return;
    this.#mark(taken.member);
    this.#taken.delete(path);
  }

  #mark(member: number): void {
    const record = this.#archive.members[member];
    if (record !== undefined) this.#archive.members[member] = { ...record, kind: 'superseded' };
  }
}
