/**
 * For people: a repository's unpushed commits as mails that `git am` takes, and its changed files as a
 * diff that `git apply` takes. Bounded in size and time; what has no room is named in the diff itself.
 * Nothing depends on them: the bundle and the files have everything.
 */
import { createHash } from 'node:crypto';
import { readlinkSync } from 'node:fs';
import { MODE } from '../checkout/index-entry.ts';
import type { ObjectStore } from '../pack/object-store.ts';
import { AttributeReader } from '../repository/attributes.ts';
import { displayPath, fsPath } from '../repository/byte-path.ts';
import type { BytePath } from '../repository/byte-path.ts';
import { conversionOf, toStored } from '../repository/conversion.ts';
import { readObject } from '../repository/objects.ts';
import type { Pace } from '../repository/pace.ts';
import { readRegularFile } from '../repository/read-file.ts';
import { lookAt } from './file-copy.ts';
import { treeOf } from './links.ts';
import { mailOf } from './patch-mail.ts';
import { patchOf } from './patch-file.ts';
import type { Side } from './patch-file.ts';
import type { Surveyed } from './survey.ts';
import { changesBetween, entryAt } from './tree-changes.ts';
import type { TreeSide } from './tree-changes.ts';
import type { WantedObjects } from './wanted-objects.ts';

const FILE_BYTES = 4 * 2 ** 20;
const ALL_BYTES = 16 * 2 ** 20;
const COMMIT_LIMIT = 200;
const WITHIN_MS = 3_000;
const OWN_BRANCH = /^refs\/(?:heads\/|rescue\/HEAD$)/;

export interface Patch {
  readonly name: string;
  readonly content: Buffer;
}

export class Patches {
  readonly #store: ObjectStore;
  readonly #pace: Pace;
  readonly #endsAt = Date.now() + WITHIN_MS;
  #bytes = 0;

  constructor(store: ObjectStore, pace: Pace) {
    this.#store = store;
    this.#pace = pace;
  }

