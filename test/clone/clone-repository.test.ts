import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { CloneJob, CloneProgress } from '../../agent/clone/clone-job.ts';
import { GitServer } from './git-server.ts';
import { makeJob, runClone } from './job.ts';
import { git, gitOverNetwork, gitWithInput, makeOrigin, Sandbox } from './sandbox.ts';
import { snapshot } from './snapshot.ts';

let sandbox: Sandbox;
beforeEach(() => {
  sandbox = new Sandbox();
});
afterEach(() => {
  sandbox[Symbol.dispose]();
});

interface Compared {
  readonly job?: Partial<CloneJob>;
  /** Arguments of the native clone. */
  readonly native?: readonly string[];
  readonly protocolZero?: boolean;
}

/** Clones `name`.git with git and with us, and expects the same. */
async function expectAsNative(
  name: string,
  { job = {}, native = [], protocolZero = false }: Compared = {},
): Promise<string> {
  await using server = await GitServer.start({ root: sandbox.directory, protocolZero });
  const url = `${server.origin}/${name}.git`;
  const theirs = sandbox.path('theirs');
  await gitOverNetwork(sandbox.directory, 'clone', '--quiet', ...native, url, theirs);
  const ours = sandbox.path('ours');
  const outcome = await runClone(makeJob(url, ours, job));
  expect(snapshot(ours)).toEqual(snapshot(theirs));
  expect(git(ours, 'fsck', '--full', '--strict')).toBe('');
  const [ref, oid] = [
    tryGit(theirs, 'symbolic-ref', 'HEAD'),
    tryGit(theirs, 'rev-parse', '--verify', 'HEAD'),
  ];
  expect(outcome.head).toEqual({ ref, oid });
  return ours;
}

function tryGit(cwd: string, ...args: string[]): string | null {
  try {
    return git(cwd, ...args, '--quiet').trim();
  } catch {
    // git says by its exit code that there is no such thing.
    return null;
  }
}

/** A bare repository and the oid of a commit in it, without any ref. */
function makeBare(name: string): { bare: string; commit: string } {
  const bare = sandbox.makeDirectory(`${name}.git`);
  git(bare, 'init', '--quiet', '--bare', '--initial-branch=main');
  const tree = gitWithInput(bare, '', 'mktree').trim();
  return { bare, commit: git(bare, 'commit-tree', '-m', 'one', tree).trim() };
}

describe.each([{ protocolZero: false }, { protocolZero: true }])(
  'cloneRepository() equals git clone ($protocolZero)',
  ({ protocolZero }) => {
    it('for branches, tags of both kinds, symlinks and executables', async () => {
      makeOrigin(sandbox, 'plain');
      await expectAsNative('plain', { protocolZero });
    });

    it('for a detached HEAD', async () => {
      const { bare, commit } = makeBare('detached');
      const tree = git(bare, 'rev-parse', `${commit}^{tree}`).trim();
      const other = git(bare, 'commit-tree', '-p', commit, '-m', 'two', tree).trim();
      git(bare, 'update-ref', 'refs/heads/main', commit);
      git(bare, 'update-ref', '--no-deref', 'HEAD', other);
      await expectAsNative('detached', { protocolZero });
    });

    it('for a detached HEAD at the tip of branches, where git guesses one', async () => {
      const { bare, commit } = makeBare('guess');
      git(bare, 'update-ref', 'refs/heads/zeta', commit);
      git(bare, 'update-ref', 'refs/heads/beta', commit);
      git(bare, 'update-ref', '--no-deref', 'HEAD', commit);
      await expectAsNative('guess', { protocolZero });
    });

    it('for a tag with the name of the default branch', async () => {
      const bare = makeOrigin(sandbox, 'tagged');
      git(bare, 'tag', 'main', 'feature/deep');
      await expectAsNative('tagged', { protocolZero });
    });

    it('for a default branch named origin', async () => {
      const { bare, commit } = makeBare('named');
      git(bare, 'update-ref', 'refs/heads/origin', commit);
      git(bare, 'symbolic-ref', 'HEAD', 'refs/heads/origin');
      await expectAsNative('named', { protocolZero });
    });

    it('for a branch of the manifest', async () => {
      makeOrigin(sandbox, 'branch');
      await expectAsNative('branch', {
        protocolZero,
        native: ['--branch', 'feature/deep'],
        job: { checkout: { type: 'branch', name: 'feature/deep' } },
      });
    });
  },
);

