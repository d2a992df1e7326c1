/**
 * A disk that is full, read-only or broken while the whole program clones: a typed error, nothing of
 * ours left, and nothing else touched. A repository whose pack and worktree are 8 MiB together.
 */
import { spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Sandbox, git } from '../clone/sandbox.ts';
import { PROGRAM } from '../end-to-end/session.ts';
import { startHost } from '../host/host.ts';
import type { Host } from '../host/host.ts';
import { endOf } from '../kill/site.ts';
import type { Ended } from '../kill/site.ts';
import { noise } from '../pack/git-repository.ts';

const TOKEN = 'github_pat_disk_canary_0123456789';
const MOST_SECONDS = 120;

let sandbox: Sandbox;
let host: Host;
let directory: string;

beforeAll(async () => {
  sandbox = new Sandbox();
  const work = sandbox.makeDirectory('work');
  git(work, 'init', '--quiet', '--initial-branch=main');
  for (const at of [1, 2, 3, 4]) sandbox.write(`work/noise-${at}`, noise(2 ** 20, at));
  git(work, 'add', '.');
  git(work, 'commit', '--quiet', '-m', 'noise');
  git(sandbox.directory, 'clone', '--quiet', '--bare', work, 'large.git');
  host = await startHost();
  const tokens = [{ token: TOKEN, login: 'dora', permissions: 'read' }] as const;
  host.addRepository({ owner: 'acme', name: 'large', bareDir: sandbox.path('large.git'), tokens });
  directory = mkdtempSync(join(tmpdir(), 'mount-agent-disk-'));
  const url = host.url('acme', 'large');
  const resources = [{ type: 'github_repository', url, authorization_token: TOKEN }];
  mkdirSync(join(directory, 'app'));
  writeFileSync(join(directory, 'manifest.json'), JSON.stringify({ resources }), { mode: 0o600 });
}, MOST_SECONDS * 1000);

afterAll(async () => {
  await host[Symbol.asyncDispose]();
  sandbox[Symbol.dispose]();
  rmSync(directory, { recursive: true, force: true });
});

/**
 * `mount-agent mount` in a mount namespace of its own where `setup` was run ("$app" is the mount
 * root). The last line of the output lists what is in the mount root afterwards.
 */
function mountAfter(setup: string): Promise<Ended> {
  const app = join(directory, 'app');
  const script = `app=${app}; ${setup}; "$@"; code=$?; echo "left: $(ls -A "$app" | tr '\\n' ' ')"; exit $code`;
  const flags = ['--manifest', join(directory, 'manifest.json'), '--mount-root', app];
  flags.push('--run-dir', join(directory, 'run'), '--allow-http', '--retry-for', '0');
  const program = [process.execPath, PROGRAM, 'mount', ...flags, '--log-format', 'json'];
  const wrapping = ['--mount', '--map-root-user', 'sh', '-c', script, 'sh'];
  const env = { PATH: process.env['PATH'], ...host.environment, HOME: directory };
  return endOf(
    spawn('unshare', [...wrapping, ...program], { env, stdio: ['ignore', 'pipe', 'pipe'] }),
  );
}

function codesIn(output: string): string[] {
  return Array.from(output.matchAll(/"code":"([A-Z_]+)"/g), ([, code]) => code!);
}

describe('a disk of so many MiB for a clone that needs 9', () => {
  it.each([1, 2, 3, 4, 5, 6, 7, 8])(
    '%d: is MOUNT_NO_SPACE, and everything of ours is removed',
    async (mebibytes) => {
      const setup = `mount -t tmpfs -o size=${mebibytes}m none "$app"; echo mine >"$app/mine"`;
      const { code, output } = await mountAfter(setup);
      expect(codesIn(output)).toContain('MOUNT_NO_SPACE');
      expect(output).toContain('left: mine \n');
      expect(code).toBe(69);
    },
    MOST_SECONDS * 1000,
  );

  it(
    '10: is mounted',
    async () => {
      const { code, output } = await mountAfter('mount -t tmpfs -o size=10m none "$app"');
      expect(output).toContain('left: large \n');
      expect(code).toBe(0);
    },
    MOST_SECONDS * 1000,
  );
});

describe('a mount is refused, and nothing is left,', () => {
  it.each([
    ['on a read-only disk', 'mount -t tmpfs -o ro none "$app"', 'MOUNT_PERMISSION'] as const,
    ...[3, 8, 15, 20, 25, 30, 35].map(
      (inodes) =>
        [
          `on a disk that takes ${inodes} files`,
          `mount -t tmpfs -o nr_inodes=${inodes} none "$app"`,
          'MOUNT_NO_SPACE',
        ] as const,
    ),
    [
      'when a file may not be as large as the pack',
      'mount -t tmpfs none "$app"; ulimit -f 2048',
      'MOUNT_IO',
    ] as const,
  ])(
    '%s',
    async (_what, setup, expected) => {
      const { code, output } = await mountAfter(setup);
      expect(codesIn(output), output).toEqual([expected]);
      expect(output).toContain('left: \n');
      expect(code).toBe(69);
    },
    MOST_SECONDS * 1000,
  );
});

it(
  'a limit on addresses is a PACK_LIMIT that says so, unless this Node gets along with it',
  async () => {
    const setup = 'mount -t tmpfs none "$app"; ulimit -v 6000000';
    const { code, output } = await mountAfter(setup);
    const [found] = codesIn(output);
    if (found === undefined) {
      expect(output).toContain('left: large \n');
      expect(code).toBe(0);
    } else {
      expect(found, output).toBe('PACK_LIMIT');
      expect(output).toContain('ulimit -v');
      expect(output).toContain('left: \n');
      expect(code).toBe(69);
    }
  },
  MOST_SECONDS * 1000,
);

it(
  'a run directory that is full is named, and nothing is mounted',
  async () => {
    const full = 'mount -t tmpfs -o size=50m none "$app"; mkdir -p "$app/../run"';
    const small = 'mount -t tmpfs -o size=4k,nr_inodes=9 none "$app/../run"';
    const { code, output } = await mountAfter(`${full}; ${small}`);
    expect(output).toContain('RUN_DIR_UNUSABLE');
    expect(output).toContain('left: \n');
    expect(code).toBe(77);
  },
  MOST_SECONDS * 1000,
);