  /** Oldest first, numbered; merges have none. */
  async *commits(wanted: WantedObjects): AsyncGenerator<Patch> {
    let number = 0;
    for (const oid of this.#order(wanted)) {
      if (this.#isSpent || number >= COMMIT_LIMIT) return;
      if (this.#pace.due) await this.#pace.rest();
      const commit = readObject(this.#store, oid, 'commit');
      const parents = parentsOf(commit);
      if (parents.length > 1) continue;
      const [parent] = parents;
      const before = parent === undefined ? undefined : this.#store.read(parent)?.content;
      const diff = this.#treePatch(before && treeOf(before), treeOf(commit));
      if (diff === '') continue;
      const { name, text } = mailOf(oid, commit, diff, ++number);
      this.#bytes += text.length;
      yield { name, content: text };
    }
  }

  /** null when no tracked file differs from HEAD. */
  async changes({ repository, head, plan }: Surveyed): Promise<Buffer | null> {
    if (plan === null) return null;
    const commit = head.oid === null ? undefined : this.#store.read(head.oid)?.content;
    const tree = (commit && treeOf(commit)) ?? null;
    const attributes = new AttributeReader(repository, (directory) => {
      const oid = plan.attributeFiles.get(directory);
      return oid === undefined ? undefined : this.#store.read(oid)?.content.toString('latin1');
    });
    const left: BytePath[] = [];
    let text = '';
    const changed = [...plan.files].flatMap(([path, kind]) => (kind === 'changed' ? [path] : []));
    // What goes away makes room first.
    for (const path of [...plan.deleted, ...changed]) {
      if (this.#pace.due) await this.#pace.rest();
      const found = entryAt(this.#store, tree, path.replace(/\/$/, ''));
      const isOther = found?.mode === MODE.directory || found?.mode === MODE.gitlink;
      if (isOther || (found === null && plan.deleted.includes(path))) continue;
      const before = this.#side(found);
      const after = this.#fileSide(repository, attributes, path, found);
      if (before === 'large' || after === 'large' || this.#isSpent) left.push(path);
      else text += patchOf(path, before, after, false);
      if (text.length > ALL_BYTES) this.#bytes = ALL_BYTES;
    }
    if (text === '' && left.length === 0) return null;
    const notes = left.map((path) => `not shown here, but in the archive: ${displayPath(path)}\n`);
    return Buffer.concat([Buffer.from(notes.join('')), Buffer.from(text, 'latin1')]);
  }

  get #isSpent(): boolean {
    return this.#bytes >= ALL_BYTES || Date.now() > this.#endsAt;
  }

  #treePatch(before: string | undefined, after: string | undefined): string {
    let text = '';
    for (const change of changesBetween(this.#store, before ?? null, after ?? null)) {
      const [old, now] = [this.#side(change.before), this.#side(change.after)];
      // A commit of which a part has no room has no patch.
      if (old === 'large' || now === 'large' || text.length > ALL_BYTES) return '';
      text += patchOf(change.path, old, now, true);
    }
    return text;
  }

  #side(found: TreeSide | null): Side | null | 'large' {
    if (found === null) return null;
    const { mode, oid } = found;
    if (mode === MODE.gitlink) {
      return { mode, oid, content: Buffer.from(`Subproject commit ${oid}\n`) };
    }
    const size = this.#store.header(oid)?.size ?? 0;
    return size > FILE_BYTES
      ? 'large'
      : { mode, oid, content: readObject(this.#store, oid, 'blob') };
  }

  #fileSide(
    { worktree, config }: Surveyed['repository'],
    attributes: AttributeReader,
    path: BytePath,
    found: TreeSide | null,
  ): Side | null | 'large' {
    const place = `${worktree}/${path}`;
    const stats = lookAt(place);
    if (stats?.isSymbolicLink() === true) {
      return sideOf(MODE.symlink, readlinkSync(fsPath(place), 'buffer'));
    }
    if (stats?.isFile() !== true) return null;
    if (stats.size > FILE_BYTES) return 'large';
    const content = readRegularFile(place, { noFollow: true }) ?? Buffer.alloc(0);
    const conversion = conversionOf(attributes.of(path), config);
    const before = (): Buffer | undefined =>
      found === null ? undefined : this.#store.read(found.oid)?.content;
    const mode = (stats.mode & 0o100n) === 0n ? MODE.regular : MODE.executable;
    return sideOf(mode, conversion === null ? content : toStored(content, conversion, before));
  }

  /** Of the branches and HEAD: parents before children. */
  *#order({ refs, table }: WantedObjects): Generator<string> {
    const seen = new Set<string>();
    for (const [name, tip] of refs) {
      const stack = OWN_BRANCH.test(name) ? [tip] : [];
      for (let oid = stack.at(-1); oid !== undefined; oid = stack.at(-1)) {
        const content = table.has(oid) ? this.#store.read(oid) : undefined;
        const parents = content?.type === 'commit' ? parentsOf(content.content) : [];
        const next = seen.has(oid) ? [] : parents.filter((p) => table.has(p) && !seen.has(p));
        if (next.length > 0 && stack.length < COMMIT_LIMIT * 8) {
          stack.push(...next);
          continue;
        }
        stack.pop();
        if (content?.type !== 'commit' || seen.has(oid)) continue;
        seen.add(oid);
        yield oid;
      }
    }
  }
}

function sideOf(mode: number, content: Buffer): Side {
  const header = `blob ${content.length}\0`;
  return { mode, oid: createHash('sha1').update(header).update(content).digest('hex'), content };
}

function parentsOf(commit: Buffer): string[] {
  const header = commit.toString('latin1', 0, Math.max(0, commit.indexOf('\n\n')) + 1);
  return Array.from(header.matchAll(/^parent ([0-9a-f]{40})$/gm), ([, oid = '']) => oid);
}
