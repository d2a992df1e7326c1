import { execFileSync, spawnSync } from 'node:child_process';
import { cp, mkdir } from 'node:fs/promises';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { bundledProgram } from '../setup/bundled-program.ts';
import { URL_A, fillClone, freshRoot, git, namesIn } from './mount-fixture.ts';

const at = freshRoot();
const web = (): string => join(at.root, 'app/web');
const template = (): string => join(at.root, 'template');

/** Mounts in a process of its own and prints the outcome. The clone is a template moved into the staging. */
const PROGRAM = await bundledProgram(`
  import { rename } from 'node:fs/promises';
  import { prepareMount } from './agent/mounts/prepare-mount.ts';
  const [url, mountPath, template] = process.argv.slice(2);
  try {
    const prepared = await prepareMount({ url, mountPath }, { owner: null });
    if (prepared.state === 'fresh') {
      const { staging } = prepared;
      for (const name of ['.git', 'README.md']) await rename(template + '/' + name, staging.clonePath + '/' + name);
      await staging.publish({ head: { ref: null, oid: null }, clonedAt: new Date(0) });
    }
    console.log(prepared.state);
  } catch (error) {
    console.log(error.code, error.message);
  }`);

/** What the program printed, or the signal that ended it; `prefix` is the command that runs it. */
function mountThrough(prefix: readonly string[]): string {
  const [command, ...wrapping] = prefix;
  const node = [PROGRAM, URL_A, web(), template()];
  const args = command === undefined ? node : [...wrapping, process.execPath, ...node];
  const { stdout, stderr, signal, status } = spawnSync(command ?? process.execPath, args, {
    encoding: 'utf8',
    // One thread for the file system, so that the n-th call is the same call every time.
    env: { PATH: process.env['PATH'], UV_THREADPOOL_SIZE: '1' },
  });
  if (signal !== null) return signal;
  if (status !== 0) throw new Error(stderr);
  return stdout.trimEnd();
}

/** Runs in a mount namespace of its own, after `setup`, where "$0" is the mount path. */
const inNamespace = (setup: string): string[] => [
  'unshare',
  '--mount',
  '--map-root-user',
  'sh',
  '-euc',
  `${setup}; exec "$@"`,
  web(),
];

const failing = (fault: string): string[] => [
  'strace',
  '-f',
  '-qq',
  '-o',
  '/dev/null',
  '-e',
  `inject=${fault}`,
];

describe('prepareMount() names the fault', () => {
  it.each([
    ['a volume mounted at the mount path', 'mount -t tmpfs none "$0"'],
    ['a bind mount at the mount path', 'mount --bind "$0" "$0"'],
    ['a fresh volume that is not empty', 'mount -t tmpfs none "$0"; mkdir "$0/lost+found"'],
  ])('%s', async (_, setup) => {
    await mkdir(web(), { recursive: true });
    expect(mountThrough(inNamespace(setup))).toBe(
      `MOUNT_PATH_IS_MOUNT_POINT ${web()} is a mount point`,
    );
  });

  it('a disk without space', async () => {
    await mkdir(join(at.root, 'app'));
    const setup = 'mount -t tmpfs -o nr_inodes=2 none "${0%/*}"';
    expect(mountThrough(inNamespace(setup))).toMatch(/^MOUNT_NO_SPACE cannot create .*: ENOSPC$/);
  });

  it('a disk that is read-only', async () => {
    await mkdir(join(at.root, 'app'));
    const setup = 'mount -t tmpfs -o ro none "${0%/*}"';
    expect(mountThrough(inNamespace(setup))).toMatch(/^MOUNT_PERMISSION cannot create .*: EROFS$/);
  });

  it('a disk that fails, before and while publishing; the staging goes with the next run', async () => {
    await fillClone(await madeTemplate());
    expect(mountThrough(failing('mkdir:error=EIO:when=2'))).toMatch(/^MOUNT_IO .*: EIO$/);
    expect(mountThrough(failing('mkdir:error=EMFILE:when=2'))).toMatch(/^MOUNT_IO .*: EMFILE$/);
    expect(mountThrough(failing('fsync:error=EIO:when=3'))).toMatch(/^MOUNT_IO cannot publish/);
    expect(existsSync(web())).toBe(false);
    await fillClone(await madeTemplate());
    expect(mountThrough([])).toBe('fresh');
    expect(await namesIn(join(at.root, 'app'))).toEqual(['web']);
  });
});

async function madeTemplate(): Promise<string> {
  await mkdir(template(), { recursive: true });
  return template();
}

describe('after SIGKILL at any system call that changes something', () => {
  it.each(['mkdir', 'rename', 'fsync', 'unlink', 'rmdir', 'chmod'])(
    'the mount is absent or complete, and the next run makes it whole: %s',
    async (call) => {
      const original = join(at.root, 'original');
      await mkdir(original);
      const oid = await fillClone(original);
      for (let nth = 1; ; nth++) {
        execFileSync('rm', ['-rf', join(at.root, 'app'), template()]);
        await cp(original, template(), { recursive: true, preserveTimestamps: true });
        const outcome = mountThrough(failing(`${call}:signal=KILL:when=${nth}`));
        if (outcome === 'fresh') {
          expect(nth).toBeGreaterThan(1);
          break;
        }
        expect(outcome).toBe('SIGKILL');
        const published = existsSync(web());
        if (published) expectWhole(oid);
        await cp(original, template(), { recursive: true });
        expect(mountThrough([])).toBe(published ? 'adopted' : 'fresh');
        expectWhole(oid);
        expect(await namesIn(join(at.root, 'app'))).toEqual(['web']);
      }
    },
    120_000,
  );

  function expectWhole(oid: string): void {
    git(web(), 'fsck', '--full', '--strict');
    expect(git(web(), 'status', '--porcelain=v2')).toBe('');
    expect(git(web(), 'rev-parse', 'HEAD')).toBe(oid);
  }
});
