/**
 * Rescue files made by script: a description of members in, a file of the documented format out, with
 * real git for the bundle. Whatever a test changes in it (a name, a size, a hash) is taken as it is.
 */
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { gzipSync } from 'node:zlib';
import { pack } from 'tar-stream';
import type { Header } from 'tar-stream';
import { FORMAT, FORMAT_VERSION, writeManifest } from '../../agent/rescue/format.ts';
import type { MemberRecord, RepositoryRecord, RescueManifest } from '../../agent/rescue/format.ts';

export interface Member {
  readonly record: MemberRecord;
  readonly content: Buffer;
  /** Of the tar, where it is to say something else than the manifest. */
  readonly header?: Partial<Header>;
}

export function member(
  name: string,
  content: Buffer | string,
  fields: Omit<MemberRecord, 'name' | 'size' | 'sha256'>,
): Member {
  const bytes = Buffer.from(content);
  const sha256 = createHash('sha256').update(bytes).digest('hex');
  return { record: { name, size: bytes.length, sha256, ...fields }, content: bytes };
}

export const file = (
  path: string,
  content: Buffer | string,
  mode = '644',
  repository = 0,
): Member =>
  member(`repositories/${repository}/worktree/${path}`, content, {
    ...{ kind: 'file', repository, path, mode },
  });
export const link = (path: string, target: string, repository = 0): Member =>
  member(`repositories/${repository}/worktree/${path}`, target, {
    ...{ kind: 'symlink', repository, path },
  });
export const git = (path: string, content: Buffer | string, repository = 0): Member =>
  member(`repositories/${repository}/git/${path}`, content, {
    ...{ kind: 'git', repository, path, mode: '644' },
  });

export interface Rescue {
  url: string;
  mountPath: string;
  repositories: RepositoryRecord[];
  members: Member[];
}

export function mountRecord(url: string, head: RepositoryRecord['head']): RepositoryRecord {
  return {
    ...{ number: 0, kind: 'mount', path: '', has_worktree: true, gitdir: '.git' },
    ...{ shares_with: null, url, head, operation: null, remote: 'believed' },
    ...{ prerequisites: [], bundle: null, missing: [] },
  };
}

const COUNTS = {
  ...{ repositories: 1, commits: 0, objects: 0, stashes: 0, changed_files: 0 },
  ...{ untracked_files: 0, deleted_files: 0, conflicted_files: 0, file_bytes: 0 },
};

export function manifestOf({ url, mountPath, repositories, members }: Rescue): RescueManifest {
  const header = manifestHeader(url, mountPath, repositories[0]!.head);
  return {
    format: FORMAT,
    version: FORMAT_VERSION,
    rescue: header,
    unsettled: [],
    left_out: [],
    repositories,
    members: [headerMember(header), ...members].map(({ record }) => record),
  };
}

function manifestHeader(
  url: string,
  mountPath: string,
  head: RepositoryRecord['head'],
): RescueManifest['rescue'] {
  return {
    ...{ format: FORMAT, version: FORMAT_VERSION, url, mount_path: mountPath, head },
    ...{ session_id: 'sess_lost', created_at: '2026-01-02T03:04:05Z', agent_version: '0.1.0' },
    ...{ operation: null, remote: 'believed', include_ignored: false, self_contained: false },
    counts: COUNTS,
  };
}

function headerMember(header: RescueManifest['rescue']): Member {
  return member('rescue.json', JSON.stringify(header), { kind: 'header' });
}

/** @param change the last word on the manifest's text. */
export async function writeRescue(
  path: string,
  rescue: Rescue,
  change: (manifest: string) => string = (text) => text,
): Promise<void> {
  const manifest = manifestOf(rescue);
  const last = change(writeManifest(manifest).toString());
  const tar = pack();
  const add = (headers: Partial<Header> & { name: string }, content: Buffer): Promise<void> =>
    new Promise((resolve, reject) => {
      tar.entry(headers, content, (error) => {
        if (error instanceof Error) reject(error);
        else resolve();
      });
    });
  const pieces: Buffer[] = [];
  const reading = (async () => {
    for await (const piece of tar as AsyncIterable<Buffer>) pieces.push(piece);
  })();
  for (const { record, content, header } of [headerMember(manifest.rescue), ...rescue.members]) {
    await add({ name: record.name, size: content.length, type: 'file', ...header }, content);
  }
  await add({ name: 'manifest.json', size: Buffer.byteLength(last) }, Buffer.from(last));
  tar.finalize();
  await reading;
  writeFileSync(path, gzipSync(Buffer.concat(pieces), { level: 1 }));
}

/** What git puts into a bundle of `revisions`, in the repository at `cwd`. */
export function bundleOf(cwd: string, revisions: readonly string[]): Buffer {
  const { stdout, status, stderr } = spawnSync('git', ['bundle', 'create', '-', ...revisions], {
    cwd,
    maxBuffer: 2 ** 28,
  });
  if (status !== 0) throw new Error(stderr.toString());
  return stdout;
}
