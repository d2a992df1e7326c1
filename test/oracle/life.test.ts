import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { GitServer } from '../clone/git-server.ts';
import { makeJob, runClone } from '../clone/job.ts';
import { CLEAN_GIT_ENVIRONMENT } from '../fixtures/cache.ts';
import { TestSession } from '../end-to-end/session.ts';
import { gitWith, TOKENS } from '../host/host-fixture.ts';
import { differences, factsOf } from './facts.ts';
import { Origin } from './origin.ts';
import { faultsOf, filesThatStatusReads } from './own-faults.ts';

const TIMEOUT_MS = 90_000;
const shell = promisify(execFile);

let root = '';
beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'mount-agent-life-'));
});
afterEach(() => {
  rmSync(root, { recursive: true, force: true });
});

/** Clones both ways: 'theirs' and 'ours' below the root. */
async function cloneBothWays(url: string): Promise<{ theirs: string; ours: string }> {
  const [theirs, ours] = [join(root, 'theirs'), join(root, 'ours')];
  await inShell(root, `git clone --quiet ${url} theirs`);
  await runClone(makeJob(url, ours));
  return { theirs, ours };
}

/** Ends at the first command that fails, and throws then. */
async function inShell(cwd: string, script: string): Promise<string> {
  const env = { ...CLEAN_GIT_ENVIRONMENT, HOME: root };
  const { stdout } = await shell('sh', ['-ec', script], { cwd, env });
  return stdout;
}

describe('in a clone of ours as in one of git’s', { timeout: TIMEOUT_MS }, () => {
  it('commits, switches, merges, stashes, fetches, repacks and adds worktrees', async () => {
    const origin = new Origin(root, 'lively');
    origin.commit({
      'README.md': 'one\n',
      'src/a': 'a\n',
      'dos.bat': 'x\n',
      '.gitattributes': '*.bat eol=crlf\n',
    });
    origin.import([{ branch: 'topic', from: 'main', files: { topic: 'topic\n' } }]);
    origin.git('tag', '-a', '-m', 'v1', 'v1', 'main');
    await using server = await GitServer.start({ root });
    const { theirs, ours } = await cloneBothWays(`${server.origin}/lively.git`);
    origin.commit({ later: 'later\n' }, 'later');
    origin.commit({ 'src/a': 'changed\n' });
    const script = `
      echo more >>README.md; git commit --quiet -am third
      git switch --quiet -c mine; mkdir new; echo new >new/file; git add .; git commit --quiet -m fourth
      git switch --quiet topic; git merge --quiet --no-edit mine
      echo edit >>README.md; git stash --quiet; git stash pop --quiet; git restore .
      git fetch --quiet --prune; git rebase --quiet origin/main main
      git mv src/a src/b; git rm --quiet README.md; git commit --quiet -m moved
      git worktree add --quiet ../$(basename $PWD)-tree later
      git -c gc.reflogExpire=never -c gc.reflogExpireUnreachable=never gc --quiet --prune=now
      git switch --quiet --detach v1; git switch --quiet main; git cherry-pick --allow-empty topic~1 >/dev/null || git cherry-pick --abort
      git remote set-head origin --auto >/dev/null; git fsck --full --strict`;
    await inShell(theirs, script);
    await inShell(ours, script);
    const [a, b] = [await factsOf(ours), await factsOf(theirs)];
    const renamed = (lines: readonly string[] = []): string[] =>
      lines.map((line) => line.replaceAll('ours', 'theirs'));
    expect(differences({ ...a, gitdir: renamed(a['gitdir']) }, b)).toEqual([]);
    expect(await inShell(ours, 'git log --oneline --all | wc -l')).toMatch(/^\s*10\s*$/);
  });

  it('pushes, pulls and deletes branches, with the tracking that a clone sets up', async () => {
    const origin = new Origin(root, 'pushed');
    origin.commit({ 'README.md': 'one\n' });
    origin.git('config', 'http.receivepack', 'true');
    await using server = await GitServer.start({ root });
    const { theirs, ours } = await cloneBothWays(`${server.origin}/pushed.git`);
    await inShell(ours, 'echo x >x; git add x; git commit --quiet -m x; git push --quiet');
    await inShell(
      theirs,
      'git pull --quiet; test -e x; git switch --quiet -c side; git push --quiet -u origin side',
    );
    await inShell(
      ours,
      'git fetch --quiet; git switch --quiet side; git push --quiet origin --delete side',
    );
    expect(origin.git('for-each-ref', '--format=%(refname)')).toBe('refs/heads/main');
    expect(await inShell(ours, 'git rev-parse HEAD')).toBe(`${origin.git('rev-parse', 'main')}\n`);
    expect(await inShell(ours, 'git remote show origin')).toContain('HEAD branch: main');
  });

  it('git lfs pull brings the files that the clone left as pointers', async () => {
    const content = Buffer.from('the large file\n');
    const oid = createHash('sha256').update(content).digest('hex');
    const origin = new Origin(root, 'lfs');
    origin.commit({
      '.gitattributes': '*.bin filter=lfs diff=lfs merge=lfs -text\n',
      'dir/big.bin': `version https://git-lfs.github.com/spec/v1\noid sha256:${oid}\nsize ${content.length}\n`,
    });
    await using server = await GitServer.start({ root, intercept: serveLfs(oid, content) });
    const ours = join(root, 'ours');
    const outcome = await runClone(makeJob(`${server.origin}/lfs.git`, ours));
    expect(outcome.lfsPointers).toBe(1);
    expect(existsSync(join(ours, '.git/lfs'))).toBe(false);
    await inShell(ours, 'git lfs install --local; git lfs pull');
    expect(readFileSync(join(ours, 'dir/big.bin')).equals(content)).toBe(true);
    expect(await inShell(ours, 'git status --porcelain')).toBe('');
  });

  it('a pack whose ref-deltas stand before their bases is taken', async () => {
    const origin = new Origin(root, 'refdelta');
    const lines = Array.from({ length: 300 }, (_, at) => `line ${at * 7919}\n`);
    for (let at = 0; at < 8; at++)
      origin.commit({ long: [`change ${at}\n`, ...lines.slice(at)].join('') });
    const pack = reversed(origin);
    await using server = await GitServer.start({ root, intercept: servePack(pack) });
    const { theirs, ours } = await cloneBothWays(`${server.origin}/refdelta.git`);
    expect(differences(await factsOf(ours), await factsOf(theirs))).toEqual([]);
    const [name] = (await inShell(ours, 'ls .git/objects/pack/*.pack')).split('\n');
    expect(readFileSync(join(ours, name!)).equals(pack)).toBe(true);
  });
});