describe('cloneRepository() equals git clone', () => {
  it('for an empty repository whose unborn branch has a name of its own', async () => {
    git(sandbox.directory, 'init', '--quiet', '--bare', '--initial-branch=trunk', 'empty.git');
    await expectAsNative('empty');
  });

  it('for an empty repository of a host that does not tell the unborn branch', async () => {
    git(sandbox.directory, 'init', '--quiet', '--bare', '--initial-branch=trunk', 'empty.git');
    await expectAsNative('empty', { protocolZero: true });
  });

  it('for a HEAD that names a missing branch', async () => {
    const { bare, commit } = makeBare('absent');
    git(bare, 'update-ref', 'refs/heads/other', commit);
    git(bare, 'symbolic-ref', 'HEAD', 'refs/heads/gone');
    await expectAsNative('absent');
  });

  it('for a branch named HEAD, a branch that is not UTF-8, and names that need quotes', async () => {
    const { bare, commit } = makeBare('odd');
    for (const name of ['HEAD', 'a"b', 'f\u00fcr', 'semi;colon#hash']) {
      git(bare, 'update-ref', `refs/heads/${name}`, commit);
    }
    gitWithInput(
      bare,
      Buffer.from(`create refs/heads/latin-\xe9 ${commit}\n`, 'latin1'),
      'update-ref',
      '--stdin',
    );
    git(bare, 'symbolic-ref', 'HEAD', 'refs/heads/a"b');
    await expectAsNative('odd');
  });

  it('for a default branch beyond ASCII', async () => {
    const { bare, commit } = makeBare('unicode');
    git(bare, 'update-ref', 'refs/heads/hauptäst', commit);
    git(bare, 'symbolic-ref', 'HEAD', 'refs/heads/hauptäst');
    await using server = await GitServer.start({ root: sandbox.directory });
    const url = `${server.origin}/unicode.git`;
    await gitOverNetwork(sandbox.directory, 'clone', '--quiet', url, 'theirs');
    const outcome = await runClone(makeJob(url, sandbox.path('ours')));
    expect(outcome.head.ref).toBe('refs/heads/hauptäst');
    expect(snapshot(sandbox.path('ours'))).toEqual(snapshot(sandbox.path('theirs')));
  });

  it('for ten thousand refs', async () => {
    const { bare, commit } = makeBare('many');
    const refs = Array.from(
      { length: 10_000 },
      (_, at) => `create refs/heads/b${at % 100}/n${at} ${commit}\n`,
    );
    gitWithInput(bare, refs.join(''), 'update-ref', '--stdin');
    git(bare, 'update-ref', 'refs/heads/main', commit);
    await expectAsNative('many');
  });

  it('for a host that is itself a shallow clone', async () => {
    const bare = makeOrigin(sandbox, 'deep');
    git(
      sandbox.directory,
      'clone',
      '--quiet',
      '--bare',
      '--depth=1',
      `file://${bare}`,
      'shallow.git',
    );
    git(sandbox.path('shallow.git'), 'remote', 'remove', 'origin');
    await expectAsNative('shallow');
  });

  it('and leaves a repository that fetches, pulls and pushes with real git', async () => {
    const bare = makeOrigin(sandbox, 'lively');
    await using server = await GitServer.start({ root: sandbox.directory });
    const ours = sandbox.path('ours');
    await runClone(makeJob(`${server.origin}/lively.git`, ours));
    sandbox.write('ours/new.txt', 'new\n');
    git(ours, 'add', '.');
    git(ours, 'commit', '--quiet', '-m', 'third');
    await gitOverNetwork(ours, 'push', '--quiet');
    expect(git(bare, 'rev-parse', 'main')).toBe(git(ours, 'rev-parse', 'HEAD'));
    git(bare, 'branch', 'later', 'main');
    git(bare, 'update-ref', 'refs/heads/main', 'main~1');
    await gitOverNetwork(ours, 'pull', '--quiet', '--ff-only');
    expect(git(ours, 'rev-parse', 'origin/later')).toBe(git(ours, 'rev-parse', 'HEAD'));
    expect(await gitOverNetwork(ours, 'remote', 'show', 'origin')).toContain('HEAD branch: main');
  });
});

