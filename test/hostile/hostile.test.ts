/**
 * Every numbered case of the list of broken and hostile input, through the whole program: one
 * `mount-agent mount` with all of them in its manifest, and the disk and the processes afterwards.
 */
import { execFileSync, spawn } from 'node:child_process';
import {
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readlinkSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { PROGRAM } from '../end-to-end/session.ts';
import { searchForTokens } from '../canary.ts';
import { GIT_ENV } from '../clone/sandbox.ts';
import { HostileHost, repositoryName } from './hostile-host.ts';
import type { HostileCase } from './hostile-host.ts';
import { PACK_CASES } from './pack-cases.ts';
import { ProcessWatch } from './process-watch.ts';
import { ODD_NAMES, TREE_CASES } from './tree-cases.ts';
import { WIRE_CASES } from './wire-cases.ts';

const CASES: readonly HostileCase[] = [...PACK_CASES, ...WIRE_CASES, ...TREE_CASES];
const TOKEN = 'github_pat_hostile_canary_0123456789';
/** What a clone process may take at its peak (VmHWM), Node itself included. */
const MOST_MEMORY_BYTES = 320 * 2 ** 20;
const MOST_SECONDS = 300;

interface Failure {
  readonly code: string;
  readonly message: string;
  readonly remedy: string;
  readonly data?: { readonly offset?: number };
}

let directory: string;
let app: string;
let output = '';
let exitCode: number | null = null;
let watch: ProcessWatch;
let requests: HostileHost['requests'] = [];
const failures = new Map<string, Failure>();

beforeAll(async () => {
  directory = mkdtempSync(join(tmpdir(), 'mount-agent-hostile-'));
  app = join(directory, 'app');
  mkdirSync(app);
  await using host = await HostileHost.start(CASES);
  const resources = CASES.map((_case, at) => ({
    type: 'github_repository',
    url: `${host.origin}/acme/${repositoryName(at)}`,
    authorization_token: TOKEN,
  }));
  const manifest = join(directory, 'manifest.json');
  writeFileSync(manifest, JSON.stringify({ session_id: 'sess_hostile', resources }), {
    mode: 0o600,
  });
  const flags = ['--manifest', manifest, '--mount-root', app, '--run-dir', join(directory, 'run')];
  const program = spawn(
    process.execPath,
    [PROGRAM, 'mount', ...flags, '--allow-http', '--retry-for', '0', '--log-format', 'json'],
    { env: { PATH: process.env['PATH'], HOME: '/nonexistent' }, stdio: ['ignore', 'pipe', 'pipe'] },
  );
  watch = new ProcessWatch(program.pid!);
  for (const stream of [program.stdout, program.stderr]) {
    stream.setEncoding('utf8').on('data', (text: string) => (output += text));
  }
  exitCode = await new Promise((resolve) => program.once('close', resolve));
  watch.stop();
  requests = [...host.requests];
  for (const line of output.split('\n').filter((each) => each.startsWith('{'))) {
    const { mount, err } = JSON.parse(line) as { mount?: string; err?: Failure };
    if (mount !== undefined && err !== undefined) failures.set(mount, err);
  }
}, MOST_SECONDS * 1000);

afterAll(() => {
  rmSync(directory, { recursive: true, force: true });
});

function mountPath(at: number): string {
  return join(app, repositoryName(at));
}

function git(at: number, ...args: string[]): string {
  return execFileSync('git', args, { cwd: mountPath(at), env: GIT_ENV, encoding: 'latin1' });
}

describe.each(CASES.map((each, at) => ({ ...each, at })))('$number: $name', ({ at, ...each }) => {
  if (each.expected === 'ready') {
    it('is mounted whole', () => {
      expect(failures.get(mountPath(at))).toBeUndefined();
      expect(git(at, 'fsck', '--full', '--no-dangling')).toBe('');
      expect(git(at, 'status', '--porcelain=v2')).toBe('');
    });
  } else {
    it(`is refused with ${each.expected}`, () => {
      const failure = failures.get(mountPath(at));
      expect(failure?.code).toBe(each.expected);
      if (each.offset !== undefined) expect(failure?.data?.offset).toBe(each.offset);
      if (each.says !== undefined) {
        expect(`${failure?.message ?? ''} ${failure?.remedy ?? ''}`).toMatch(each.says);
      }
      expect(lstatSync(mountPath(at), { throwIfNoEntry: false })).toBeUndefined();
    });
  }
});

describe('after all of them', () => {
  const ready = CASES.flatMap(({ expected }, at) => (expected === 'ready' ? [at] : []));
  const named = (name: string): number => CASES.findIndex((each) => each.name.startsWith(name));

  it('the program ends with 69, and there is nothing but the mounts that are ready', () => {
    expect(exitCode).toBe(69);
    expect(readdirSync(app).sort()).toEqual(ready.map(repositoryName).sort());
    expect(readdirSync(directory).sort()).toEqual(['app', 'manifest.json', 'run']);
  });

  it('no process is left, and none took more memory than it may', () => {
    // A process with a clone that failed takes no other; up to two are in one at once.
    expect(watch.seen.size).toBeGreaterThan(failures.size / 2);
    expect(watch.living()).toEqual([]);
    expect(watch.largestBytes).toBeGreaterThan(20 * 2 ** 20);
    expect(watch.largestBytes).toBeLessThan(MOST_MEMORY_BYTES);
  });

  it('names are there byte for byte', () => {
    const names = readdirSync(Buffer.from(mountPath(named('odd names'))), { encoding: 'buffer' });
    const sorted = names.sort((one, other) => one.compare(other));
    expect(sorted.filter((name) => name.toString() !== '.git')).toEqual(ODD_NAMES);
  });

  it('links lead where they led, and nothing was written through them', () => {
    const at = named('links that lead out');
    const targets = ['absolute', 'git', 'up'].map((name) =>
      readlinkSync(join(mountPath(at), name)),
    );
    expect(targets).toEqual(['/etc/passwd', '.git', '../../outside']);
    expect(git(at, 'ls-files').split('\n')).toEqual(['absolute', 'git', 'up', '']);
  });

  it('setuid is dropped', () => {
    const { mode } = lstatSync(join(mountPath(named('setuid')), 'root'));
    expect(mode & 0o7000).toBe(0);
    expect(mode & 0o100).toBe(0o100);
  });

  it('a refusal of the token is asked for once, and nobody asked for what is on offer elsewhere', () => {
    const asked = (name: string): number =>
      requests.filter((request) => request.name === repositoryName(named(name))).length;
    expect(asked('401')).toBe(1);
    expect(asked('404')).toBe(1);
    expect(asked('a redirect that never ends')).toBeLessThan(10);
    expect(requests.filter(({ body }) => /bundle-uri|packfile-uris/.test(body))).toEqual([]);
  });

  it('the token is nowhere but in the files that are meant to hold it', async () => {
    const run = join(directory, 'run');
    const findings = await searchForTokens([TOKEN], {
      directories: [directory],
      texts: { output },
      allow: [
        join(directory, 'manifest.json'),
        join(run, 'env'),
        `${join(run, 'credentials')}/`,
        `${join(run, 'gh')}/`,
      ],
    });
    expect(findings).toEqual([]);
  });
});
