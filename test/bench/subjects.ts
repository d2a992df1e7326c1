/**
 * What is cloned: the made repositories, or any bare repository given by its path, with the facts
 * that each clone is held against.
 */
import { readdir, stat } from 'node:fs/promises';
import { basename, dirname, join, resolve } from 'node:path';
import { fiftyMegabytes, fiveMegabytes, manyFiles } from '../fixtures/benchmark-repositories.ts';
import { gitIn } from '../host/repositories.ts';

export interface Subject {
  readonly name: string;
  readonly bareDir: string;
  readonly headOid: string;
  /** Entries of HEAD's tree that a checkout writes: files and symlinks, no gitlinks. */
  readonly files: number;
  readonly objects: number;
  readonly packBytes: number;
}

export const MADE = { '5mb': fiveMegabytes, '50mb': fiftyMegabytes, files: manyFiles } as const;

export async function madeSubject(name: keyof typeof MADE): Promise<Subject> {
  const { bareDir } = await MADE[name]();
  return describe(name, bareDir);
}

export async function subjectAt(path: string): Promise<Subject> {
  const bareDir = resolve(path);
  const own = basename(bareDir).replace(/\.git$/, '');
  // A directory called `repo` says nothing; its parent's name does.
  const name = /^(repo|bare|)$/.test(own) ? basename(dirname(bareDir)) : own;
  return describe(name.replaceAll(/[^\w.-]/g, '-'), bareDir);
}

async function describe(name: string, bareDir: string): Promise<Subject> {
  const headOid = await gitIn(bareDir, 'rev-parse', 'HEAD');
  const tree = await gitIn(bareDir, 'ls-tree', '-r', '-z', 'HEAD');
  const files = tree.split('\0').filter((entry) => entry !== '' && !entry.startsWith('160000'));
  const counts = await gitIn(bareDir, 'count-objects', '-v');
  const objects = Number(/^in-pack: (\d+)/m.exec(counts)?.[1] ?? 0);
  return {
    name,
    bareDir,
    headOid,
    files: files.length,
    objects,
    packBytes: await packBytes(bareDir),
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
