/** Packs by git from which one object was left out; the oracle is what git's own trees name. */
import { readdirSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ingestPack } from '../../agent/pack/ingest.ts';
import { PACK_LIMITS } from '../../agent/pack/limits.ts';
import { packSource } from '../../agent/pack/pack-source.ts';
import { chunksOf } from './chunks.ts';
import { git, makeDirectory, removeDirectory } from './git-repository.ts';

const FILES = 60;
/** A tree for each: one file of its base is another one, gone, or new: at its begin, in its midst, at its end. */
const CHANGES = [0, 1, 29, 30, FILES - 2, FILES - 1];

let repository: string;
/** Lines "<oid> <path>", as pack-objects takes them. */
let objects: string[];

beforeAll(() => {
  repository = makeDirectory();
  git(repository, ['init', '-q', '-b', 'main', '.']);
  const name = (file: number): string => `directory/file-${String(file).padStart(3, '0')}`;
  const author = 'A U Thor <author@example.com> 1580608922 +0000';
  const stream: string[] = [];
  const commit = (...changes: string[]): void => {
    stream.push(`commit refs/heads/main\ncommitter ${author}\ndata 1\n.\n`, ...changes, '\n');
  };
  const put = (path: string, content: string): string =>
    `M 100644 inline ${path}\ndata ${content.length}\n${content}\n`;
  commit(...Array.from({ length: FILES }, (_, file) => put(name(file), `first ${file}\n`)));
  for (const file of CHANGES) {
    commit(put(name(file), `second ${file}\n`));
    commit(`D ${name(file)}\n`);
    commit(put(`${name(file)}-new`, `new ${file}\n`));
  }
  git(repository, ['fast-import', '--quiet'], stream.join(''));
  const listed = git(repository, ['rev-list', '--objects', 'main']).toString();
  objects = listed.trim().split('\n');
});
afterAll(() => {
  removeDirectory(repository);
});

/** Without `missing`; deltas as git makes them. */
async function brokenOidOf(missing: string | null, threads: number): Promise<string | null> {
  const list = objects.filter((line) => missing === null || !line.startsWith(missing));
  const options = ['pack-objects', '--stdout', '--delta-base-offset', '--no-reuse-delta', '-q'];
  const pack = git(repository, options, `${list.join('\n')}\n`);
  const packDir = makeDirectory();
  try {
    const { brokenOid } = await ingestPack(packSource(chunksOf(pack, 4096)), {
      packDir,
      limits: PACK_LIMITS,
      collectLinks: true,
      // The threads are asked for at once, and come when they come.
      tuning: { threads, threadedObjects: 1 },
    });
    expect(readdirSync(packDir)).toHaveLength(3);
    return brokenOid;
  } finally {
    removeDirectory(packDir);
  }
}

/** Every object that a tree or a commit of the repository names. */
function namedBy(oid: string): string {
  const type = git(repository, ['cat-file', '-t', oid]).toString().trim();
  const args = type === 'tree' ? ['ls-tree', oid] : ['cat-file', type, oid];
  return git(repository, args).toString();
}

describe.each([0, 1])('with %i threads', (threads) => {
  it('a pack that has all leads nowhere else', async () => {
    expect(await brokenOidOf(null, threads)).toBeNull();
  });

  it('each file that only one delta of a tree brought is missed', async () => {
    const oids = CHANGES.flatMap((file) =>
      ['second', 'new'].map((word) =>
        git(repository, ['hash-object', '--stdin'], `${word} ${file}\n`).toString().trim(),
      ),
    );
    for (const oid of oids) {
      const broken = await brokenOidOf(oid, threads);
      expect(broken, oid).not.toBeNull();
      expect(namedBy(broken!)).toContain(oid);
    }
  });
});

it('most of these trees are deltas', () => {
  git(repository, ['repack', '-adfq', '--depth=50', '--window=50']);
  const [idx] = readdirSync(`${repository}/.git/objects/pack`).filter((name) =>
    name.endsWith('.idx'),
  );
  const rows = git(repository, ['verify-pack', '-v', `.git/objects/pack/${idx!}`]).toString();
  const trees = rows.split('\n').filter((row) => / tree /.test(row));
  const deltas = trees.filter((row) => row.trim().split(/\s+/).length === 7);
  expect(deltas.length).toBeGreaterThan(trees.length / 3);
});
