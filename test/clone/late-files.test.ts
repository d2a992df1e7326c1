/**
 * Packs whose newest commit or trees come behind the blobs, as hosts send them that keep a bitmap:
 * the files are written by the pack threads when the pack is complete. Oracle: git itself.
 */
import { execFileSync } from 'node:child_process';
import { readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { checkOut } from '../../agent/checkout/check-out.ts';
import { STATE } from '../../agent/checkout/node-table.ts';
import { CheckoutObserver } from '../../agent/clone/checkout-observer.ts';
import type { RefPlan } from '../../agent/clone/ref-plan.ts';
import { ingestPack, type IngestOutcome } from '../../agent/pack/ingest.ts';
import { packSource } from '../../agent/pack/pack-source.ts';
import { PACK_LIMITS, type PackTuning } from '../../agent/pack/limits.ts';
import { ObjectStore } from '../../agent/pack/object-store.ts';
import { sealPack } from '../pack/craft-pack.ts';
import { chunksOf } from '../pack/chunks.ts';
import { noise } from '../pack/git-repository.ts';
import { git, gitWithInput, Sandbox } from './sandbox.ts';

const FILES = 150;
const LARGE = 'large.bin';

interface Source {
  readonly sandbox: Sandbox;
  readonly directory: string;
  readonly headOid: string;
  /** By type, as rev-list has them: the newest first. */
  readonly oids: Readonly<Record<'commit' | 'tree' | 'blob', readonly string[]>>;
}

let source: Source;
beforeAll(() => {
  source = makeSource();
});
afterAll(() => {
  source.sandbox[Symbol.dispose]();
});

let sandbox: Sandbox;
beforeEach(() => {
  sandbox = new Sandbox();
});
afterEach(() => {
  sandbox[Symbol.dispose]();
});

/** Two commits: text in directories that git makes deltas of, twins, an executable, a symlink, LFS. */
function makeSource(): Source {
  const made = new Sandbox();
  const directory = made.makeDirectory('source');
  git(directory, 'init', '--quiet', '--initial-branch=main');
  const text = noise(6000, 1).toString('hex');
  for (const round of [1, 2]) {
    for (let file = 0; file < FILES; file++) {
      const content = `${text.slice(file * 20)} ${file} ${file % 3 === 0 ? round : 0}\n`;
      made.write(`source/d${file % 7}/e${file % 3}/file-${file}`, content);
    }
    git(directory, 'add', '.');
    git(directory, 'commit', '--quiet', '-m', `round ${round}`);
  }
  made.write('source/twin', 'the same\n');
  made.write('source/d0/twin', 'the same\n');
  made.write('source/run.sh', '#!/bin/sh\n');
  made.write('source/empty', '');
  made.write(`source/${LARGE}`, noise(300_000, 2));
  made.write('source/crlf.txt', 'one\ntwo\n');
  made.write('source/.gitattributes', 'crlf.txt text eol=crlf\n');
  made.write(
    'source/big.psd',
    `version https://git-lfs.github.com/spec/v1\noid sha256:${'a'.repeat(64)}\nsize 12345\n`,
  );
  execFileSync('chmod', ['+x', join(directory, 'run.sh')]);
  execFileSync('ln', ['-s', 'run.sh', join(directory, 'link')]);
  git(directory, 'add', '.');
  git(directory, 'commit', '--quiet', '-m', 'the rest');
  const headOid = git(directory, 'rev-parse', 'HEAD').trim();
  const listed = git(directory, 'rev-list', '--objects', '--no-object-names', 'HEAD');
  const format = '--batch-check=%(objecttype) %(objectname)';
  const typed = gitWithInput(directory, listed, 'cat-file', format).trim().split('\n');
  const ofType = (type: string): string[] =>
    typed.filter((line) => line.startsWith(type)).map((line) => line.slice(type.length + 1));
  const oids = { commit: ofType('commit'), tree: ofType('tree'), blob: ofType('blob') };
  git(made.directory, 'clone', '--quiet', directory, 'theirs');
  return { sandbox: made, directory, headOid, oids };
}

/** The entries of packs of these objects, one behind the other, as one pack. */
function packInOrder(parts: readonly (readonly string[])[], options: readonly string[]): Buffer {
  const packs = parts.map((oids) => {
    const args = ['pack-objects', '--stdout', '-q', '--no-reuse-delta', ...options];
    return Buffer.from(gitWithInput(source.directory, `${oids.join('\n')}\n`, ...args), 'latin1');
  });
  const count = packs.reduce((sum, pack) => sum + pack.readUInt32BE(8), 0);
  const header = Buffer.from('PACK\0\0\0\u0002\0\0\0\0', 'latin1');
  header.writeUInt32BE(count, 8);
  return sealPack(Buffer.concat([header, ...packs.map((pack) => pack.subarray(12, -20))]));
}

const ORDERS: Readonly<Record<string, () => readonly (readonly string[])[]>> = {
  'the commits last': () => [source.oids.blob, source.oids.tree, source.oids.commit],
  'the trees last': () => [source.oids.commit, source.oids.blob, source.oids.tree],
  'the newest commit and trees amid the blobs': () => {
    const { blob, tree, commit } = source.oids;
    const half = blob.length / 2;
    const newest = [...commit.slice(0, 1), ...tree.slice(0, 5)];
    const old = [...commit.slice(1), ...tree.slice(5)];
    const large = git(source.directory, 'rev-parse', `HEAD:${LARGE}`).trim();
    const first = blob.slice(0, half).filter((oid) => oid !== large);
    return [old, blob.slice(half), newest, first, [large]];
  },
};

class Mount {
  readonly worktree = sandbox.makeDirectory('ours');
  readonly gitdir = join(this.worktree, '.git');
  readonly packDir = join(this.gitdir, 'objects', 'pack');
  readonly observer: CheckoutObserver;

  constructor() {
    git(this.worktree, 'init', '--quiet', '--initial-branch=main');
    const { headOid } = source;
    const detachAt = null;
    const plan: RefPlan = { headRef: null, headOid, detachAt, trackingHead: null, packed: [] };
    this.observer = new CheckoutObserver(this.worktree, plan);
  }

  ingest(
    pack: Buffer | AsyncIterable<Uint8Array>,
    tuning: Partial<PackTuning> = {},
    signal?: AbortSignal,
  ): Promise<IngestOutcome> {
    const { packDir, observer } = this;
    const collectLinks = true;
    const chunks = Buffer.isBuffer(pack) ? chunksOf(pack, 65_536) : pack;
    return ingestPack(packSource(chunks), {
      ...{ packDir, observer, signal, collectLinks, limits: PACK_LIMITS },
      // Contents above 256 KiB are too large for a thread.
      tuning: { threads: 1, threadedObjects: 1, contentRingBytes: 2 ** 20, ...tuning },
    });
  }

  /** Paths of regular files that are to be written yet. */
  async missing(): Promise<string[]> {
    const { checkout } = this.observer;
    if (checkout === undefined) throw new TypeError('nothing was planned');
    const tracked = git(source.directory, 'ls-files', '-s').trim().split('\n');
    using store = this.#open();
    const { entries } = await checkout.complete(store, { due: false } as never);
    expect(entries).toHaveLength(tracked.length);
    return entries
      .filter((entry) => checkout.nodes.stateOf(entry) === STATE.missing)
      .map(({ path }) => path.toString())
      .filter((path) => path !== 'link');
  }

  async checkOut(): Promise<void> {
    using store = this.#open();
    const treeOid = git(source.directory, 'rev-parse', 'HEAD^{tree}').trim();
    const begun = this.observer.checkout;
    await checkOut({ store, worktree: this.worktree, gitdir: this.gitdir, treeOid, begun });
    git(this.worktree, 'update-ref', 'HEAD', source.headOid);
  }

  #open(): ObjectStore {
    return ObjectStore.open(join(this.gitdir, 'objects'));
  }
}

