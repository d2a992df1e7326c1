/**
 * What is cloned: the made repositories, or any bare repository given by its path, with the facts
 * that each clone is held against.
 */
import { readdir, stat } from 'node:fs/promises';
import { basename, dirname, join, resolve } from 'node:path';
import {
  eightyMegabytes,
  fiftyMegabytes,
  fiveMegabytes,
  manyFiles,
  several,
} from '../fixtures/benchmark-repositories.ts';
import { gitIn } from '../host/repositories.ts';

export interface Subject {
  readonly name: string;
  readonly bareDir: string;
  readonly headOid: string;
  /** Entries of HEAD's tree that a checkout writes: files and symlinks, no gitlinks. */
  readonly files: number;
  /** Reachable from HEAD, branches and tags: what a clone asks for, and not `refs/pull`. */
  readonly objects: number;
  /** `oid refs/remotes/origin/…` and `oid refs/tags/…`, sorted, as a clone of it has them. */
  readonly refs: readonly string[];
  /** Size of the host's packs, of which a clone may need only a part. */
  readonly storedBytes: number;
}

/** What is cloned at once. */
export interface Work {
  readonly name: string;
  readonly subjects: readonly Subject[];
}

export const MADE = {
  '5mb': fiveMegabytes,
  '50mb': fiftyMegabytes,
  '80mb': eightyMegabytes,
  files: manyFiles,
} as const;

export async function madeSubject(name: keyof typeof MADE): Promise<Subject> {
  const { bareDir } = await MADE[name]();
  return describe(name, bareDir);
}

export async function severalSubjects(): Promise<Subject[]> {
  const fixtures = await several();
  return Promise.all(fixtures.map(({ name, bareDir }) => describe(name, bareDir)));
}

export async function subjectAt(path: string): Promise<Subject> {
  const bareDir = resolve(path);
  const own = basename(bareDir).replace(/\.git$/, '');
  // A directory called `repo` says nothing; its parent's name does.
  const name = /^(repo|bare|)$/.test(own) ? basename(dirname(bareDir)) : own;
  return describe(name.replaceAll(/[^\w.-]/g, '-'), bareDir);
}

export const REF_FORMAT = '--format=%(objectname) %(refname)';

/** @param name stands in the URL, and names the clone. */
export async function describe(name: string, bareDir: string): Promise<Subject> {
  const headOid = await gitIn(bareDir, 'rev-parse', 'HEAD');
  const tree = await gitIn(bareDir, 'ls-tree', '-r', '-z', 'HEAD');
  const files = tree.split('\0').filter((entry) => entry !== '' && !entry.startsWith('160000'));
  const range = ['HEAD', '--branches', '--tags'];
  const reachable = await gitIn(bareDir, 'rev-list', '--objects', '--no-object-names', ...range);
  const listed = await gitIn(bareDir, 'for-each-ref', REF_FORMAT, 'refs/heads', 'refs/tags');
  const refs = listed
    .split('\n')
    .map((ref) => ref.replace(' refs/heads/', ' refs/remotes/origin/'));
  return {
    name,
    bareDir,
    headOid,
    files: files.length,
    objects: reachable.split('\n').length,
    refs: refs.toSorted(),
    storedBytes: await packBytes(bareDir),
  };
}

async function packBytes(bareDir: string): Promise<number> {
  const directory = join(bareDir, 'objects', 'pack');
  const packs = (await readdir(directory)).filter((name) => name.endsWith('.pack'));
  const sizes = await Promise.all(
    packs.map(async (name) => (await stat(join(directory, name))).size),
  );
  return sizes.reduce((sum, size) => sum + size, 0);
}
