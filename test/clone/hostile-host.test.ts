import { execFileSync } from 'node:child_process';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { gitConfig } from '../../agent/clone/git-config.ts';
import { GitServer } from './git-server.ts';
import { makeJob, runClone } from './job.ts';
import { git, GIT_ENV, gitWithInput, Sandbox } from './sandbox.ts';
import { bytesOf, collect, pkt } from './streams.ts';

const ABSENT = 'cd'.repeat(20);

let sandbox: Sandbox;
let repository: string;
let commit: string;
let tree: string;
let blob: string;
beforeEach(() => {
  sandbox = new Sandbox();
  repository = sandbox.makeDirectory('repository');
  git(repository, 'init', '--quiet', '--bare');
  blob = gitWithInput(repository, 'content\n', 'hash-object', '-w', '--stdin').trim();
  tree = gitWithInput(repository, `100644 blob ${blob}\tfile\n`, 'mktree').trim();
  commit = git(repository, 'commit-tree', '-m', 'one', tree).trim();
});
afterEach(() => {
  sandbox[Symbol.dispose]();
});

/** A pack of exactly these objects. */
function packOf(...oids: string[]): Buffer {
  return execFileSync('git', ['pack-objects', '--stdout', '--quiet'], {
    cwd: repository,
    env: GIT_ENV,
    input: oids.map((oid) => `${oid}\n`).join(''),
  });
}

/** A commit that may name a parent which is not there. */
function writeCommit(treeOid: string, parent: string): string {
  const who = 'A <a@example.com> 1700000000 +0000';
  const text = `tree ${treeOid}\nparent ${parent}\nauthor ${who}\ncommitter ${who}\n\nmade\n`;
  return gitWithInput(repository, text, 'hash-object', '-t', 'commit', '-w', '--stdin').trim();
}

/** A commit and its tree, which names something that is not there. */
function oldHistory(treeEntry: string): string[] {
  const broken = gitWithInput(repository, treeEntry, 'mktree', '--missing').trim();
  return [git(repository, 'commit-tree', '-m', 'old', broken).trim(), broken];
}

/** Clones from a host that claims these refs and sends these bytes for the pack. */
async function cloneOf(refs: readonly string[], answer: Buffer): Promise<unknown> {
  await using server = await GitServer.start({
    root: sandbox.directory,
    intercept: (request, response) => {
      const kind = request.method === 'GET' ? 'advertisement' : 'result';
      response.setHeader('content-type', `application/x-git-upload-pack-${kind}`);
      const list = bytesOf(...refs.map((line) => pkt(`${line}\n`)), '0000');
      void collect(request).then((body) => {
        if (request.method === 'GET') {
          response.end(bytesOf(pkt('version 2\n'), pkt('ls-refs\n'), pkt('fetch\n'), '0000'));
        } else {
          response.end(body.includes('command=ls-refs') ? list : answer);
        }
      });
      return true;
    },
  });
  const job = makeJob(`${server.origin}/acme/web`, sandbox.path('ours'));
  return await runClone(job).catch((error: unknown) => error);
}

function packAnswer(pack: Buffer): Buffer {
  return bytesOf(pkt('packfile\n'), pkt(`\x01${pack.toString('latin1')}`), '0000');
}

