import { execFileSync } from 'node:child_process';
import { chmod, chown, mkdir, readFile, rm, stat, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import type { ErrorCode } from '../../agent/errors.ts';
import { prepareMount } from '../../agent/mounts/prepare-mount.ts';
import {
  CONTEXT,
  URL_A,
  fillClone,
  freshRoot,
  freshStaging,
  git,
  mount,
  namesIn,
} from './mount-fixture.ts';

const at = freshRoot();
const isRoot = process.geteuid?.() === 0;

const web = (): string => join(at.root, 'app/web');

async function expectRefusal(code: ErrorCode, mountPath = web(), url = URL_A): Promise<void> {
  await expect(prepareMount({ url, mountPath }, CONTEXT)).rejects.toMatchObject({ code });
}

describe('a fresh mount', () => {
  it('is published whole, with its parents, and nothing beside it', async () => {
    const staging = await freshStaging(web());
    expect(staging.createdParents).toEqual([join(at.root, 'app')]);
    expect((await stat(join(at.root, 'app'))).mode & 0o777).toBe(0o755);
    expect((await stat(staging.directory)).mode & 0o777).toBe(0o700);
    const oid = await fillClone(staging.clonePath);
    const head = { ref: 'refs/heads/main', oid };
    await staging.publish({ head, clonedAt: new Date(0) });
    await staging[Symbol.asyncDispose]();

    expect(await namesIn(join(at.root, 'app'))).toEqual(['web']);
    git(web(), 'fsck', '--full', '--strict');
    expect(git(web(), 'status', '--porcelain=v2')).toBe('');
    const marker = await readFile(join(web(), '.git/mount-agent.json'), 'utf8');
    expect(JSON.parse(marker)).toEqual({
      version: 1,
      url: URL_A,
      mount_path: web(),
      cloned_at: '1970-01-01T00:00:00.000Z',
      head,
      tags: {},
    });
  });

  it('takes the place of an empty directory', async () => {
    await mkdir(web(), { recursive: true });
    await mount(web());
    expect(await namesIn(web())).toEqual(['.git', 'README.md']);
  });

  it('leaves nothing but the created parents when it is given up', async () => {
    {
      await using staging = await freshStaging(web());
      await fillClone(staging.clonePath);
    }
    expect(await namesIn(join(at.root, 'app'))).toEqual([]);
  });

  it('stands beside other mounts that are made at the same time below one new parent', async () => {
    const names = ['a', 'b', 'c', 'd'];
    await Promise.all(names.map((name) => mount(join(at.root, 'new/parent', name))));
    expect(await namesIn(join(at.root, 'new/parent'))).toEqual(names);
  });

  it.runIf(isRoot)('belongs to the owner that was asked for, with its new parents', async () => {
    const owner = { uid: 12_345, gid: 23_456 };
    const resource = { url: URL_A, mountPath: web() };
    const prepared = await prepareMount(resource, { owner });
    if (prepared.state !== 'fresh') throw new Error('expected a fresh mount');
    await using staging = prepared.staging;
    await chmod(at.root, 0o755);
    await fillClone(staging.clonePath, owner);
    await staging.publish({ head: { ref: null, oid: null }, clonedAt: new Date(0) });
    for (const path of [join(at.root, 'app'), web(), join(web(), '.git/mount-agent.json')]) {
      expect(await stat(path)).toMatchObject(owner);
    }
    expect(await prepareMount(resource, { owner })).toMatchObject({ state: 'adopted' });
    await expectRefusal('MOUNT_PATH_OCCUPIED');
  });
});

describe('a complete clone', () => {
  it('is adopted as its user left it, with the head of now', async () => {
    await mount(web());
    await writeFile(join(web(), 'README.md'), 'changed\n');
    git(web(), 'switch', '--quiet', '--create', 'fix');
    git(web(), 'commit', '--quiet', '--all', '--message=second');
    const before = git(web(), 'status', '--porcelain=v2', '--branch');
    expect(await prepareMount({ url: URL_A, mountPath: web() }, CONTEXT)).toEqual({
      state: 'adopted',
      head: { ref: 'refs/heads/fix', oid: git(web(), 'rev-parse', 'HEAD') },
    });
    expect(git(web(), 'status', '--porcelain=v2', '--branch')).toBe(before);
  });

  it('of another url is refused', async () => {
    await mount(web());
    await expectRefusal('MOUNT_PATH_OCCUPIED', web(), 'https://github.com/acme/api');
  });

  it('that was moved here from another mount path is refused', async () => {
    await mount(join(at.root, 'other'));
    await mkdir(join(at.root, 'app'));
    execFileSync('mv', [join(at.root, 'other'), web()]);
    await expectRefusal('MOUNT_PATH_OCCUPIED');
  });

  it.each(['HEAD', 'objects', 'refs'])(
    'that lost .git/%s is refused and left alone',
    async (part) => {
      await mount(web());
      await rm(join(web(), '.git', part), { recursive: true });
      const before = await namesIn(join(web(), '.git'));
      await expectRefusal('MOUNT_INCOMPLETE');
      expect(await namesIn(join(web(), '.git'))).toEqual(before);
    },
  );

  it('whose Git directory is gone, a file or a link is refused and left alone', async () => {
    await mount(web());
    execFileSync('mv', [join(web(), '.git'), join(at.root, 'gitdir')]);
    await expectRefusal('MOUNT_PATH_OCCUPIED');
    await symlink(join(at.root, 'gitdir'), join(web(), '.git'));
    await expectRefusal('MOUNT_PATH_OCCUPIED');
    await rm(join(web(), '.git'));
    await writeFile(join(web(), '.git'), `gitdir: ${join(at.root, 'gitdir')}\n`);
    await expectRefusal('MOUNT_PATH_OCCUPIED');
    expect(await readFile(join(web(), 'README.md'), 'utf8')).toBe('hello\n');
  });

  it.each([
    ['damaged', '{"version": 1, "url"'],
    ['of another version', '{"version": 2}'],
    ['of another kind', '[]'],
    ['absurdly large', ' '.repeat(100_000)],
  ])('whose marker is %s is refused', async (_, marker) => {
    await mount(web());
    await writeFile(join(web(), '.git/mount-agent.json'), marker);
    await expectRefusal('MOUNT_PATH_OCCUPIED');
  });
});

describe('a mount path is refused, and what is there left alone,', () => {
  it('when it holds other files', async () => {
    await mkdir(web(), { recursive: true });
    await writeFile(join(web(), 'notes.txt'), 'mine');
    await expectRefusal('MOUNT_PATH_OCCUPIED');
    expect(await namesIn(web())).toEqual(['notes.txt']);
    expect(await namesIn(join(at.root, 'app'))).toEqual(['web']);
  });

  it('when it holds a repository that somebody else cloned', async () => {
    await mkdir(web(), { recursive: true });
    const oid = await fillClone(web());
    await expectRefusal('MOUNT_PATH_OCCUPIED');
    expect(git(web(), 'rev-parse', 'HEAD')).toBe(oid);
  });

  it('when it is a file, a link, or a link to nothing', async () => {
    await mkdir(join(at.root, 'app'));
    await writeFile(web(), 'mine');
    await expectRefusal('MOUNT_PATH_OCCUPIED');
    await rm(web());
    await symlink(at.root, web());
    await expectRefusal('MOUNT_PATH_OCCUPIED');
    await rm(web());
    await symlink('nowhere', web());
    await expectRefusal('MOUNT_PATH_OCCUPIED');
  });

  it('when a parent is a link or a file', async () => {
    await mkdir(join(at.root, 'real'));
    await symlink('real', join(at.root, 'app'));
    await expectRefusal('MOUNT_PATH_FORBIDDEN');
    await expectRefusal('MOUNT_PATH_FORBIDDEN', join(web(), 'deeper'));
    expect(await namesIn(join(at.root, 'real'))).toEqual([]);
    await writeFile(join(at.root, 'file'), '');
    await expectRefusal('MOUNT_PATH_FORBIDDEN', join(at.root, 'file/web'));
  });

  it.runIf(isRoot)('when it belongs to another user', async () => {
    await mkdir(web(), { recursive: true });
    await chown(web(), 12_345, 12_345);
    await expectRefusal('MOUNT_PATH_OCCUPIED');
  });

  it('when its parent cannot be written', async () => {
    await mkdir(join(at.root, 'app'), { mode: 0o755 });
    await chmod(join(at.root, 'app'), 0o555);
    // Root writes everywhere: it looks through the eyes of nobody.
    if (isRoot) {
      await chmod(at.root, 0o755);
      process.seteuid?.(65_534);
    }
    try {
      await expectRefusal('MOUNT_PERMISSION');
    } finally {
      if (isRoot) process.seteuid?.(0);
    }
  });
});
