import { mkdtemp, readFile, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { pack } from 'tar-stream';
import { buffer } from 'node:stream/consumers';
import { afterEach, beforeEach, expect, it } from 'vitest';
import type { RescueHeader } from '../../agent/rescue/format.ts';
import { listRescues, pruneRescues, readHeader, rescueFileName } from '../../agent/rescue/shelf.ts';

const MOUNT = { url: 'https://github.com/acme/web', mountPath: '/app/web' };
let directory: string;

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'mount-agent-shelf-'));
});
afterEach(async () => {
  await rm(directory, { recursive: true });
});

function header(createdAt: Date, mount = MOUNT): RescueHeader {
  return {
    format: 'mount-agent-rescue',
    version: 1,
    url: mount.url,
    mount_path: mount.mountPath,
    session_id: null,
    created_at: createdAt.toISOString(),
    agent_version: '1.2.3',
    head: { ref: 'refs/heads/main', oid: 'a'.repeat(40) },
    operation: null,
    remote: 'confirmed',
    include_ignored: false,
    self_contained: false,
    counts: {
      ...{ repositories: 1, commits: 0, objects: 0, stashes: 0, changed_files: 1 },
      ...{ untracked_files: 0, deleted_files: 0, conflicted_files: 0, file_bytes: 1 },
    },
  };
}

async function put(createdAt: Date, mount = MOUNT): Promise<string> {
  const archive = pack();
  archive.entry({ name: 'rescue.json' }, JSON.stringify(header(createdAt, mount)));
  archive.finalize();
  const file = join(directory, rescueFileName(mount.mountPath, createdAt));
  await writeFile(file, gzipSync(await buffer(archive)));
  return file;
}

it('rescues of a mount are listed newest first, without those of other mounts and without others', async () => {
  const old = await put(new Date('2026-01-02T03:04:05Z'));
  const late = await put(new Date('2026-03-02T03:04:05Z'));
  await put(new Date('2026-02-02T03:04:05Z'), { ...MOUNT, mountPath: '/srv/web' });
  await writeFile(rescueFileName('/app/web', new Date(0)).replace(/^/, `${directory}/`), 'no gzip');
  await writeFile(join(directory, 'notes.txt'), 'mine');
  const found = await listRescues(directory, MOUNT);
  expect(found.map(({ file }) => file)).toEqual([late, old]);
  expect(found[0]?.header.head.ref).toBe('refs/heads/main');
  expect(await listRescues(directory, { ...MOUNT, url: 'https://github.com/acme/other' })).toEqual(
    [],
  );
  expect(await listRescues(join(directory, 'missing'), MOUNT)).toEqual([]);
});

it('all but the newest three of a mount are removed, and nothing else', async () => {
  const files = [];
  for (let day = 1; day <= 5; day++) files.push(await put(new Date(Date.UTC(2026, 0, day))));
  const other = await put(new Date(0), { ...MOUNT, mountPath: '/srv/web' });
  const unreadable = join(directory, rescueFileName('/app/web', new Date(0)));
  await writeFile(unreadable, 'cut off');
  expect(await pruneRescues(directory, MOUNT)).toEqual([files[1], files[0]]);
  const left = (await readdir(directory)).map((name) => join(directory, name));
  expect(left.toSorted()).toEqual([...files.slice(2), other, unreadable].toSorted());
  expect(await pruneRescues(directory, MOUNT)).toEqual([]);
});

it('a header that is cut off, too late, too large or of a later version is refused with a reason', async () => {
  const file = await put(new Date('2026-01-02T03:04:05Z'));
  const bytes = await readFile(file);
  await writeFile(file, bytes.subarray(0, 60));
  await expect(readHeader(file)).rejects.toMatchObject({ code: 'RESCUE_INVALID' });
  const archive = pack();
  archive.entry({ name: 'other' }, 'x');
  archive.entry({ name: 'rescue.json' }, '{}');
  archive.finalize();
  await writeFile(file, gzipSync(await buffer(archive)));
  await expect(readHeader(file)).rejects.toMatchObject({ code: 'RESCUE_INVALID' });
  await writeFile(file, '');
  await expect(readHeader(file)).rejects.toMatchObject({ code: 'RESCUE_INVALID' });
  await expect(readHeader(join(directory, 'none'))).rejects.toMatchObject({ code: 'ENOENT' });
});
