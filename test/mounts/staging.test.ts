import { chown, mkdir, readFile, rename, rm, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { prepareMount } from '../../agent/mounts/prepare-mount.ts';
import { stagingDirectoryOf, sweepStaging } from '../../agent/mounts/staging.ts';
import type { Staging } from '../../agent/mounts/staging.ts';
import { CONTEXT, URL_A, fillClone, freshRoot, freshStaging, namesIn } from './mount-fixture.ts';

const at = freshRoot();
const web = (): string => join(at.root, 'web');
const HEAD = { ref: null, oid: null };

async function filledStaging(): Promise<Staging> {
  const staging = await freshStaging(web());
  await fillClone(staging.clonePath);
  return staging;
}

const publish = (staging: Staging): Promise<void> =>
  staging.publish({ head: HEAD, clonedAt: new Date(0) });

describe('publish() refuses, leaving the clone in its staging, when meanwhile', () => {
  it('the mount path was filled', async () => {
    const staging = await filledStaging();
    await mkdir(web());
    await writeFile(join(web(), 'mine'), '');
    await expect(publish(staging)).rejects.toMatchObject({ code: 'MOUNT_PATH_OCCUPIED' });
    expect(await namesIn(web())).toEqual(['mine']);
    expect(await namesIn(staging.clonePath)).toContain('README.md');
  });

  it('the mount path became a link', async () => {
    const staging = await filledStaging();
    await mkdir(join(at.root, 'elsewhere'));
    await symlink('elsewhere', web());
    await expect(publish(staging)).rejects.toMatchObject({ code: 'MOUNT_PATH_OCCUPIED' });
    expect(await namesIn(join(at.root, 'elsewhere'))).toEqual([]);
  });

  it('a parent became a link', async () => {
    const staging = await freshStaging(join(at.root, 'app/web'));
    await fillClone(staging.clonePath);
    await rename(join(at.root, 'app'), join(at.root, 'moved'));
    await symlink('moved', join(at.root, 'app'));
    await expect(publish(staging)).rejects.toMatchObject({ code: 'MOUNT_PATH_FORBIDDEN' });
    expect(await namesIn(join(at.root, 'moved'))).not.toContain('web');
  });
});

describe('sweepStaging()', () => {
  /** What a process that no longer is left behind. */
  async function staleStaging(change: Record<string, unknown> = {}): Promise<string> {
    const { directory, clonePath } = await freshStaging(web());
    await mkdir(join(clonePath, '.git'));
    const path = join(directory, 'owner.json');
    const owner = JSON.parse(await readFile(path, 'utf8')) as Record<string, unknown>;
    expect(owner).toMatchObject({ made_by: 'mount-agent', mount_path: web(), pid: process.pid });
    await writeFile(path, JSON.stringify({ ...owner, incarnation: 'earlier boot/1', ...change }));
    return directory;
  }

  it('removes what an ended run left, and the next run mounts', async () => {
    await staleStaging({ pid: 1 });
    await using staging = await freshStaging(web());
    expect(await namesIn(staging.clonePath)).toEqual([]);
  });

  it('removes what a run left that ended before it could say whose it is', async () => {
    const directory = stagingDirectoryOf(web());
    await mkdir(directory);
    await sweepStaging(web());
    await mkdir(directory);
    await writeFile(join(directory, 'owner.json.new'), '{"made');
    await sweepStaging(web());
    expect(await namesIn(at.root)).toEqual([]);
  });

  it('never follows a link out of the staging', async () => {
    const outside = join(at.root, 'outside');
    await mkdir(outside);
    await writeFile(join(outside, 'precious'), '');
    const directory = await staleStaging();
    await rm(join(directory, 'clone'), { recursive: true });
    await symlink(outside, join(directory, 'clone'));
    await symlink(outside, join(directory, 'other'));
    await sweepStaging(web());
    expect(await namesIn(at.root)).toEqual(['outside']);
    expect(await namesIn(outside)).toEqual(['precious']);
  });

  it('leaves alone what a live process is working on', async () => {
    const { pid } = process;
    const stat = await readFile(`/proc/${process.ppid}/stat`, 'utf8');
    const boot = await readFile('/proc/sys/kernel/random/boot_id', 'utf8');
    const started = stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19] ?? '';
    const incarnation = `${boot.trim()}/${started}`;
    const directory = await staleStaging({ pid: process.ppid, incarnation });
    await expect(sweepStaging(web())).rejects.toMatchObject({
      code: 'MOUNT_PATH_OCCUPIED',
      message: `${directory} is in use by process ${process.ppid}`,
    });
    expect(await namesIn(directory)).toEqual(['clone', 'owner.json']);
    expect(pid).not.toBe(process.ppid);
  });

  it.each([
    ['without an owner file', null],
    ['with an owner file of another program', '{"made_by":"x","mount_path":"/x","pid":1}'],
    ['with a broken owner file', '{"made_by":"mount-agent"'],
    ['of another mount path', '{"made_by":"mount-agent","mount_path":"/x","pid":1}'],
  ])('leaves alone a directory of its name %s', async (_, owner) => {
    const directory = stagingDirectoryOf(web());
    await mkdir(join(directory, 'clone'), { recursive: true });
    if (owner !== null) await writeFile(join(directory, 'owner.json'), owner);
    const before = await namesIn(directory);
    const resource = { url: URL_A, mountPath: web() };
    await expect(prepareMount(resource, CONTEXT)).rejects.toMatchObject({
      code: 'MOUNT_PATH_OCCUPIED',
    });
    expect(await namesIn(directory)).toEqual(before);
  });

  it('leaves alone a link of its name', async () => {
    await mkdir(join(at.root, 'outside'));
    await symlink('outside', stagingDirectoryOf(web()));
    await expect(sweepStaging(web())).rejects.toMatchObject({ code: 'MOUNT_PATH_OCCUPIED' });
    expect(await namesIn(at.root)).toContain('outside');
  });

  it.runIf(process.geteuid?.() === 0)('leaves alone a staging of another user', async () => {
    await chown(await staleStaging(), 12_345, 12_345);
    await expect(sweepStaging(web())).rejects.toMatchObject({ code: 'MOUNT_PATH_OCCUPIED' });
  });
});
