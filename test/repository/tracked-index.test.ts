/** The index as the ledger keeps it, read in slices, against what git says of the same index. */
import { rmSync } from 'node:fs';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { Pace } from '../../agent/repository/pace.ts';
import { openRepository } from '../../agent/repository/repository.ts';
import { readTrackedIndex } from '../../agent/repository/tracked-index.ts';
import { RepositoryObjects } from '../../agent/work/repository-objects.ts';
import { Repository, temporaryDirectory } from '../checkout/repository.ts';

const FILES = 5_000;
let root = '';
let made: Repository;
let blob = '';

beforeAll(() => {
  root = temporaryDirectory();
  made = new Repository(root, 'work');
  blob = made.blob('content');
  const entries = Array.from({ length: FILES }, (_, at) => {
    return `100644 ${blob}\td${at % 7}/e${at % 100}/file${at}\n`;
  });
  made.gitWith(entries.join(''), 'update-index', '--add', '--index-info');
});
afterAll(() => {
  rmSync(root, { recursive: true, force: true });
});

/** Rests whenever it may. */
class EagerPace extends Pace {
  rests = 0;
  override get due(): boolean {
    return true;
  }
  override async rest(): Promise<void> {
    this.rests++;
    await super.rest();
  }
}

async function read(pace = new Pace()) {
  const repository = openRepository(made.worktree);
  const objects = new RepositoryObjects();
  try {
    const sparse = { repository, objects: objects.of(repository), doubts: [] };
    return await readTrackedIndex(repository.gitdir, pace, sparse);
  } finally {
    objects.close();
  }
}

/** Directory → oid of its tree, the root under ''. */
function treesOf(rootOid: string): [string, string][] {
  const format = '--format=%(path) %(objectname)';
  const lines = made.git('ls-tree', '-r', '-t', '-d', format, rootOid).split('\n');
  return [['', rootOid], ...lines.map((line) => line.split(' ') as [string, string])];
}

test('a big index gives the event loop a turn every thousand entries, and says what git says', async () => {
  const pace = new EagerPace();
  const index = await read(pace);
  // Once through the file and once through the table, beside the file itself and its checksum.
  expect(pace.rests).toBeGreaterThan((2 * FILES) / 1024);
  const paths = made.git('ls-files').split('\n');
  expect(Array.from({ length: index.count }, (_, at) => index.path(at))).toEqual(paths);
  const held = [...index.prefixes].flatMap((prefix) => index.directory(prefix)?.positions ?? []);
  expect(held.sort((a, b) => a - b)).toEqual(paths.map((_, at) => at));
});

test('the trees that the index knows are those that git wrote, less the ones that a change made invalid', async () => {
  const rootOid = made.git('write-tree');
  const trees = treesOf(rootOid);
  expect(trees.length).toBeGreaterThan(700);
  const { cachedTrees } = await read();
  for (const [directory, oid] of trees) expect(cachedTrees.get(directory), directory).toBe(oid);
  expect(cachedTrees.get('d0/none')).toBeUndefined();
  made.git('update-index', '--add', '--cacheinfo', `100755,${blob},d0/e0/file0`);
  const changed = await read();
  for (const [directory, oid] of trees) {
    const isInvalid = ['', 'd0', 'd0/e0'].includes(directory);
    expect(changed.cachedTrees.get(directory), directory).toBe(isInvalid ? undefined : oid);
  }
});