/** Regular files. */
function written(worktree: string): number {
  return readdirSync(worktree, { recursive: true, withFileTypes: true }).filter(
    (entry) => entry.isFile() && !entry.parentPath.includes('/.git'),
  ).length;
}

/** Content, modes and stat data are those of a checkout by git. */
function expectWhole({ worktree }: Mount): void {
  // By stat data alone: nothing is read, and nothing refreshed.
  expect(git(worktree, 'diff-files', '--raw')).toBe('');
  expect(git(worktree, 'status', '--porcelain')).toBe('');
  const theirs = source.sandbox.path('theirs');
  const differences = ['-r', '--no-dereference', '--exclude=.git', worktree, theirs];
  expect(execFileSync('diff', differences, { encoding: 'utf8' })).toBe('');
}

describe.each(Object.keys(ORDERS))('a pack with %s', (order) => {
  it.each([
    [1, 'ofs-deltas', ['--delta-base-offset']],
    [2, 'ref-deltas', []],
  ])('has its files written by %i threads beside the main one: %s', async (threads, _, options) => {
    const mount = new Mount();
    await mount.ingest(packInOrder(ORDERS[order]!(), options), { threads });
    expect(await mount.missing()).toEqual([LARGE]);
    await mount.checkOut();
    expectWhole(mount);
  });
});