describe('a clone from a host that', () => {
  const main = (): string[] => [
    `${commit} HEAD symref-target:refs/heads/main`,
    `${commit} refs/heads/main`,
  ];

  it('keeps its word succeeds', async () => {
    const outcome = await cloneOf(main(), packAnswer(packOf(commit, tree, blob)));
    expect(outcome).toMatchObject({ head: { oid: commit }, objectCount: 3, files: 1 });
  });

  it('leaves out the tip of a branch names that branch', async () => {
    const refs = [...main(), `${ABSENT} refs/heads/ghost`];
    expect(await cloneOf(refs, packAnswer(packOf(commit, tree, blob)))).toMatchObject({
      code: 'OBJECT_MISSING',
      data: { ref: 'refs/remotes/origin/ghost', oid: ABSENT },
    });
  });

  it('leaves out what a tag peels to names that tag', async () => {
    const refs = [...main(), `${commit} refs/tags/v1 peeled:${ABSENT}`];
    expect(await cloneOf(refs, packAnswer(packOf(commit, tree, blob)))).toMatchObject({
      code: 'OBJECT_MISSING',
      data: { ref: 'refs/tags/v1' },
    });
  });

  it('leaves out the tree or a file of HEAD fails', async () => {
    for (const pack of [packOf(commit, blob), packOf(commit, tree)]) {
      const error = await cloneOf(main(), packAnswer(pack));
      expect(error).toMatchObject({ code: 'OBJECT_MISSING' });
      sandbox[Symbol.dispose]();
      sandbox.makeDirectory('.');
    }
  });

  it.each([
    ['a parent', () => [writeCommit(tree, ABSENT)]],
    ['a file of an old tree', () => oldHistory(`100644 blob ${ABSENT}\tgone\n`)],
    ['a directory of an old tree', () => oldHistory(`040000 tree ${ABSENT}\tgone\n`)],
  ])('leaves out %s behind HEAD names it', async (_what, makeHistory) => {
    const history = makeHistory();
    const tip = writeCommit(tree, history[0]!);
    const refs = [`${tip} HEAD symref-target:refs/heads/main`, `${tip} refs/heads/main`];
    const error = await cloneOf(refs, packAnswer(packOf(tip, tree, blob, ...history)));
    expect(error).toMatchObject({
      code: 'OBJECT_MISSING',
      data: { oid: ABSENT, named_by: history.at(-1) },
    });
  });

  it('sends what no ref needs, and not what that leads to, is cloned as by git', async () => {
    const stray = writeCommit(tree, ABSENT);
    const outcome = await cloneOf(main(), packAnswer(packOf(commit, tree, blob, stray)));
    expect(outcome).toMatchObject({ head: { oid: commit }, objectCount: 4 });
  });

  it('calls a blob a branch fails', async () => {
    const refs = [`${blob} HEAD symref-target:refs/heads/main`, `${blob} refs/heads/main`];
    const error = await cloneOf(refs, packAnswer(packOf(blob)));
    expect(error).toMatchObject({ code: 'OBJECT_INVALID' });
  });

  it('sends an empty pack for refs that it has fails', async () => {
    const error = await cloneOf(main(), packAnswer(packOf()));
    expect(error).toMatchObject({ code: 'OBJECT_MISSING' });
  });

  it('gives up within the pack is quoted, control characters masked', async () => {
    const words = bytesOf(
      pkt('packfile\n'),
      pkt('\x01PACK'),
      pkt('\x03disk\x1b[31m full\n'),
      '0000',
    );
    const error = await cloneOf(main(), words);
    expect(error).toMatchObject({
      code: 'TRANSPORT_REMOTE',
      message: 'the host gave up: disk?[31m full',
    });
  });

  it('ends the pack without its flush is not believed', async () => {
    const answer = packAnswer(packOf(commit, tree, blob));
    const error = await cloneOf(main(), answer.subarray(0, -4));
    expect(error).toMatchObject({ code: 'TRANSPORT_TRUNCATED' });
  });
});

describe('gitConfig()', () => {
  it('is read back by git as the very same values', () => {
    const values = [
      'plain',
      ' led',
      'trailed ',
      'a;b',
      'a#b',
      'q"q',
      'b\\s',
      'tab\tx',
      'l\nf',
      'caf\xc3\xa9',
      '',
    ];
    const section = (subsection: string, value: string) =>
      ({ name: 'branch', subsection, values: [['merge', value]] }) as const;
    const sections = values.map((value, at) =>
      section(`n"${at}\\.${value.replace('\n', '')}`, value),
    );
    sandbox.write('config', gitConfig(sections));
    const listed = git(sandbox.directory, 'config', '--file', 'config', '--list', '--null');
    const expected = sections.map(
      ({ subsection, values: [[key, value]] }) => `branch.${subsection}.${key}\n${value}\0`,
    );
    expect(listed).toBe(expected.join(''));
  });

  it('refuses what the syntax cannot say', () => {
    const make = (subsection: string, value: string) => () =>
      gitConfig([{ name: 'x', subsection, values: [['k', value]] }]);
    expect(make('a\nb', 'v')).toThrow(RangeError);
    expect(make('a', 'v\0')).toThrow(RangeError);
  });
});