describe('cloneRepository()', () => {
  it('detaches HEAD at a commit of the manifest and keeps the default branch', async () => {
    const bare = makeOrigin(sandbox, 'commit');
    const oid = git(bare, 'rev-parse', 'main~1').trim();
    await using server = await GitServer.start({ root: sandbox.directory });
    const url = `${server.origin}/commit.git`;
    await gitOverNetwork(sandbox.directory, 'clone', '--quiet', url, 'theirs');
    git(sandbox.path('theirs'), 'checkout', '--quiet', oid);
    const job = makeJob(url, sandbox.path('ours'), { checkout: { type: 'commit', oid } });
    expect((await runClone(job)).head).toEqual({ ref: null, oid });
    expect(snapshot(sandbox.path('ours'))).toEqual(snapshot(sandbox.path('theirs')));
  });

  it('fetches a commit of the manifest that no ref leads to', async () => {
    const { bare, commit } = makeBare('loose');
    git(bare, 'update-ref', 'refs/heads/main', commit);
    const tree = git(bare, 'rev-parse', `${commit}^{tree}`).trim();
    const oid = git(bare, 'commit-tree', '-m', 'of a pull request', tree).trim();
    await using server = await GitServer.start({ root: sandbox.directory });
    const url = `${server.origin}/loose.git`;
    const job = makeJob(url, sandbox.path('ours'), { checkout: { type: 'commit', oid } });
    expect((await runClone(job)).head.oid).toBe(oid);
    expect(git(sandbox.path('ours'), 'rev-parse', 'HEAD').trim()).toBe(oid);
  });

  it.each([
    { checkout: { type: 'branch', name: 'nowhere' }, protocolZero: false },
    { checkout: { type: 'branch', name: 'v1.0' }, protocolZero: false },
    { checkout: { type: 'commit', oid: 'ab'.repeat(20) }, protocolZero: false },
    { checkout: { type: 'commit', oid: 'ab'.repeat(20) }, protocolZero: true },
  ] as const)('refuses $checkout as missing (protocol 0: $protocolZero)', async (missing) => {
    const { checkout, protocolZero } = missing;
    makeOrigin(sandbox, 'missing');
    await using server = await GitServer.start({ root: sandbox.directory, protocolZero });
    const job = makeJob(`${server.origin}/missing.git`, sandbox.path('ours'), { checkout });
    await expect(runClone(job)).rejects.toMatchObject({ code: 'CHECKOUT_REF_MISSING' });
  });

  it('refuses a tag object as the commit of the manifest', async () => {
    const bare = makeOrigin(sandbox, 'tagobject');
    const oid = git(bare, 'rev-parse', 'v1.0').trim();
    await using server = await GitServer.start({ root: sandbox.directory });
    const job = makeJob(`${server.origin}/tagobject.git`, sandbox.path('ours'), {
      checkout: { type: 'commit', oid },
    });
    await expect(runClone(job)).rejects.toMatchObject({ code: 'CHECKOUT_REF_MISSING' });
  });

  it.each([{ protocolZero: false }, { protocolZero: true }])(
    'refuses a SHA-256 repository (protocol 0: $protocolZero)',
    async ({ protocolZero }) => {
      const work = sandbox.makeDirectory('sha256.git');
      git(work, 'init', '--quiet', '--bare', '--object-format=sha256');
      const tree = gitWithInput(work, '', 'mktree').trim();
      const commit = git(work, 'commit-tree', '-m', 'one', tree).trim();
      git(work, 'update-ref', 'refs/heads/main', commit);
      await using server = await GitServer.start({ root: sandbox.directory, protocolZero });
      const job = makeJob(`${server.origin}/sha256.git`, sandbox.path('ours'));
      await expect(runClone(job)).rejects.toMatchObject({ code: 'REFS_UNSUPPORTED_OBJECT_FORMAT' });
    },
  );

  it('asks for no refs but HEAD, branches and tags, and for the whole history', async () => {
    const bare = makeOrigin(sandbox, 'pulls');
    git(bare, 'update-ref', 'refs/pull/1/head', 'main');
    await using server = await GitServer.start({ root: sandbox.directory });
    const ours = sandbox.path('ours');
    await runClone(makeJob(`${server.origin}/pulls.git`, ours));
    expect(git(ours, 'for-each-ref')).not.toContain('pull');
    expect(git(ours, 'rev-list', '--count', 'HEAD').trim()).toBe('2');
    const packs = readdirSync(join(ours, '.git/objects/pack')).sort();
    expect(packs.map((name) => name.slice(name.lastIndexOf('.')))).toEqual([
      '.idx',
      '.pack',
      '.rev',
    ]);
  });

  it('reports each phase in order with counts that only grow', async () => {
    makeOrigin(sandbox, 'progress');
    await using server = await GitServer.start({ root: sandbox.directory });
    const reports: CloneProgress[] = [];
    const job = makeJob(`${server.origin}/progress.git`, sandbox.path('ours'));
    const outcome = await runClone(job, (progress) => reports.push(progress));
    const phases = reports.map(({ phase }) => phase);
    expect([...new Set(phases)]).toEqual(['connecting', 'receiving', 'indexing', 'checking_out']);
    expect(reports.at(-1)?.progress).toEqual({
      received_bytes: outcome.packBytes,
      objects: outcome.objectCount,
      total_objects: outcome.objectCount,
      files: 3,
      total_files: 3,
    });
  });

  it('keeps the token out of everything on disk and shows it to nobody but the host', async () => {
    makeOrigin(sandbox, 'secret');
    await using server = await GitServer.start({ root: sandbox.directory });
    const job = makeJob(`${server.origin}/secret.git`, sandbox.path('ours'));
    await runClone(job);
    const basic = Buffer.from(`x-access-token:${job.token}`).toString('base64');
    expect(server.seen.map(({ headers }) => headers.authorization)).toEqual(
      server.seen.map(() => `Basic ${basic}`),
    );
    expect(server.seen.every(({ url }) => !url.includes(job.token))).toBe(true);
    const files = readdirSync(job.worktree, { recursive: true, withFileTypes: true });
    for (const file of files.filter((entry) => entry.isFile())) {
      const content = readFileSync(join(file.parentPath, file.name));
      expect(content.includes(job.token) || content.includes(basic)).toBe(false);
    }
  });

  it('rethrows the reason of an abort and stops', async () => {
    makeOrigin(sandbox, 'abort');
    await using server = await GitServer.start({
      root: sandbox.directory,
      intercept: () => true,
    });
    const abort = new AbortController();
    const reason = new Error('enough');
    const { cloneRepository } = await import('../../agent/clone/clone-repository.ts');
    const job = makeJob(`${server.origin}/abort.git`, sandbox.path('ours'));
    const cloning = cloneRepository(job, { signal: abort.signal, onProgress: () => undefined });
    abort.abort(reason);
    await expect(cloning).rejects.toBe(reason);
  });
});