it(
  'mount-agent mount leaves at the mount path what git clone leaves',
  async () => {
    await using session = await TestSession.open();
    await session.dropManifest(session.bothResources);
    expect(await session.call('mount')).toMatchObject({ code: 0 });
    const { host } = session.two;
    const url = host.url('acme', 'web');
    const native = join(root, 'native');
    const cloned = await gitWith(host, TOKENS.web, ['clone', '--quiet', url, native], root);
    expect(cloned).toMatchObject({ code: 0 });
    const mounted = session.mountPath('web');
    expect(await filesThatStatusReads(mounted)).toEqual([]);
    expect(await faultsOf(mounted)).toEqual([]);
    // The marker of a complete mount is all that says who made it.
    const marker = 'gitdir: only ours: "mount-agent.json" 100644';
    expect(differences(await factsOf(mounted), await factsOf(native))).toEqual([marker]);
  },
  TIMEOUT_MS,
);

/** All objects as ref-deltas where that is smaller, the last entry first. */
function reversed(origin: Origin): Buffer {
  const objects = origin.git('rev-list', '--objects', '--all');
  const pack = origin.gitBytes(`${objects}\n`, 'pack-objects', '--stdout', '-q', '--window=20');
  const path = join(root, 'forwards.pack');
  writeFileSync(path, pack);
  origin.git('index-pack', path);
  const index = origin.gitBytes(readFileSync(path.replace(/pack$/, 'idx')), 'show-index');
  const starts = index
    .toString()
    .split('\n')
    .filter(Boolean)
    .map((line) => parseInt(line, 10));
  starts.sort((a, b) => a - b);
  const entries = starts.map((start, at) =>
    pack.subarray(start, starts[at + 1] ?? pack.length - 20),
  );
  const types = entries.map((entry) => (entry[0]! >> 4) & 7);
  expect(types.filter((type) => type === 7).length).toBeGreaterThan(4);
  const body = Buffer.concat([pack.subarray(0, 12), ...entries.reverse()]);
  return Buffer.concat([body, createHash('sha1').update(body).digest()]);
}

type Intercept = (request: IncomingMessage, response: ServerResponse) => boolean;

/** Answers every fetch of protocol 2 with this pack. */
function servePack(pack: Buffer): Intercept {
  const packet = (band: string, bytes: Buffer): Buffer => {
    const length = (bytes.length + band.length + 4).toString(16).padStart(4, '0');
    return Buffer.concat([Buffer.from(length + band, 'latin1'), bytes]);
  };
  const pieces = [packet('', Buffer.from('packfile\n'))];
  for (let at = 0; at < pack.length; at += 1000) {
    pieces.push(packet('\x01', pack.subarray(at, at + 1000)));
  }
  const answer = Buffer.concat([...pieces, Buffer.from('0000')]);
  let posts = 0;
  return (request, response) => {
    // The first POST of each clone asks for refs.
    if (request.method !== 'POST' || ++posts % 2 === 1) return false;
    request.resume();
    response.setHeader('content-type', 'application/x-git-upload-pack-result');
    response.end(answer);
    return true;
  };
}

/** The batch API of Git LFS with one object in it. */
function serveLfs(oid: string, content: Buffer): Intercept {
  return (request, response) => {
    const { url = '', headers } = request;
    if (url.endsWith(`/objects/${oid}`)) {
      response.end(content);
      return true;
    }
    if (!url.endsWith('/info/lfs/objects/batch')) return false;
    request.resume();
    const href = `http://${headers.host}/lfs.git/info/lfs/objects/${oid}`;
    const objects = [{ oid, size: content.length, actions: { download: { href } } }];
    response.setHeader('content-type', 'application/vnd.git-lfs+json');
    response.end(JSON.stringify({ transfer: 'basic', objects }));
    return true;
  };
}
