/**
 * In: the files that went into the bundles. Out: the licence of each package among them, in full, as
 * most of them ask of whoever passes their code on; with its notice, as Apache's asks.
 */
import { readFile, readdir } from 'node:fs/promises';
import { join } from 'node:path';

interface Package {
  readonly name: string;
  readonly version: string;
  readonly license?: string;
}

/** @param inputs paths of files, as esbuild's metafile has them. */
export async function licencesOf(inputs: readonly string[]): Promise<string> {
  const roots = new Set<string>();
  for (const path of inputs) {
    const [root] = /^.*node_modules\/(?:@[^/]+\/)?[^/]+/.exec(path) ?? [];
    if (root !== undefined) roots.add(root);
  }
  const texts = await Promise.all([...roots].map(licenceOf));
  return texts.sort().join(`\n${'-'.repeat(80)}\n\n`);
}

async function licenceOf(root: string): Promise<string> {
  const text = await readFile(join(root, 'package.json'), 'utf8');
  const { name, version, license = 'no licence named' } = JSON.parse(text) as Package;
  const files = await readdir(root);
  const licence = files.find((each) => /^licen[cs]e/i.test(each));
  const notice = files.find((each) => /^notice/i.test(each));
  const found = [licence, notice].filter((each) => each !== undefined);
  const texts = await Promise.all(found.map((file) => readFile(join(root, file), 'utf8')));
  const words = texts.map((each) => `\n${each.trimEnd()}\n`).join('');
  return `${name} ${version}, ${license}\n${words}`;
}