describe('while a pack arrives whose newest commit and trees stand amid the blobs', () => {
  const windowBytes = 4096;
  const pack = (): Buffer =>
    packInOrder(ORDERS['the newest commit and trees amid the blobs']!(), ['--delta-base-offset']);

  // On a starved machine a thread may name HEAD's commit after the last look: then nothing is planned.
  const retry = 4;
  it.each([0, 1])(
    'what follows is written as it passes, with %i threads',
    { retry },
    async (threads) => {
      const mount = new Mount();
      // Nothing is taken late, and the link never makes anybody wait.
      mount.observer.whenNamed = () => Promise.resolve(null);
      await mount.ingest(pack(), { threads, windowBytes });
      const missing = await mount.missing();
      expect(missing).toContain(LARGE);
      expect(missing.length).toBeLessThan(FILES / 2);
      await mount.checkOut();
      expectWhole(mount);
    },
  );

  it.each([0, 1])(
    'what had passed is written while the link waits, with %i threads',
    async (threads) => {
      const mount = new Mount();
      const bytes = pack();
      async function* slow(): AsyncGenerator<Uint8Array> {
        yield bytes.subarray(0, -100);
        const all = git(source.directory, 'ls-files').trim().split('\n').length;
        await expect.poll(() => written(mount.worktree), { timeout: 50_000 }).toBe(all - 2);
        yield bytes.subarray(-100);
      }
      await mount.ingest(slow(), { threads, windowBytes });
      expect(await mount.missing()).toEqual([LARGE]);
      await mount.checkOut();
      expectWhole(mount);
    },
    60_000,
  );
});

describe('what comes too late', () => {
  const pack = (): Buffer => packInOrder(ORDERS['the commits last']!(), []);

  it('is left to the checkout where there are no threads', async () => {
    const mount = new Mount();
    await mount.ingest(pack(), { threads: 0 });
    expect(written(mount.worktree)).toBe(0);
    await mount.checkOut();
    expectWhole(mount);
  });

  it('is refused where something is in the way, and no pack is left', async () => {
    const mount = new Mount();
    writeFileSync(join(mount.worktree, 'd3'), 'mine');
    await expect(mount.ingest(pack())).rejects.toMatchObject({ code: 'TREE_PATH_REFUSED' });
    expect(readdirSync(mount.packDir)).toEqual([]);
    expect(readFileSync(join(mount.worktree, 'd3'), 'utf8')).toBe('mine');
  });

  it('ends with the reason of an abort', async () => {
    const mount = new Mount();
    const controller = new AbortController();
    const reason = new Error('no longer wanted');
    const plan = mount.observer.whenNamed.bind(mount.observer);
    mount.observer.whenNamed = async (objects, host) => {
      const taps = await plan(objects, host);
      controller.abort(reason);
      return taps;
    };
    await expect(mount.ingest(pack(), {}, controller.signal)).rejects.toBe(reason);
    expect(readdirSync(mount.packDir)).toEqual([]);
  });
});
