import { execFileSync, spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { capture } from '../../agent/rescue/capture.ts';
import type { CaptureContext, CaptureOutcome } from '../../agent/rescue/capture.ts';
import { parseManifest } from '../../agent/rescue/format.ts';
import type { RescueManifest } from '../../agent/rescue/format.ts';
import { verifyRescue } from '../../agent/rescue/verify.ts';
import { copyTemplate, createTemplate, fingerprint, runGit } from '../work/scratch-repository.ts';
import type { ScratchRepository } from '../work/scratch-repository.ts';
import { FIRST_STEPS, STEPS, takeStep } from '../work/steps.ts';

let template = '';
let scratch = '';
const open: ScratchRepository[] = [];

beforeAll(() => {
  template = createTemplate();
  scratch = mkdtempSync(join(tmpdir(), 'rescue-'));
});
afterAll(() => {
  rmSync(template, { recursive: true, force: true });
  rmSync(scratch, { recursive: true, force: true });
});
afterEach(() => {
  for (const repository of open.splice(0)) repository.remove();
});

function fresh(): ScratchRepository {
  const repository = copyTemplate(template);
  // A host's: what it has, a rescue leaves out.
  repository.git('remote', 'set-url', 'origin', 'https://git.example/acme/web');
  open.push(repository);
  return repository;
}

interface Rescue {
  readonly outcome: CaptureOutcome;
  readonly manifest: RescueManifest;
  /** Unpacked by tar. */
  readonly directory: string;
}

async function take(
  repository: ScratchRepository,
  options: Partial<CaptureContext> = {},
): Promise<Rescue> {
  const directory = mkdtempSync(join(scratch, 'out-'));
  const outcome = await capture({
    mount: repository.worktree,
    url: 'https://git.example/acme/web',
    sessionId: 'sess_1',
    mountPath: '/app/web',
    out: directory,
    includeIgnored: false,
    selfContained: false,
    clonedTags: repository.clonedTags,
    signal: new AbortController().signal,
    ...options,
  });
  await verifyRescue(outcome.file, { signal: new AbortController().signal });
  execFileSync('tar', ['-xzf', outcome.file, '-C', directory]);
  const manifest = parseManifest(readFileSync(join(directory, 'manifest.json')));
  return { outcome, manifest, directory };
}

/** A clone of what the remote has, with the bundle fetched by plain git. */
function fetched({ manifest, directory }: Rescue, base: string): string {
  const clone = mkdtempSync(join(scratch, 'clone-'));
  runGit(scratch, ['clone', '-q', '--bare', join(base, 'origin.git'), clone]);
  const bundle = manifest.repositories[0]?.bundle;
  if (bundle != null) {
    runGit(clone, ['fetch', '-q', '--no-tags', join(directory, bundle), '+refs/*:refs/rescued/*']);
  }
  return clone;
}

function reachable(repository: ScratchRepository): string[] {
  const { worktree } = repository;
  const list = [
    'rev-list',
    '--all',
    '--reflog',
    '--indexed-objects',
    '--objects',
    '--ignore-missing',
  ];
  const head = spawnSync('git', ['rev-parse', '-q', '--verify', 'HEAD'], { cwd: worktree });
  if (head.status === 0) list.push('HEAD');
  const lines = runGit(worktree, list).toString('latin1').split('\n');
  return [...new Set(lines.map((line) => line.slice(0, 40)))].filter((oid) => oid !== '').sort();
}

/** All that git can reach here is in the clone, and nothing was written to. */
async function expectWhole(repository: ScratchRepository): Promise<void> {
  const before = fingerprint(repository.worktree);
  const rescue = await take(repository);
  expect(fingerprint(repository.worktree)).toBe(before);
  expect(rescue.outcome.unsettled).toEqual([]);
  const clone = fetched(rescue, repository.base);
  runGit(clone, ['fsck', '--full', '--strict', '--connectivity-only']);
  const wanted = reachable(repository);
  const answer = execFileSync('git', ['cat-file', '--batch-check=%(objectname)'], {
    cwd: clone,
    input: wanted.join('\n'),
    encoding: 'latin1',
  });
  expect(answer.split('\n').filter((line) => line.endsWith('missing'))).toEqual([]);
  rmSync(clone, { recursive: true, force: true });
}

const ALL = { ...STEPS, ...FIRST_STEPS };
/** The suite walks a few histories, the same ones each time; RESCUE_STEPS=all takes each step alone. */
const HISTORIES: readonly (readonly string[])[] =
  process.env['RESCUE_STEPS'] === 'all'
    ? Object.keys(ALL).map((name) => [name])
    : [
        ['edit, add, edit', 'stash with untracked', 'detached commit', 'rebase stopped'],
        ['merge conflict', 'operation aborted', 'amend', 'submodule', 'change in a submodule'],
        ['linked worktree with a detached commit', 'linked worktree inside', 'index version 4'],
        ['orphan branch', 'intent to add', 'nested repository', 'packed refs', 'stash'],
        ['a .gitattributes file', 'split index', 'new file, added', 'cherry-pick conflict'],
      ];

test.each(HISTORIES.map((steps) => [steps.join(', '), steps]))(
  'plain git finds everything in the bundle, and the source is as before, after %s',
  async (_name, steps) => {
    const repository = fresh();
    for (const [pick, name] of steps.entries()) {
      if (name in STEPS) takeStep(repository, name, pick);
      else ALL[name]?.(repository, pick);
    }
    await expectWhole(repository);
  },
);

test('what the remote has is not in the file', async () => {
  const repository = fresh();
  const clean = await take(repository);
  expect(clean.manifest.repositories[0]).toMatchObject({ bundle: null, remote: 'believed' });
  expect(clean.outcome.counts).toMatchObject({ commits: 0, objects: 0 });
  repository.write('src/new.txt', 'new\n');
  repository.git('add', '-A');
  repository.git('commit', '-qm', 'mine');
  const { outcome } = await take(repository);
  // A commit, two trees, a blob.
  expect(outcome.counts).toMatchObject({ commits: 1, objects: 4 });
});

test('a base that the remote no longer shows is in the file', async () => {
  const repository = fresh();
  repository.write('mine.txt', 'mine\n');
  repository.git('add', '-A');
  repository.git('commit', '-qm', 'mine');
  const lsRemote = () =>
    Promise.resolve(new Map([['refs/heads/main', repository.git('rev-parse', 'HEAD~2').trim()]]));
  const { outcome, manifest } = await take(repository, { lsRemote });
  expect(outcome).toMatchObject({ confirmed: true });
  expect(outcome.counts.commits).toBeGreaterThanOrEqual(2);
  expect(manifest.repositories[0]?.remote).toBe('confirmed');
});

test('a self-contained rescue needs no remote at all', async () => {
  const repository = fresh();
  const rescue = await take(repository, { selfContained: true });
  const { manifest, directory } = rescue;
  expect(manifest.repositories[0]?.prerequisites).toEqual([]);
  const empty = mkdtempSync(join(scratch, 'empty-'));
  runGit(empty, ['init', '-q', '--bare']);
  runGit(empty, [
    'fetch',
    '-q',
    join(directory, manifest.repositories[0]?.bundle ?? ''),
    '+refs/*:refs/*',
  ]);
  expect(runGit(empty, ['rev-parse', 'refs/heads/main']).toString()).toBe(
    repository.git('rev-parse', 'HEAD'),
  );
});

test('a rescue that is stopped leaves nothing behind', async () => {
  const repository = fresh();
  const out = mkdtempSync(join(scratch, 'stopped-'));
  const abort = new AbortController();
  const stopped = take(repository, {
    out,
    signal: abort.signal,
    onProgress: ({ phase }) => {
      if (phase === 'writing') abort.abort(new Error('stopped'));
    },
  });
  await expect(stopped).rejects.toThrow('stopped');
  expect(readdirSync(out)).toEqual([]);
});

test('files are kept byte for byte: changed, untracked, odd names, symlinks, empty directories', async () => {
  const repository = fresh();
  takeStep(repository, 'names in other encodings', 0);
  repository.write('new with space.txt', 'x\r\n');
  mkdirSync(repository.path('hollow/inner'), { recursive: true });
  takeStep(repository, 'symlink changed', 3);
  takeStep(repository, 'rm of a file', 0);
  takeStep(repository, 'ignored files', 0);
  const { manifest, directory } = await take(repository);
  const of = (kind: string) =>
    manifest.members
      .filter((member) => member.kind === kind)
      .map(({ path, path_base64 }) => path ?? `base64:${path_base64 ?? ''}`)
      .sort();
  expect(of('symlink')).toEqual(['link']);
  expect(of('directory')).toEqual(['hollow/inner']);
  const numbered = ['\x1b[31m', 'a\\b', 'new\nline', 'tab\tquote"', 'caf\xe9', 'd\xefr/\xe9t\xe9'];
  const encoded = numbered.map(
    (name) => `base64:${Buffer.from(name, 'latin1').toString('base64')}`,
  );
  expect(of('file')).toEqual(['new with space.txt', ...encoded].sort());
  expect(readFileSync(join(directory, 'repositories/0/deleted'), 'latin1')).toBe('file0.txt\0');
  expect(readFileSync(join(directory, 'repositories/0/symlinks/link'), 'utf8')).toBe('elsewhere3');
  const ignored = await take(repository, { includeIgnored: true });
  expect(ignored.manifest.members.map(({ path }) => path)).toContain('ignored0.log');
});
